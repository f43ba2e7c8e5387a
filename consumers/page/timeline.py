"""What plots over the stream have in common: the level axis, which is of rows, and what is drawn along it."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Literal, NamedTuple

from consumers.page.axes import Axis, Frame
from consumers.page.figures import count
from consumers.page.markup import Content, Node, tag
from consumers.page.tables import figure
from stream.history import Point

WIDTH, TOP = 820, 52
"""Of the plots: there is room above for the unit and the legend."""

LEFT = 54

APART = 2.0
"""Marks that are nearer to each other than this are one."""

Kind = Literal["line", "area", "mark"]


class Shown(NamedTuple):
    """What a plot shows: its name in the legend, as what it is drawn, and its look."""

    name: str
    kind: Kind
    look: str


class Mark(NamedTuple):
    """Something that happened at a row, in words."""

    row: float
    told: str


class Timeline:
    """The points of a stream and the ``rows`` at which they stand; ``begin`` is its first row after the warm-up."""

    def __init__(self, begin: int, points: Sequence[Point]) -> None:
        self.begin = begin
        self.points = points
        # A label that came out of order does not lead back.
        self.rows = list(accumulate((max(begin, point.position) for point in points), max))

    def frame(self, values: Iterable[float], height: float = 300) -> Frame:
        """A frame for these values over all of the rows; the upright axis ends at round values."""
        return Frame.over([self.begin, *self.rows], values, WIDTH, height, LEFT, TOP)

    def axis(self) -> Axis:
        """The level axis of such a frame."""
        return self.frame([]).x

    def row(self, labelled: int) -> float:
        """About where so many records were labelled."""
        if not self.points:
            return self.begin
        at = bisect_left(self.points, labelled, key=lambda point: point.labelled)
        if at == len(self.points):
            return self.rows[-1]
        before, first = (self.points[at - 1].labelled, self.rows[at - 1]) if at else (0, self.begin)
        share = (labelled - before) / max(1, self.points[at].labelled - before)
        return first + share * (self.rows[at] - first)

    def versions(self) -> Iterator[range]:
        """The places of the points of one baseline after another: all that is measured begins anew with each."""
        for _, places in groupby(range(len(self.points)), lambda at: self.points[at].version):
            found = list(places)
            yield range(found[0], found[-1] + 1)


def area(frame: Frame, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], look: str) -> Node:
    """What lies between two lines; points of which a value is no number are left out."""
    there = [
        (frame.x.at(x), frame.y.at(low), frame.y.at(high))
        for x, low, high in zip(xs, lows, highs, strict=True)
        if math.isfinite(low) and math.isfinite(high)
    ]
    places = [(x, high) for x, _, high in there] + [(x, low) for x, low, _ in reversed(there)]
    return tag("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places), class_=f"area {look}")


def legend(shown: Iterable[Shown]) -> Node:
    """The names of what a plot shows, from the left edge on, below the unit."""
    parts: list[Content] = []
    left = float(LEFT)
    for name, kind, look in shown:
        if kind == "line":
            parts.append(tag("line", x1=left, x2=left + 26, y1=32, y2=32, class_=f"line {look}"))
        elif kind == "area":
            parts.append(tag("rect", x=left, y=26, width=26, height=12, class_=f"area {look}"))
        else:
            parts.append(mark(left + 13, 32, look))
        parts.append(tag("text", name, x=left + 32, y=36))
        left += 54 + 7 * len(name)
    return tag("g", *parts)


def mark(x: float, y: float, look: str, told: str = "") -> Node:
    """A mark in the middle of a place: "retrain" is a diamond, all else a triangle that points down."""
    corners = [(0, -6), (5, 0), (0, 6), (-5, 0)] if look == "retrain" else [(-5, -5), (5, -5), (0, 5)]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return tag("polygon", tag("title", told) if told else None, points=points, class_=f"sign {look}")


def marks(axis: Axis, y: float, happened: Sequence[Mark], look: str) -> Iterator[Node]:
    """What happened; those that would stand in one place share a mark."""
    places = groupby(sorted(happened), lambda one: round(axis.at(one.row) / APART))
    for _, together in places:
        first, *more = together
        told = f"{first.told}; and {count(len(more))} more nearby" if more else first.told
        yield mark(axis.at(first.row), y, look, told)


def told(name: str, rows: Sequence[float], values: Sequence[float], unit: str = "") -> str:
    """A line in words: where it begins, its least and its greatest, where it ends."""
    there = [(value, row) for value, row in zip(values, rows, strict=True) if math.isfinite(value)]
    if not there:
        return f"{name}: nothing"
    low, high = min(there), max(there)
    return (
        f"{name}: {_value(there[0][0])}{unit} at first, least {_value(low[0])} at row {count(int(low[1]))}, "
        f"greatest {_value(high[0])} at row {count(int(high[1]))}, {_value(there[-1][0])} at the end"
    )


def _value(value: float) -> str:
    return f"{value:.3g}"


def wide(drawn: Node, caption: Content, *more: Content) -> Node:
    """A plot over the stream under its caption; where there is no room for it, it is moved sideways."""
    hint = tag("p", "The picture is wider than this page: move it sideways.", class_="sideways small-print")
    return figure(tag("div", drawn, class_="wide"), caption, hint, *more)
