"""Labels whose delay depends on what they say, through scorer and monitor."""

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from stream.chain import Chain
from stream.config import Features, Labels, Stream
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE
from stream.duration import Duration
from stream.monitoring import MonitoringTask
from stream.records import Event, Label
from stream.scoring import ScoringTask
from stream.warmup import warm_up

EVENTS, JUDGED = 3_500, 1_000
"""One a second, and rows before them by which the baseline's reference is found."""

POSITIVE = 0.2
SOON, LATE = 100.0, 3_000.0
"""Seconds until a positive is labelled, and until a negative is."""

ERRORS = {"baseline": (0.01, 0.12), "online": (0.03, 0.04)}
"""Share of errors on negatives and on positives: on all events both models err in .032."""

STREAM = Stream(classes=["no", "yes"], online="field:online", baseline="field:baseline", features=Features())
DETECTED = (PAIRED, REVERSE, BASELINE, ONLINE)

MODES = {
    "in the order of events, once labels are final": replace(STREAM, labels=Labels(maturity=Duration(LATE + 1))),
    "in the order of labels' arrival": STREAM,
}


class Delayed(Struct, frozen=True):
    """Alarms of the monitor's detectors: while events came, and in all, when each had its label.

    ``believed``: of the former those that did not come under the verdict `blind`. ``verdict``: when the last event has
    come. ``judged``: events in all.
    """

    soon: int
    believed: int
    alarms: int
    verdict: str
    judged: int


def delayed(stream: Stream, seed: int) -> Delayed:
    """One run; the true gap is 0."""
    chance = np.random.default_rng(seed)
    rows = _rows(chance, JUDGED)
    made = warm_up("streams.s", stream, [(fields, stream.classes[truth]) for fields, truth in rows])
    monitor = MonitoringTask("s", made.stream)
    task = Chain(ScoringTask("s", made.stream, made.models), monitor, None)
    inputs: list[tuple[float, Event | Label]] = []
    for at, (fields, truth) in enumerate(_rows(chance, EVENTS)):
        final = at + (SOON if truth else LATE)
        inputs.append((at, Event(f"e{at}", float(at), fields, at)))
        inputs.append((final, Label(f"e{at}", final, stream.classes[truth], at)))
    inputs.append((EVENTS + 2 * LATE, Event("last", EVENTS + 2 * LATE, rows[0][0], EVENTS)))
    inputs.sort(key=lambda one: one[0])
    soon = task.feed([record for time, record in inputs if time < EVENTS]).alarms
    verdict = monitor.verdict
    later = task.feed([record for time, record in inputs if time >= EVENTS]).alarms
    soon, later = ([alarm for alarm in alarms if alarm.kind in DETECTED] for alarms in (soon, later))
    believed = sum(alarm.verdict != "blind" for alarm in soon)
    return Delayed(len(soon), believed, len(soon) + len(later), verdict, monitor.counts.labelled)


def _rows(chance: np.random.Generator, count: int) -> list[tuple[dict[str, float], int]]:
    truth = (chance.random(count) < POSITIVE).astype(int)
    called = {name: truth ^ (chance.random(count) < np.array(errors)[truth]) for name, errors in ERRORS.items()}
    scores = {name: np.where(each, 0.9, 0.1).tolist() for name, each in called.items()}
    return [({name: of[at] for name, of in scores.items()}, label) for at, label in enumerate(truth.tolist())]
