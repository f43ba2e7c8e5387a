"""Plots of how values are spread."""

from itertools import pairwise

from consumers.page.axes import Axis, Frame, picture
from consumers.page.figures import count, number, percent
from consumers.page.markup import Content, Node, tag
from stream.reference import Histogram

BARS = 24
"""Bars of equal width that a histogram is drawn with."""

FEW = 8
"""With fewer edges than this, values stand for themselves, and each bin gets a line."""

FAR = 4.0
"""An axis that is so many times longer than what lies between its second edge and the last but one is cut there."""


class Spread:
    """A histogram as it is drawn: on an axis from ``low`` to ``high``, with a share of the rows in each bar.

    Bins hold about equally many rows each, so they are wide where values are rare. Bars are of equal width: a bin's
    rows are dealt out evenly over its width.
    """

    def __init__(self, histogram: Histogram) -> None:
        edges, counts = histogram.edges, histogram.counts
        self.rows = sum(counts)
        self.least, self.largest = edges[0], edges[-1]
        inner = edges[-2] - edges[1]
        cut = edges[-1] - edges[0] > FAR * inner > 0
        self.low = edges[0] if not cut or edges[1] - edges[0] <= inner else edges[1]
        self.high = edges[-1] if not cut or edges[-1] - edges[-2] <= inner else edges[-2]
        borders = [self.low + (self.high - self.low) * at / BARS for at in range(BARS + 1)]
        below = [_below(histogram, border) for border in borders]
        self.under = below[0] - counts[0] if self.low > edges[0] else 0.0
        self.over = self.rows - below[-1] if self.high < edges[-1] else 0.0
        if not self.under:
            below[0] = 0.0
        if not self.over:
            below[-1] = float(self.rows)
        self.shares = [max(0.0, b - a) / max(1, self.rows) for a, b in pairwise(below)]
        self.borders = borders

    def beyond(self) -> str:
        """What lies off the axis, in words; nothing where nothing does."""
        parts = []
        if self.under:
            parts.append(f"{percent(self.under, self.rows)} lie below, down to {number(self.least)}")
        if self.over:
            parts.append(f"{percent(self.over, self.rows)} lie above, up to {number(self.largest)}")
        return "; ".join(parts)


def drawn(title: str, unit: str, histogram: Histogram, threshold: float | None = None) -> Node:
    """A histogram with enough edges to be drawn as one; ``threshold`` is marked on it."""
    spread = Spread(histogram)
    frame = Frame.over([spread.low, spread.high], [0.0, *(100 * share for share in spread.shares)], 280, 170, 40)
    parts: list[Content] = [frame.axes(unit, "% of the rows")]
    for share, (left, right) in zip(spread.shares, pairwise(spread.borders), strict=True):
        at, top = frame.x.at(left), frame.y.at(100 * share)
        told = tag("title", f"{number(left)} to {number(right)}: {percent(share, 1)}")
        width, height = max(0.0, frame.x.at(right) - at - 1), frame.y.start - top
        parts.append(tag("rect", told, x=at, y=top, width=width, height=height, class_="bar"))
    if threshold is not None and spread.low <= threshold <= spread.high:
        parts.append(_threshold(frame.x, frame.y, threshold))
    highest = spread.shares.index(max(spread.shares))
    told_of = (
        f"{count(spread.rows)} values from {number(spread.least)} to {number(spread.largest)}, most of them between "
        f"{number(spread.borders[highest])} and {number(spread.borders[highest + 1])}"
    )
    return picture(frame.width, frame.height, title, told_of, *parts)


def lines(histogram: Histogram) -> list[tuple[str, int]]:
    """Each bin of a histogram with few edges in words, with its rows; empty ones at the ends are left out."""
    edges, counts = histogram.edges, histogram.counts
    if len(edges) == 1 and counts == [0, sum(counts)]:
        return [(number(edges[0]), counts[1])]
    if not edges:
        return []
    named = [
        f"below {number(edges[0])}",
        *(f"{number(a)} to below {number(b)}" for a, b in pairwise(edges)),
        f"{number(edges[-1])} and above",
    ]
    return [
        (text, rows)
        for at, (text, rows) in enumerate(zip(named, counts, strict=True))
        if rows or 0 < at < len(counts) - 1
    ]


def _below(histogram: Histogram, border: float) -> float:
    """How many rows lie below a border, bins being filled evenly."""
    total = float(histogram.counts[0])
    for rows, (left, right) in zip(histogram.counts[1:], pairwise(histogram.edges), strict=False):
        if border >= right:
            total += rows
        elif border > left:
            total += rows * (border - left) / (right - left)
    return total


def _threshold(x: Axis, y: Axis, threshold: float) -> Node:
    at = x.at(threshold)
    # On the side of the line where there is more room.
    anchor, gap = ("end", -4) if at > (x.start + x.end) / 2 else ("start", 4)
    return tag(
        "g",
        tag("line", x1=at, x2=at, y1=y.start, y2=y.end - 4, class_="line second"),
        tag("text", f"threshold {number(threshold)}", x=at + gap, y=y.end + 6, text_anchor=anchor, class_="halo"),
    )
