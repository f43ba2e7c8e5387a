"""How both models' scores were spread, at the beginning of the stream, at its end, and in between."""

from collections.abc import Sequence
from itertools import pairwise

from consumers.page.axes import Frame, picture
from consumers.page.figures import count, percent
from consumers.page.markup import Content, Node, tag
from consumers.page.outcome import Outcome
from consumers.page.tables import figure, grid
from consumers.page.timeline import Timeline
from stream.history import BINS, Point

MOST = 4
"""Stretches of the stream."""

MODELS = ("baseline", "online")


def stretches(outcome: Outcome, timeline: Timeline) -> Node | None:
    """A picture a stretch, all to one scale; nothing where there were no scores."""
    points = timeline.points
    many = min(MOST, len(points))
    cuts = [len(points) * at // many for at in range(many + 1)] if many else []
    shares = [_shares(points[begin:end]) for begin, end in pairwise(cuts)]
    most = max((share for each in shares for one in each.values() for share in one), default=0.0)
    if not most:
        return None
    unit = _unit(outcome)
    figures = []
    for (begin, end), spread in zip(pairwise(cuts), shares, strict=True):
        first = timeline.rows[begin - 1] + 1 if begin else timeline.begin
        rows = f"rows {count(first)} to {count(timeline.rows[end - 1])}"
        figures.append(figure(_drawn(f"Scores, {rows}", unit, spread, most), f"{rows[:1].upper()}{rows[1:]}"))
    return grid(figures)


def _unit(outcome: Outcome) -> str:
    if outcome.settings.kind == "multiclass":
        return "score of the likeliest class"
    classes = outcome.settings.classes
    return f"score of {classes[-1]!r}"[:48] if classes else "score"


def _shares(points: Sequence[Point]) -> dict[str, list[float]]:
    """Of the scores of each model that has some, how many of 100 lie in each bin."""
    found = {}
    for model in MODELS:
        counts = [
            sum(bins) for bins in zip(*(point.scores[model] for point in points if model in point.scores), strict=True)
        ]
        if sum(counts):
            found[model] = [100 * each / sum(counts) for each in counts]
    return found


def _drawn(title: str, unit: str, spread: dict[str, list[float]], most: float) -> Node:
    frame = Frame.over([0.0, 1.0], [0.0, most], 420, 210, 46, 48)
    parts: list[Content] = [frame.axes(unit, "% of the scores"), _legend(spread)]
    edges = [frame.x.at(at / BINS) for at in range(BINS + 1)]
    for model, shares in spread.items():
        tops = [frame.y.at(share) for share in shares]
        if model == "baseline":
            for share, top, (left, right) in zip(shares, tops, pairwise(edges), strict=True):
                own = tag("title", f"baseline: {percent(share, 100)}")
                height = frame.y.start - top
                parts.append(
                    tag("rect", own, x=left, y=top, width=right - left - 1, height=height, class_="area second")
                )
        else:
            steps = [f"{x:.1f},{top:.1f}" for top, ends in zip(tops, pairwise(edges), strict=True) for x in ends]
            parts.append(tag("polyline", points=" ".join(steps), class_="line first"))
    told = "; ".join(f"{model}: {_told(shares)}" for model, shares in spread.items())
    return picture(frame.width, frame.height, title, f"Shares of the scores from 0 to 1. {told}", *parts)


def _told(shares: Sequence[float]) -> str:
    low, high = (percent(sum(part), 100) for part in (shares[: BINS // 4], shares[-(BINS // 4) :]))
    return f"{low} below 0.25, {high} of 0.75 and above"


def _legend(spread: dict[str, list[float]]) -> Node:
    parts: list[Content] = []
    if "baseline" in spread:
        parts += [
            tag("rect", x=46, y=24, width=22, height=10, class_="area second"),
            tag("text", "baseline", x=74, y=34),
        ]
    if "online" in spread:
        parts += [
            tag("line", x1=150, x2=172, y1=29, y2=29, class_="line first"),
            tag("text", "online model", x=178, y=34),
        ]
    return tag("g", *parts)
