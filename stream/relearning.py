"""A scorer's state made anew from the training log: where partitions have changed, or the old state cannot be read.

The log is gone through twice: a Survey finds what only its end tells, then a Relearning a task learns from it.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from stream.config import Serving, Stream
from stream.duration import Duration
from stream.factories import guarded
from stream.given import GIVEN
from stream.labels import LabelCounts
from stream.models import Models
from stream.records import KEPT_OTHERWISE, Event, Input, Label, Labelled, Prediction, Score
from stream.scoring import ScoringTask
from stream.tally import Tally
from stream.totals import InputCounts

NEWEST = 2_000
"""Records, the newest, that tell where alerts begin: thresholds move along."""

WHOLE = 0.9
"""Of labels that have come within a time: of events that are as old, the log knows nearly all."""

MOST_CORRECTIONS = 200_000
"""Last labels that are remembered while the log is gone through; of more than that, the first ones are not taken."""


class Logged(Struct, frozen=True):
    """A labelled record, and when it was published: a time far past that is not believed, as it was not then."""

    record: Labelled
    published: float


class Survey:
    """What must be known of the log before it is learned from: last labels, and where each alarm begins.

    ``overlooked`` counts corrections beyond MOST_CORRECTIONS: their events are learned with their first label.
    """

    def __init__(self, stream: Stream) -> None:
        self.overlooked = 0
        self._last: OrderedDict[str, str] = OrderedDict()
        self._positive = stream.classes[-1] if stream.kind == "anomaly" else None
        self._versions: list[str | None] = [None, None]
        self._said: list[deque[tuple[float, bool]]] = [deque(maxlen=NEWEST), deque(maxlen=NEWEST)]

    def feed(self, records: Sequence[Logged]) -> None:
        """Take the log's next records."""
        for logged in records:
            record = logged.record
            if record.correction:
                self._last.pop(record.event_id, None)
                self._last[record.event_id] = record.label
                if len(self._last) > MOST_CORRECTIONS:
                    self._last.popitem(last=False)
                    self.overlooked += 1
            elif self._positive is not None:
                self._see(0, record.online, record.online_label, record.online_version)
                self._see(1, record.baseline, record.baseline_label, record.baseline_version)

    def corrected(self, logged: Logged) -> Logged:
        """The record with its last label."""
        last = self._last.get(logged.record.event_id)
        if last is None or logged.record.correction:
            return logged
        return Logged(replace(logged.record, label=last), logged.published)

    def thresholds(self) -> tuple[float, float]:
        """Those by which an anomaly stream's models were answering of late; else the usual ones."""
        online, baseline = (self._threshold(side) for side in (0, 1))
        return online, baseline

    def _see(self, side: int, score: Score, label: str | None, version: str | None) -> None:
        if not isinstance(score, float):
            return
        if version != self._versions[side]:
            self._versions[side] = version
            self._said[side].clear()
        self._said[side].append((score, label == self._positive))

    def _threshold(self, side: int) -> float:
        called = [score for score, positive in self._said[side] if positive]
        passed = [score for score, positive in self._said[side] if not positive]
        if called:
            return min(called)
        return math.nextafter(max(passed), math.inf) if passed else 0.5


class Relearning:
    """Feeds logged records to a task that begins with ``models``.

    What the task answers is dropped: it was published when it happened. The events that wait for a label are not in
    the log, so their labels will find no event. Each record is final here, whatever the stream's maturity.
    ``left_out`` counts records that were not learned from, by the reason; corrections are not among them.
    """

    def __init__(self, name: str, stream: Stream, models: Models) -> None:
        self._given = {
            side: getattr(stream, side).removeprefix(GIVEN)
            for side in ("online", "baseline")
            if getattr(stream, side).startswith(GIVEN)
        }
        self._many = stream.classes if stream.kind == "multiclass" else []
        self._stream = stream
        self._max_ahead = stream.max_ahead
        # The log names classes, never what labellers write for them.
        at_once = replace(stream.labels, maturity=Duration(0), absent_means=None, values={})
        # A column that is not in the log is not missing in its events: nothing is learned about it. A text is empty.
        gone = [column for column in stream.features.unlogged if column not in stream.features.text]
        features = stream.features.without(gone)
        self._task = ScoringTask(name, replace(stream, labels=at_once, features=features), models, logged=True)
        self._delays: deque[float] = deque(maxlen=NEWEST)
        self.learned = 0
        self.left_out: dict[str, int] = {}

    def feed(self, records: Sequence[Logged]) -> None:
        """Learn from records, in their order; raises TrainingError where a model breaks on one."""
        task = self._task
        inputs: list[Input] = []
        taken: dict[str, Labelled] = {}
        for logged in records:
            record = logged.record
            if record.correction:
                continue
            if record.features is None:
                self._leave_out("has no features")
            elif record.hashed != self._stream.features.hashed:
                self._leave_out(KEPT_OTHERWISE)
            elif record.label not in task.classes:
                self._leave_out(f"label {record.label[:80]!r} is none of {list(task.classes)[:20]}")
            elif record.event_id in taken or task.arrivals.join.known(record.event_id) is not None:
                self._leave_out("is there twice")
            else:
                inputs += self._inputs(logged)
                taken[record.event_id] = record
        before = task.arrivals.join.counts.joined
        with guarded("the models' state, out of the training log,"):
            for letter in task.feed(inputs).dead_letters:
                self._leave_out(letter.reason)
        self.learned += task.arrivals.join.counts.joined - before
        task.arrivals.join.early.clear()  # the labels of events that have just been left out
        for event_id, record in taken.items():
            entry = task.arrivals.join.known(event_id)
            if entry is not None:
                entry.prediction = _first_answer(record)
                entry.ours, entry.theirs = (
                    -1 if label is None else task.classes[label]
                    for label in (record.online_label, record.baseline_label)
                )

    def finish(self) -> ScoringTask:
        """The task, which has counted nothing yet: what it learned from was counted when it happened."""
        arrivals = self._task.arrivals
        arrivals.inputs, arrivals.join.counts, self._task.tally = InputCounts(), LabelCounts(), Tally()
        self._task.stream = self._stream  # for which its state is made
        self._task.decisions.relearned()
        if self._delays:
            # Of the newest events most wait for labels, and are not in the log.
            later = sorted(self._delays)[int(WHOLE * len(self._delays))]
            self._task.models.derived.resume(later, arrivals.clock)
        return self._task

    def _inputs(self, logged: Logged) -> tuple[Event, Label]:
        record, latest = logged.record, logged.published + self._max_ahead
        fields, at = self._fields(record), record.position
        if record.label_time <= latest:
            self._delays.append(max(0.0, record.label_time - record.time))
        return (
            Event(record.event_id, record.time, fields, at, record.time > latest, b""),
            Label(record.event_id, record.label_time, record.label, at, record.label_time > latest),
        )

    def _fields(self, record: Labelled) -> dict[str, Any]:
        fields: dict[str, Any] = dict(record.features or {})
        for side, field in self._given.items():
            score: Score = getattr(record, side)
            of_all = isinstance(score, list) and len(score) == len(self._many)
            fields[field] = dict(zip(self._many, score, strict=True)) if of_all else score  # type: ignore[arg-type] # tested
        return fields

    def _leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def _first_answer(record: Labelled) -> Prediction:
    """What was published of a record's event, for when the event comes again."""
    serving: Serving = "blend"
    if record.served == record.baseline:
        serving = "baseline"
    elif record.served == record.online:
        serving = "online"
    return Prediction(
        record.event_id,
        record.time,
        record.served_label,
        record.served,
        serving,
        record.online,
        record.baseline,
        record.online_version,
        record.baseline_version,
        shadows=record.shadows,
    )
