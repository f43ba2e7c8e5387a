"""The evidence of each detector over the stream, as a share of what raises an alarm."""

import math
from collections.abc import Iterator, Mapping

from consumers.page.axes import Decades, Frame, level, line, picture
from consumers.page.figures import count
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.outcome import Outcome
from consumers.page.timeline import WIDTH, Mark, Shown, Timeline, legend, marks, told, wide
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE

TOP = 44
"""Where the first detector's part begins."""

PART = 116
"""Height of each detector's part, its name included."""

LEAST, MOST = -4.0, 8.0
"""Powers of ten between which evidence is drawn."""

TESTED = {
    PAIRED: "the baseline {} more than the online model, by more than is tolerated",
    BASELINE: "the baseline {} more than when it was new, by more than is tolerated",
    ONLINE: "the online model {} more than in the warm-up, by more than is tolerated",
    REVERSE: "the online model {} more than the baseline, by more than is tolerated",
}
"""What a detector's alarm says, but for what it is that a model does."""


def evidence(outcome: Outcome, timeline: Timeline) -> Node | None:
    """A part a detector that runs, one below the other; nothing where none has any evidence."""
    levels = {
        detector: [point.evidence.get(detector, math.nan) for point in timeline.points]
        for detector in TESTED
        if any(point.evidence.get(detector, 0.0) > 0.0 for point in timeline.points)
    }
    if not levels:
        return None
    parts: list[Content] = [
        tag("text", "evidence, as a share of what raises an alarm", x=4, y=14, class_="unit"),
        legend([Shown("threshold", "line", "limit"), Shown("alarm", "mark", "alarm")]),
    ]
    for at, (detector, values) in enumerate(levels.items()):
        parts += _detector(outcome, timeline, detector, list(map(_exponent, values)), TOP + PART * at)
    bottom = TOP + PART * len(levels)
    parts.append(level(timeline.axis(), bottom - 8, "row", 10))
    said = "; ".join(told(detector, timeline.rows, values) for detector, values in levels.items())
    drawn = picture(WIDTH, bottom + 34, "Evidence of each detector", f"Shares of what raises an alarm: {said}", *parts)
    return wide(
        drawn,
        "Evidence of each detector, on a scale of powers of ten: at 1 it raises an alarm, or prolongs one that still "
        "counts, and begins anew. What is below 0.0001 is drawn there.",
        *_off({} if outcome.monitoring is None else outcome.monitoring.off),
    )


def _detector(outcome: Outcome, timeline: Timeline, detector: str, values: list[float], top: float) -> Iterator[Node]:
    """One detector's part: what it says, its evidence, the threshold, and its alarms."""
    greatest = max([0.0, *(value for value in values if math.isfinite(value))])
    frame = Frame(WIDTH, PART, timeline.axis(), Decades(LEAST, greatest + 0.3, top + PART - 8, top + 18))
    tested = TESTED[detector].format(Loss.judged(outcome.settings.kind).verb)
    yield tag("text", f"{detector}: {tested}", x=frame.x.start, y=top + 12)
    yield frame.across(ticks=3)
    for version in timeline.versions():
        part = slice(version.start, version.stop)
        yield line(frame, timeline.rows[part], values[part], "first thin")
    yield line(frame, [frame.x.low, frame.x.high], [0.0, 0.0], "limit")
    alarms = [
        Mark(alarm.position, f"alarm of {detector} at row {count(alarm.position)}: {alarm.verdict}")
        for alarm in outcome.alarms
        if alarm.kind == detector
    ]
    yield from marks(frame.x, frame.y.at(0.0), alarms, "alarm")


def _exponent(value: float) -> float:
    if math.isnan(value):
        return value
    return min(MOST, max(LEAST, math.log10(value))) if 0.0 < value < math.inf else MOST if value > 0.0 else LEAST


def _off(off: Mapping[str, str]) -> Iterator[Node]:
    """Why a detector did not run."""
    for detector, reason in off.items():
        yield tag("p", f"{detector} did not run at the end: ", name(reason), ".", class_="small-print")
