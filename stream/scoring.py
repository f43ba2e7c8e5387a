"""The scoring task: tests both models on every event, waits for its label, and lets the online model learn.

Deterministic and without I/O: the same inputs in the same batches give the same outputs, bit for bit, and the
same state. The online model goes strictly event by event, so that its scores do not depend on the batches at all;
the baseline scores a batch in one call, and its scores may differ in the last bits between batchings.
"""

import pickle
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from stream.answers import Answers
from stream.calling import ONLINE, SERVED, Calling
from stream.config import Serving, Stream, dump, undump
from stream.digest import digest
from stream.drift.requests import Requests
from stream.entry import IMPLIED, Entry
from stream.errors import RecordError, StateError
from stream.features import FeatureExtractor, Row
from stream.fitness import MadeFor, unlike
from stream.labels import LabelJoin
from stream.late import Lates
from stream.models import Derive, Models, Ready
from stream.parts import parts
from stream.prequential import Scored
from stream.profile import Profile
from stream.profiling import Profiling
from stream.records import (
    DeadLetter,
    Event,
    Input,
    Label,
    Labelled,
    Lost,
    Outputs,
    Prediction,
    References,
    Score,
    Shadow,
    Skip,
    Swap,
    Tick,
    Undecodable,
)
from stream.serving import Blend
from stream.snapshot import Snapshot
from stream.tally import Tally
from stream.totals import InputCounts, ScoringTotals

SCHEMA = 8

SAID_EVERY = 1_000
"""Events after which the models' references are said again: a monitor may have begun meanwhile."""

MADE_FOR = "made-for"
"""The segment that says what the state is made for."""

NEVER = float("-inf")
"""The clock before the first time that is believed."""


Said = tuple[Score, int, int, int, dict[str, Shadow]]
"""The served score; the indices of the classes that it, online model and baseline call; what shadows say and call."""


class ScoringTask:
    """Feed it decoded inputs in order, publish what it answers, and keep its snapshots.

    ``counted`` has the last batch's answers whose losses were counted, for whoever counts further; ``before`` says for
    each of its profiles how many of its labelled records came first.
    """

    def __init__(self, name: str, stream: Stream, models: Models, partition: int = 0, *, logged: bool = False) -> None:
        self.name = name
        self.stream = stream
        self.models = models
        self.classes = {name: index for index, name in enumerate(stream.classes)}
        self._labels = {**self.classes, **{k: self.classes[v] for k, v in stream.labels.values.items()}}
        self._logged = logged
        self._extractor = FeatureExtractor(stream.features, logged=logged)
        self._answers = Answers(stream, partition)
        labels = stream.labels
        self._requests = Requests(labels.request_share, disagreements=labels.request_disagreements, seed=stream.seed)
        self._asks = labels.request_disagreements
        self.calling = Calling(stream) if stream.kind == "anomaly" else None
        implied = stream.labels.absent_means
        self.join = LabelJoin(stream.labels, stream.recent_ids, -1 if implied is None else self.classes[implied])
        self.blend = Blend(stream.blend_share)
        self.inputs = InputCounts()
        self.clock = NEVER
        self.tally = Tally()
        self.lates = Lates()
        self.counted: dict[str, Scored] = {}
        self.before: list[int] = []
        self.profiling = Profiling(stream, partition)
        self.say_at = 0
        self.in_use_since = 0.0

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order and answer what is to be published.

        Raises ModelError and whatever a model of the user's raises; the task's state is then undefined, and the
        worker restores it.
        """
        out = Outputs([], [], [], [])
        self.before = []
        self.tally.skips.fed(len(batch))
        derived = self.models.derived
        if derived:
            for part, clock, times in parts(batch, self.clock, derived):
                if clock > self.clock:
                    self._advance(clock, out)
                derived.advance(clock)
                self._feed(part, len(batch), self._derive(part, times), out)
        else:
            self._feed(batch, len(batch), None, out)
        # What stays in the room is put to rest: earlier batches' events are already.
        for entry in self.join.newest(len(out.predictions)):
            entry.pack()
        self.lates.forget(self.join)
        self.counted = self.tally.labelled(out.labelled, self.classes, self.stream.kind)
        return out

    def _derive(self, batch: Sequence[Input], times: Sequence[float]) -> Derive:
        """What puts derived columns into the rows of a batch's events, which go by these times."""
        events = [record.event_id for record in batch if type(record) is Event]
        derived = self.models.derived
        seen: set[str] = set()

        def derive(index: int, row: Row) -> None:
            event_id = events[index]
            if event_id in seen or self.join.known(event_id) is not None:
                derived.skip(row)
            elif self._logged:
                derived.count(row, times[index])
            else:
                derived.add(row, times[index])
            seen.add(event_id)

        return derive

    def _feed(self, batch: Sequence[Input], inputs: int, derive: Derive | None, out: Outputs) -> None:
        """Take a part of a batch of so many inputs."""
        events = [record for record in batch if type(record) is Event]
        ready = self.models.ready(self._extractor, events, derive)
        for record in batch:
            kind = type(record)
            if kind is Event:
                self._on_event(record, next(ready), out)  # type: ignore[arg-type] # its type was just tested
            elif kind is Label:
                self._on_label(record, out)  # type: ignore[arg-type] # as above
            elif kind is Tick:
                self._advance(record.time, out)  # type: ignore[union-attr] # as above
            elif kind is Lost:
                self._on_lost(record, out)  # type: ignore[arg-type] # as above
            elif kind is Undecodable or kind is Skip:
                self._on_unusable(record, out)  # type: ignore[arg-type] # as above
            elif kind is Swap:
                self._on_swap(record, inputs, out)  # type: ignore[arg-type] # as above
            else:
                raise TypeError(f"a scorer takes no {kind.__name__}: it is a monitor's")

    def _watch(self, entry: Entry, row: Row, out: Outputs) -> None:
        """Note what a first answer was by, for the monitor."""
        if self.inputs.predicted >= self.say_at:
            self._say_references(out)
        online, baseline = entry.prediction.online, entry.prediction.baseline
        if baseline is None:
            return
        if self.profiling.add(entry.position, row, online, baseline, (entry.ours, entry.theirs)):
            self._say_profile(out)

    def _lost(self, field: str, out: Outputs) -> None:
        """Note an event that could not be read, for the monitor."""
        if self.profiling.lost(field):
            self._say_profile(out)

    def _say_references(self, out: Outputs) -> None:
        models = self.models
        known = References(models.baseline_version, models.expected, models.online_risk, self.in_use_since)
        self._tell(known, out)
        self.say_at = self.inputs.predicted + SAID_EVERY

    def _say_profile(self, out: Outputs) -> None:
        made = self.profiling.profile(self.models, max(self.clock, 0.0), self.join.counts.joined)
        if made is not None:
            self._tell(made, out)

    def _tell(self, record: References | Profile, out: Outputs) -> None:
        self.before.append(len(out.labelled))
        out.profiles.append(record)

    def differs(self, swap: Swap) -> bool:
        """Whether a swap would change anything."""
        return self.models.differs(swap)

    def _on_swap(self, swap: Swap, inputs: int, out: Outputs) -> None:
        """Take other baselines into use, if they can score what waits. What those before have scored stays theirs."""
        if inputs > 1:
            raise ValueError("a swap is a batch of its own: the events beside it have been scored already")
        before = self.models.baseline_version
        self._say_profile(out)
        self.models.swap(swap, self.stream.kind)
        if self.calling is not None:
            self.calling.keep([self.models.baseline_version or "", *self.models.shadows])
        self.inputs.swaps += 1
        if self.models.baseline_version != before:
            self.in_use_since = max(self.clock, 0.0)
            self.models.attempt(self._extractor, [e.row for e in islice(self.join.in_room(), 8) if e.row is not None])
        self.lates.keep([self.models.baseline_version or "", *self.models.shadows])
        for chosen in swap.shadows:
            name, shadow = f"late-{self.inputs.swaps}-{chosen.version}", self.models.shadows[chosen.version]
            self.lates.score(name, chosen, shadow, self.join.in_room(), self._extractor, self._answers)
        self._say_references(out)

    def _on_event(self, event: Event, ready: Ready | RecordError, out: Outputs) -> None:  # noqa: C901 - hot: one piece
        event_id, join, models = event.event_id, self.join, self.models
        if event.ahead:
            self.inputs.ahead += 1
        elif event.time > self.clock:
            self._advance(event.time, out)
        if isinstance(ready, RecordError):
            self.inputs.events_dead += 1
            raw = msgspec.json.encode(event.fields) if event.raw is None else event.raw
            self._bury(DeadLetter("events", ready.field, str(ready), event.offset, raw), out)
            self._lost(ready.field, out)
            return
        known = join.known(event_id)
        if known is not None:
            self.inputs.repeated += 1
            out.predictions.append(replace(known.prediction, repeated=True))
            return
        row, x, online, baseline, shadows = ready
        if online is None:
            online = models.online.score(x)
        # Where there is no baseline's score, the online model serves.
        serving: Serving = "online" if baseline is None else self.stream.serving
        answer = self._alert if self.calling is not None else self._answer
        served, called, ours, theirs, named = answer(online, baseline, serving, shadows)
        prediction = Prediction(
            event_id,
            event.time,
            self.stream.classes[called],
            served,
            serving,
            online,
            baseline,
            models.online_version,
            models.baseline_version,
            shadows=named,
            label_wanted=self._requests.wanted(event_id, disagree=self._asks and theirs >= 0 and ours != theirs) or "",
        )
        out.predictions.append(prediction)
        entry = Entry(prediction, event.offset, self.clock, row, x, ours=ours, theirs=theirs)
        self._watch(entry, row, out)
        self.inputs.predicted += 1
        if models.online.at_once:
            models.online.learn(x, None)
        if not models.online.from_labels:
            entry.x = None
        for leaving in join.admit(entry):
            self._leave(leaving, out, sampled=False)
        if join.early:
            early = join.take_early(event_id)
            if early is not None:
                entry.last, entry.last_time = early.last, early.last_time
                self._meet(event_id, early.label, early.time, out)

    def _answer(self, online: Any, baseline: Any, serving: Serving, shadows: Mapping[str, Any]) -> Said:
        answers, (of_online, of_baseline) = self._answers, self.models.thresholds
        ours = answers.called(online, of_online)
        theirs = -1 if baseline is None else answers.called(baseline, of_baseline)
        named = answers.shadows(shadows, self.models.shadows) if shadows else {}
        if serving == "online":
            return online, ours, ours, theirs, named
        if serving == "baseline":
            return baseline, theirs, ours, theirs, named
        served = self.blend.score(online, baseline)
        return served, answers.called(served, 0.5), ours, theirs, named

    def _alert(self, online: Any, baseline: Any, serving: Serving, shadows: Mapping[str, Any]) -> Said:
        """The same within an alert budget."""
        calling, models, names = self.calling, self.models, self.stream.classes
        assert calling is not None  # noqa: S101 - the caller's condition
        calling.begin(max(self.clock, 0.0))
        of_online, of_baseline = models.thresholds
        version, theirs, served = models.baseline_version or "", -1, online
        if serving == "blend":
            served = calling.blend.score(
                (calling.tail(ONLINE, online, of_online), calling.tail(version, baseline, of_baseline))
            )
        ours = int(calling.call(ONLINE, online, of_online))
        called = ours
        if baseline is not None:
            theirs = int(calling.call(version, baseline, of_baseline))
        if serving == "baseline":
            served, called = baseline, theirs
        elif serving == "blend":
            called = int(calling.call(SERVED, served, calling.blend.score((calling.share, calling.share))))
        named = {
            of: Shadow(score, names[calling.call(of, score, models.shadows[of].threshold)])
            for of, score in shadows.items()
        }
        return served, called, ours, theirs, named

    def _on_label(self, label: Label, out: Outputs) -> None:
        self.inputs.labels += 1
        if label.ahead:
            self.inputs.ahead += 1
        elif label.time > self.clock:
            self._advance(label.time, out)
        index = self._labels.get(label.label)
        if index is None:
            self.inputs.labels_dead += 1
            allowed = ", ".join(list(self._labels)[:20])
            reason = f"label {label.label[:80]!r} is none of {allowed}"
            raw = msgspec.json.encode(label) if label.raw is None else label.raw
            self._bury(DeadLetter("labels", self.stream.fields.label, reason, label.offset, raw), out)
            return
        self._meet(label.event_id, index, label.time, out)

    def _meet(self, event_id: str, label: int, time: float, out: Outputs) -> None:
        fate, entry, final = self.join.join(event_id, label, time, self.clock)
        if entry is None:
            return
        if fate == "conflicting":
            out.labelled.append(self._correction(entry))
            return
        self._learn(entry)
        if final:
            self._leave(entry, out, late=self.stream.labels.maturity > 0, sampled=self.join.undisturbed(entry))

    def _leave(self, entry: Entry, out: Outputs, *, late: bool = False, sampled: bool = True) -> None:
        """Publish an entry's labelled record, and behind it the last label where that is another."""
        out.labelled.append(self._answers.record(entry, self.lates.shadows(entry), late=late, sampled=sampled))
        if entry.last >= 0 and entry.last != entry.label:
            out.labelled.append(self._correction(entry))
        entry.row = None

    def _correction(self, entry: Entry) -> Labelled:
        return self._answers.correction(entry, self.lates.shadows(entry))

    def _learn(self, entry: Entry) -> None:
        prediction, online = entry.prediction, self.models.online
        x = entry.unpacked() if online.from_labels else {}
        ours = prediction.baseline is not None and prediction.baseline_version == self.models.baseline_version
        if self.stream.serving == "blend" and ours:
            if self.calling is None:
                self.blend.update(prediction.online, prediction.baseline, entry.label)
            elif entry.label == 1:
                self._weigh(prediction, online.score(x) if online.from_labels else prediction.online)
        if online.from_labels:
            online.learn(x, entry.label)
        if self.models.derived and entry.row is not None:
            came = entry.label_time if entry.state == IMPLIED else self.clock
            self.models.derived.label(entry.row, came, positive=entry.label == 1)
        entry.x = entry.packed = None

    def _weigh(self, prediction: Prediction, online: Any) -> None:
        """Have the blend follow a positive, by what the online model says of it now: it may have learned to find it."""
        of_online, of_baseline = self.models.thresholds
        calling, version = self.calling, self.models.baseline_version or ""
        assert calling is not None  # noqa: S101 - the caller's condition
        theirs: Any = prediction.baseline
        calling.blend.update((calling.tail(ONLINE, online, of_online), calling.tail(version, theirs, of_baseline)))

    def _advance(self, time: float, out: Outputs) -> None:
        join = self.join
        if self.clock == NEVER:
            join.begin(time)
        self.clock = max(time, self.clock)
        if not (join.young or join.overdue or join.early):
            return
        for entry in join.advance(self.clock):
            if entry.state == IMPLIED:
                self._learn(entry)
            self._leave(entry, out)
            entry.drop()

    def _on_unusable(self, record: Undecodable | Skip, out: Outputs) -> None:
        field = ""
        if isinstance(record, Undecodable):
            field = record.field
        else:
            self.inputs.skipped += 1
            self.tally.skips.skipped()
        if record.source == "events":
            self.inputs.events_dead += 1
            self._lost(field, out)
        elif record.source == "labels":
            self.inputs.labels += 1
            self.inputs.labels_dead += 1
        else:
            return  # a tick is no record: nothing of it is to be kept
        self._bury(DeadLetter(record.source, field, record.reason, record.offset, record.raw), out)

    def _on_lost(self, lost: Lost, out: Outputs) -> None:
        self.inputs.lost += lost.records
        out.alarms.append(lost.alarm(self.name, 0.0 if self.clock == NEVER else self.clock, "data_quality"))

    def _bury(self, letter: DeadLetter, out: Outputs) -> None:
        out.dead_letters.append(letter)
        self.tally.buried(letter.reason)

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
        return self.tally.skips.recent()

    def totals(self) -> ScoringTotals:
        """An immutable copy of all counts, for publishing at a commit."""
        oldest = self.join.oldest()
        losses, versions = self.tally.shown(self.models.baseline_version)
        return ScoringTotals(
            inputs=replace(self.inputs),
            labels=replace(self.join.counts),
            waiting=self.join.waiting,
            held=self.join.held(),
            early=len(self.join.early),
            oldest_age=0.0 if oldest is None or self.clock == NEVER else self.clock - oldest,
            clock=self.clock,
            losses=losses,
            delays=self.tally.delays.tolist(),
            delay_sum=self.tally.delay_sum,
            online_version=self.models.online_version,
            baseline_version=self.models.baseline_version,
            shadow_versions=list(self.models.shadows),
            versions=versions,
            blend_weight=self._weight if self.stream.serving == "blend" else None,
            reasons=dict(self.tally.reasons),
            entities={
                by: (remembered, counts.evicted, counts.forgotten)
                for by, (remembered, counts) in self.models.derived.counts().items()
            },
        )

    @property
    def _weight(self) -> float:
        """The baseline's in the blend."""
        return self.blend.weight if self.calling is None else self.calling.blend.weights[1]

    def snapshot(self) -> Snapshot:
        """The whole state; the waiting room's entries and the baseline's file are in segments. Taken between batches.

        The body holds a pickle: whoever stores it must authenticate it before it is given back.
        """
        join = self.join.snapshot()
        body = pickle.dumps(self._state() | {"join": join.body}, protocol=5)
        made_for = partial(dump, MadeFor.of(self.stream))
        return Snapshot(body, {MADE_FOR: made_for, **self.models.segments(), **join.segments, **self.lates.segments()})

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot, with the baseline out of it where another one is loaded.

        Raises StateError where it is of another schema, was made for other settings, or lacks a segment.
        """
        state = pickle.loads(body)  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py
        if state["schema"] != SCHEMA:
            raise StateError(f"the state has schema {state['schema']}, this version reads {SCHEMA}")
        if MADE_FOR not in segments:
            raise StateError(f"the snapshot names a segment that is not there: {MADE_FOR}")
        made = undump(segments[MADE_FOR], MadeFor)
        other = unlike(made, self.stream)
        if other:
            raise StateError(f"the state was made under other settings: {other}")
        self.models.restore(state, self.stream, segments)
        self.lates.restore(state["lates"], segments)
        self.join.restore(state["join"], segments)
        self.models.online, self.models.online_version = state["online"], state["online_version"]
        self.blend.weight, self.calling = state["blend"], state["calling"]
        self.inputs = InputCounts(*state["inputs"])
        if self.calling is not None:
            self.calling.adopt(self.stream)
        self.clock, self.tally, self.say_at = state["clock"], state["tally"], state["say_at"]
        self.profiling.restore(state["profiling"])
        self.in_use_since = state["in_use_since"]

    def digest(self) -> str:
        """The canonical digest of the state."""
        derived = self.models.derived.contents()
        return digest(self._state() | {"derived": derived, "join": self.join.digest(), "late": self.lates.digest()})

    def _state(self) -> dict[str, Any]:
        """What a snapshot holds beside the waiting room; its parts go on changing with the task."""
        return {
            "schema": SCHEMA,
            **self.models.state(),
            "lates": self.lates.names(),
            "online_version": self.models.online_version,
            "online": self.models.online,
            "blend": self.blend.weight,
            "calling": self.calling,
            "inputs": msgspec.structs.astuple(self.inputs),
            "clock": self.clock,
            "tally": self.tally,
            "say_at": self.say_at,
            "profiling": self.profiling.state(),
            "in_use_since": self.in_use_since,
        }
