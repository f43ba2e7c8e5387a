"""What inputs come to before any model has scored: the clock moves, labels meet events, entities are counted.

Nothing of it depends on what models say. So a whole batch goes through before the first of its events is scored: each
event finds the clock, the waiting room and the entities as its place among the inputs left them, however inputs are
batched, and the baseline still scores the batch in one call. What is left to do comes as steps, in the inputs' order.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from stream.config import Stream
from stream.derived import Derived
from stream.entry import IMPLIED, UNSCORED, Entry
from stream.errors import RecordError
from stream.features import FeatureExtractor, Row
from stream.labels import LabelJoin
from stream.models import Models
from stream.records import Alarm, DeadLetter, Event, Input, Label, Lost, Score, Skip, Swap, Tick, Undecodable
from stream.sample import Sample
from stream.skips import Skips
from stream.totals import InputCounts

NEVER = float("-inf")
"""The clock before the first time that is believed."""


class Arrival(Struct, gc=False):
    """An event to be scored: its entry, its row and the scores that it brings along, of online model and baseline.

    ``clock``: the task's when it came; ``joined``: how many labels had met their events by then.
    """

    entry: Entry
    event: Event
    row: Row
    given: tuple[Score, Score]
    clock: float
    joined: int


class Again(Struct, gc=False):
    """An event that has been here before: it gets its first answer again."""

    entry: Entry


class Learn(Struct, gc=False):
    """A first label has met its event."""

    entry: Entry


class Leave(Struct, gc=False):
    """An event whose label is final; ``last`` is its last label by then, or -1. ``late``, ``sampled``: as published."""

    entry: Entry
    last: int
    last_time: float
    late: bool = False
    sampled: bool = True


class Correct(Struct, gc=False):
    """A label that contradicts what was said of an event that has left."""

    entry: Entry
    last: int
    last_time: float


class Bury(Struct, gc=False):
    """A record that cannot be used; ``clock`` and ``joined`` as in Arrival."""

    letter: DeadLetter
    clock: float
    joined: int


Step = Arrival | Again | Learn | Leave | Correct | Bury | Alarm | Swap


class Arrivals:
    """The clock, the waiting room and the counts of one task; ``logged``: what comes are rows of the training log."""

    def __init__(self, name: str, stream: Stream, extractor: FeatureExtractor, *, logged: bool) -> None:
        self._name = name
        self._stream = stream
        classes = {name: index for index, name in enumerate(stream.classes)}
        self._labels = classes | {written: classes[meant] for written, meant in stream.labels.values.items()}
        self._extractor = extractor
        self._logged = logged
        implied = stream.labels.absent_means
        self.join = LabelJoin(stream.labels, stream.recent_ids, -1 if implied is None else classes[implied])
        self._sample = Sample(stream)
        self.inputs = InputCounts()
        self.skips = Skips()
        self.clock = NEVER

    def take(self, batch: Sequence[Input], models: Models) -> list[Step]:
        """Take inputs in order; what is to be done of them. ``models`` derive columns, and say which scores are given.

        Raises ValueError for a swap that is no batch of its own: the events beside it are scored in one call.
        """
        self.skips.fed(len(batch))
        steps: list[Step] = []
        for record in batch:
            kind = type(record)
            if kind is Event:
                self._event(record, models, steps)  # type: ignore[arg-type] # its type was just tested
            elif kind is Label:
                self._label(record, models, steps)  # type: ignore[arg-type] # as above
            elif kind is Tick:
                self._advance(record.time, models, steps)  # type: ignore[union-attr] # as above
            elif kind is Lost:
                self._lost(record, steps)  # type: ignore[arg-type] # as above
            elif kind is Undecodable or kind is Skip:
                self._unusable(record, steps)  # type: ignore[arg-type] # as above
            elif kind is Swap:
                if len(batch) > 1:
                    raise ValueError("a swap is a batch of its own: the events beside it are scored in one call")
                self.inputs.swaps += 1
                steps.append(record)  # type: ignore[arg-type] # as above
            else:
                raise TypeError(f"a scorer takes no {kind.__name__}: it is a monitor's")
        return steps

    def _event(self, event: Event, models: Models, steps: list[Step]) -> None:
        event_id, join, time = event.event_id, self.join, event.time
        if event.ahead:
            self.inputs.ahead += 1
            time = self.clock
        elif time > self.clock:
            self._advance(time, models, steps)
        try:
            row = self._extractor.row(event.fields)
            given = models.given(event.fields)
        except RecordError as error:
            self.inputs.events_dead += 1
            raw = msgspec.json.encode(event.fields) if event.raw is None else event.raw
            self._bury(DeadLetter("events", error.field, str(error), event.offset, raw), steps)
            return
        known = join.known(event_id)
        if known is not None:
            self.inputs.repeated += 1
            steps.append(Again(known))
            return
        self.inputs.predicted += 1
        if models.derived:
            self._derive(models.derived, row, time)
        # A label that is implied has no probability of its own.
        fair = self._sample.takes(event_id)
        entry = Entry(UNSCORED, event.offset, self.clock, self._extractor.logged(row), fair=fair)
        steps.append(Arrival(entry, event, row, given, self.clock, join.counts.joined))
        steps += [Leave(one, one.last, one.last_time, sampled=False) for one in join.admit(event_id, entry)]
        if join.early:
            early = join.take_early(event_id)
            if early is not None:
                entry.last, entry.last_time = early.last, early.last_time
                self._meet(event_id, early.label, early.time, models, steps, fair=early.fair)

    def _derive(self, derived: Derived, row: Row, time: float) -> None:
        if self._logged:
            if time > NEVER:
                derived.count(row, time)
        elif time > NEVER:
            derived.add(row, time)
        else:
            derived.skip(row)  # nothing has told what time it is

    def _label(self, label: Label, models: Models, steps: list[Step]) -> None:
        self.inputs.labels += 1
        if label.ahead:
            self.inputs.ahead += 1
        elif label.time > self.clock:
            self._advance(label.time, models, steps)
        index = self._labels.get(label.label)
        if index is None:
            self.inputs.labels_dead += 1
            allowed = ", ".join(list(self._labels)[:20])
            reason = f"label {label.label[:80]!r} is none of {allowed}"
            raw = msgspec.json.encode(label) if label.raw is None else label.raw
            self._bury(DeadLetter("labels", self._stream.fields.label, reason, label.offset, raw), steps)
            return
        fair = self._sample.takes(label.event_id, label.probability)
        self._meet(label.event_id, index, label.time, models, steps, fair=fair)

    def _meet(self, event_id: str, label: int, time: float, models: Models, steps: list[Step], *, fair: bool) -> None:
        fate, entry, final = self.join.join(event_id, label, time, self.clock, fair=fair)
        if entry is None:
            return
        if fate == "conflicting":
            steps.append(Correct(entry, entry.last, entry.last_time))
            return
        # In the log labels are in the order of their maturity, not in that of their times.
        self._learn(entry, min(time, self.clock) if self._logged else self.clock, models, steps)
        if final:
            late, sampled = self._stream.labels.maturity > 0, self.join.undisturbed(entry)
            steps.append(Leave(entry, entry.last, entry.last_time, late, sampled))

    def _learn(self, entry: Entry, came: float, models: Models, steps: list[Step]) -> None:
        if models.derived and entry.row is not None and came > NEVER:
            models.derived.label(entry.row, came, positive=entry.label == 1)
        steps.append(Learn(entry))

    def _advance(self, time: float, models: Models, steps: list[Step]) -> None:
        join = self.join
        if self.clock == NEVER:
            join.begin(time)
        self.clock = max(time, self.clock)
        if join.young or join.overdue or join.early:
            for entry in join.advance(self.clock):
                if entry.state == IMPLIED:
                    self._learn(entry, entry.label_time, models, steps)
                steps.append(Leave(entry, entry.last, entry.last_time))
        models.derived.advance(self.clock)

    def _unusable(self, record: Undecodable | Skip, steps: list[Step]) -> None:
        field = ""
        if isinstance(record, Undecodable):
            field = record.field
        else:
            self.inputs.skipped += 1
            self.skips.skipped()
        if record.source == "events":
            self.inputs.events_dead += 1
        elif record.source == "labels":
            self.inputs.labels += 1
            self.inputs.labels_dead += 1
        else:
            return  # a tick is no record: nothing of it is to be kept
        self._bury(DeadLetter(record.source, field, record.reason, record.offset, record.raw), steps)

    def _lost(self, lost: Lost, steps: list[Step]) -> None:
        self.inputs.lost += lost.records
        steps.append(lost.alarm(self._name, 0.0 if self.clock == NEVER else self.clock, "data_quality"))

    def _bury(self, letter: DeadLetter, steps: list[Step]) -> None:
        steps.append(Bury(letter, self.clock, self.join.counts.joined))
