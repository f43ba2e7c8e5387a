"""Both models' errors over the stream, and below them the verdicts, alarms and retrains."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from consumers.page.axes import Frame, line, picture
from consumers.page.figures import count, percent
from consumers.page.markup import Content, Node, tag
from consumers.page.outcome import Outcome
from consumers.page.timeline import WIDTH, Mark, Shown, Timeline, area, legend, marks, told, wide
from consumers.page.turns import look
from stream.records import VERDICT

HEIGHT = 300
"""Of the plot itself."""

LANE = 34
"""Height of a line below it."""

TOLD = 20
"""Stretches that are told in words."""


class Stretch(NamedTuple):
    """Rows in which one verdict was in force."""

    verdict: str
    begin: float
    end: float


def error_shares(outcome: Outcome, timeline: Timeline) -> Node:
    """The plot; there is a point at least."""
    shares = {
        model: [1000 * point.errors.get(model, math.nan) for point in timeline.points]
        for model in ("baseline", "online")
    }
    frame = timeline.frame([0.0, *shares["baseline"], *shares["online"]], HEIGHT)
    retrains = _retrains(outcome, timeline)
    stretches = _stretches(timeline)
    lanes = [*_verdicts(frame, stretches), *_happened(outcome, frame, retrains)]
    bottom = frame.y.start
    parts: list[Content] = [frame.axes("row", "errors per 1,000 labelled events", 10), legend(_shown(shares))]
    places = (frame.x.at(retrain.row) for retrain in retrains)
    parts += [tag("line", x1=x, x2=x, y1=frame.y.end, y2=bottom, class_="moment") for x in places]
    parts += _lines(frame, timeline, shares["baseline"], shares["online"])
    parts += [tag("g", *lane, transform=f"translate(0 {HEIGHT + LANE * at})") for at, lane in enumerate(lanes)]
    said = [told(model, timeline.rows, values) for model, values in shares.items()]
    said += [f"{each.verdict} from row {count(int(each.begin))}" for each in stretches[:TOLD]]
    title = "Errors of both models, and the verdicts"
    drawn = picture(WIDTH, HEIGHT + LANE * len(lanes) + 8, title, "Errors per 1,000; " + "; ".join(said), *parts)
    return wide(
        drawn,
        "Errors of both models among the last labelled events, of which one that is 500 events old counts half; below, "
        "when each verdict was in force. With another baseline all begins anew.",
    )


def _shown(shares: dict[str, list[float]]) -> list[Shown]:
    there = {model: any(map(math.isfinite, values)) for model, values in shares.items()}
    shown = [Shown("online model", "line", "first")] if there["online"] else []
    if there["baseline"]:
        shown.append(Shown("baseline", "line", "second"))
    if all(there.values()):
        shown += [
            Shown("the baseline errs more", "area", "second"),
            Shown("the online model errs more", "area", "first"),
        ]
    return shown


def _lines(frame: Frame, timeline: Timeline, baseline: Sequence[float], online: Sequence[float]) -> Iterator[Node]:
    """The gap is shaded, in the look of whichever errs more."""
    for version in timeline.versions():
        part = slice(version.start, version.stop)
        xs, old, new = timeline.rows[part], baseline[part], online[part]
        more = [max(a, b) if math.isfinite(a) else a for a, b in zip(old, new, strict=True)]
        yield area(frame, xs, new, more, "second")
        yield area(frame, xs, old, more, "first")
        yield line(frame, xs, new, "first")
        yield line(frame, xs, old, "second")


def _stretches(timeline: Timeline) -> list[Stretch]:
    """By the points, so that a picture can show them, however many there are."""
    found: list[Stretch] = []
    begin: float = timeline.begin
    for verdict, places in groupby(range(len(timeline.points)), lambda at: timeline.points[at].verdict):
        end = timeline.rows[list(places)[-1]]
        found.append(Stretch(verdict, begin, end))
        begin = end
    return found


def _verdicts(frame: Frame, stretches: Sequence[Stretch]) -> Iterator[list[Node]]:
    """A line for each verdict, with its name, and bars where it was in force."""
    whole = frame.x.high - frame.x.low
    for verdict in dict.fromkeys(each.verdict for each in stretches):
        own = [each for each in stretches if each.verdict == verdict]
        share = percent(sum(each.end - each.begin for each in own), whole)
        yield [
            tag("text", f"{verdict} ({share} of the rows)", x=frame.x.start, y=12),
            tag("rect", x=frame.x.start, y=17, width=frame.x.end - frame.x.start, height=10, class_="track"),
            *(_bar(frame, each) for each in own),
        ]


def _bar(frame: Frame, stretch: Stretch) -> Node:
    start, end = frame.x.at(stretch.begin), frame.x.at(stretch.end)
    said = tag("title", f"{stretch.verdict}: rows {count(int(stretch.begin))} to {count(int(stretch.end))}")
    return tag("rect", said, x=start, y=17, width=max(0.8, end - start), height=10, class_=look(stretch.verdict))


def _retrains(outcome: Outcome, timeline: Timeline) -> list[Mark]:
    return [
        Mark(
            timeline.row(made.labelled),
            f"retrained after {count(made.labelled)} labelled events, on the newest {count(made.rows)}",
        )
        for made in outcome.retrains
    ]


def _happened(outcome: Outcome, frame: Frame, retrains: Sequence[Mark]) -> Iterator[list[Node]]:
    """A line of alarms and one of retrains, where there are some."""
    alarms = [
        Mark(alarm.position, f"alarm of {alarm.kind} at row {count(alarm.position)}: {alarm.verdict}")
        for alarm in outcome.alarms
        if alarm.kind != VERDICT
    ]
    for happened, what, sign in ((alarms, "alarms", "alarm"), (retrains, "retrains", "retrain")):
        if happened:
            yield [
                tag("text", f"{what}: {count(len(happened))}", x=frame.x.start, y=12),
                *marks(frame.x, 22, happened, sign),
            ]
