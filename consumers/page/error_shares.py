"""Both models' errors, or misses, over the stream, and below them the verdicts, alarms and retrains."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from consumers.page.axes import Frame, level, line, picture
from consumers.page.figures import count, percent
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, tag
from consumers.page.outcome import Outcome
from consumers.page.timeline import WIDTH, Mark, Shown, Timeline, area, legend, marks, told, wide
from consumers.page.turns import look
from stream.records import VERDICT

HEIGHT = 300
"""Of the plot itself."""

BARE = 48
"""Of the axis alone, where there is nothing to plot."""

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
    """The plot; there is a point at least. Where nothing was judged, the verdicts stand alone."""
    loss = Loss.judged(outcome.settings.kind)
    shares = {model: _shares(outcome, timeline, model) for model in ("baseline", "online")}
    judged = any(math.isfinite(share) for values in shares.values() for share in values)
    height = HEIGHT if judged else BARE
    frame = timeline.frame([0.0, *shares["baseline"], *shares["online"]], height)
    retrains = _retrains(outcome, timeline)
    stretches = _stretches(timeline)
    lanes = [*_verdicts(frame, stretches), *_happened(outcome, frame, retrains)]
    parts: list[Content] = []
    said: list[str] = []
    if judged:
        parts += [frame.axes("row", loss.unit, 10), legend(_shown(shares, loss))]
        places = (frame.x.at(retrain.row) for retrain in retrains)
        parts += [tag("line", x1=x, x2=x, y1=frame.y.end, y2=frame.y.start, class_="moment") for x in places]
        parts += _lines(frame, timeline, shares["baseline"], shares["online"])
        said += [told(model, timeline.rows, values) for model, values in shares.items()]
    else:
        parts.append(level(frame.x, 8, "row", 10))
    parts += [tag("g", *lane, transform=f"translate(0 {height + LANE * at})") for at, lane in enumerate(lanes)]
    said += [f"{each.verdict} from row {count(int(each.begin))}" for each in stretches[:TOLD]]
    many = loss.many.capitalize()
    title = f"{many} of both models, and the verdicts" if judged else "The verdicts"
    about = f"{many} per 1,000; " if judged else ""
    drawn = picture(WIDTH, height + LANE * len(lanes) + 8, title, about + "; ".join(said), *parts)
    if not judged:
        return wide(drawn, f"When each verdict was in force. No {loss.of_what} were judged.")
    return wide(
        drawn,
        f"{many} of both models among the last {loss.of_what}, of which one that is 500 {loss.of_what} old counts "
        f"half; below, when each verdict was in force. {loss.told} With another baseline all begins anew.",
    )


def _shares(outcome: Outcome, timeline: Timeline, model: str) -> list[float]:
    """A model's, in 1,000; of anomalies only where positives were judged, which they are beside a baseline."""
    rare = outcome.settings.kind == "anomaly"
    return [
        math.nan if rare and point.gap is None else 1000 * point.errors.get(model, math.nan)
        for point in timeline.points
    ]


def _shown(shares: dict[str, list[float]], loss: Loss) -> list[Shown]:
    there = {model: any(map(math.isfinite, values)) for model, values in shares.items()}
    shown = [Shown("online model", "line", "first")] if there["online"] else []
    if there["baseline"]:
        shown.append(Shown("baseline", "line", "second"))
    if all(there.values()):
        shown += [
            Shown(f"the baseline {loss.verb} more", "area", "second"),
            Shown(f"the online model {loss.verb} more", "area", "first"),
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
