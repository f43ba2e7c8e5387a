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
from stream.arrivals import NEVER, Again, Arrival, Arrivals, Bury, Correct, Learn, Leave
from stream.config import Serving, Stream, dump, undump
from stream.decisions import ByBudget, ByThreshold
from stream.digest import digest
from stream.drift.requests import Requests
from stream.entry import Entry
from stream.errors import StateError
from stream.features import FeatureExtractor, ModelInput, Row
from stream.fitness import MadeFor, unlike
from stream.late import Lates
from stream.models import Models
from stream.online import OnlineModel
from stream.prequential import Scored
from stream.profile import Profile
from stream.profiling import Profiling
from stream.records import Alarm, Input, Labelled, Outputs, Prediction, References, Score, Swap
from stream.snapshot import Snapshot
from stream.tally import Tally
from stream.totals import InputCounts, ScoringTotals

SCHEMA = 10

SAID_EVERY = 1_000
"""Events after which the models' references are said again: a monitor may have begun meanwhile."""

MADE_FOR = "made-for"
"""The segment that says what the state is made for."""


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
        self._extractor = FeatureExtractor(stream.features, logged=logged)
        self._answers = Answers(stream, partition)
        labels = stream.labels
        self._requests = Requests(labels.request_share, disagreements=labels.request_disagreements, seed=stream.seed)
        self._asks = labels.request_disagreements
        self.decisions = (ByBudget if stream.kind == "anomaly" else ByThreshold)(stream, self._answers)
        self.decisions.begin(models)
        self.arrivals = Arrivals(name, stream, self._extractor, logged=logged)
        self.tally = Tally()
        self.lates = Lates()
        self.counted: dict[str, Scored] = {}
        self.before: list[int] = []
        self.profiling = Profiling(stream, partition)
        self.unsaid = SAID_EVERY
        self.in_use_since = 0.0

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order and answer what is to be published.

        Raises ModelError and whatever a model of the user's raises; the task's state is then undefined, and the
        worker restores it.
        """
        out = Outputs([], [], [], [])
        self.before = []
        steps = self.arrivals.take(batch, self.models)
        arrived = [step for step in steps if type(step) is Arrival]
        rows = [arrival.row for arrival in arrived]
        scored = zip(self._inputs(rows), *self.models.score(self._extractor, rows), strict=True)
        for step in steps:
            kind = type(step)
            if kind is Arrival:
                self._score(step, *next(scored), out)  # type: ignore[arg-type] # its type was just tested
            elif kind is Learn:
                self._learn(step.entry)  # type: ignore[union-attr] # as above
            elif kind is Leave:
                self._leave(step, out)  # type: ignore[arg-type] # as above
            elif kind is Again:
                out.predictions.append(replace(step.entry.prediction, repeated=True))  # type: ignore[union-attr]
            elif kind is Correct:
                out.labelled.append(self._correction(step))  # type: ignore[arg-type] # as above
            elif kind is Bury:
                self._bury(step, out)  # type: ignore[arg-type] # as above
            elif kind is Alarm:
                out.alarms.append(step)  # type: ignore[arg-type] # as above
            else:
                self._swap(step, out)  # type: ignore[arg-type] # as above
        for arrival in arrived:
            arrival.entry.pack()
        self.lates.forget(self.arrivals.join)
        self.counted = self.tally.labelled(out.labelled, self.classes, self.stream.kind)
        return out

    def _inputs(self, rows: Sequence[Row]) -> Sequence[ModelInput]:
        """What the online model takes of each."""
        return self._extractor.inputs(rows) if isinstance(self.models.online, OnlineModel) else [{}] * len(rows)

    def _watch(self, arrival: Arrival, out: Outputs) -> None:
        """Note what a first answer was by, for the monitor."""
        if self.unsaid >= SAID_EVERY:
            self._say_references(out)
        self.unsaid += 1
        entry = arrival.entry
        online, baseline = entry.prediction.online, entry.prediction.baseline
        if baseline is None:
            return
        row = self._extractor.logged(arrival.row)
        if self.profiling.add(entry.position, row, online, baseline, (entry.ours, entry.theirs)):
            self._say_profile(arrival.clock, arrival.joined, out)

    def _say_references(self, out: Outputs) -> None:
        models = self.models
        known = References(models.baseline_version, models.expected, models.online_risk, self.in_use_since)
        self._tell(known, out)
        self.unsaid = 0

    def _say_profile(self, clock: float, joined: int, out: Outputs) -> None:
        made = self.profiling.profile(self.models, max(clock, 0.0), joined)
        if made is not None:
            self._tell(made, out)

    def _tell(self, record: References | Profile, out: Outputs) -> None:
        self.before.append(len(out.labelled))
        out.profiles.append(record)

    @property
    def clock(self) -> float:
        """The latest time of an input that was believed, in seconds since the epoch; NEVER before the first."""
        return self.arrivals.clock

    def differs(self, swap: Swap) -> bool:
        """Whether a swap would change anything."""
        return self.models.differs(swap)

    def _swap(self, swap: Swap, out: Outputs) -> None:
        """Take other baselines into use, if they can score what waits. What those before have scored stays theirs."""
        before, join = self.models.baseline_version, self.arrivals.join
        self._say_profile(self.clock, join.counts.joined, out)
        self.models.swap(swap, self.stream.kind)
        self.decisions.keep([self.models.baseline_version or "", *self.models.shadows])
        if self.models.baseline_version != before:
            self.in_use_since = max(self.clock, 0.0)
            self.models.score(self._extractor, [e.row for e in islice(join.in_room(), 8) if e.row is not None])
        self.lates.keep([self.models.baseline_version or "", *self.models.shadows])
        for chosen in swap.shadows:
            name, shadow = f"late-{self.arrivals.inputs.swaps}-{chosen.version}", self.models.shadows[chosen.version]
            say = partial(self.decisions.shadow, self.models, chosen.version)
            self.lates.score(name, chosen, shadow, join.in_room(), self._extractor, say)
        self._say_references(out)

    def _score(
        self, arrival: Arrival, x: ModelInput, theirs: Score, shadows: Mapping[str, Score], out: Outputs
    ) -> None:
        """Answer an event. ``x`` is the online model's input, ``theirs`` the baseline's score where it is here."""
        models, event, entry = self.models, arrival.event, arrival.entry
        given_online, given_baseline = arrival.given
        online = models.online.score(x) if given_online is None else given_online
        baseline = theirs if given_baseline is None else given_baseline
        # Where there is no baseline's score, the online model serves.
        serving: Serving = "online" if baseline is None else self.stream.serving
        served, called, entry.ours, entry.theirs, named = self.decisions.decide(
            models, serving, arrival.clock, (online, baseline), shadows
        )
        differ = self._asks and entry.theirs >= 0 and entry.ours != entry.theirs
        entry.prediction = Prediction(
            event.event_id,
            event.time,
            self.stream.classes[called],
            served,
            serving,
            online,
            baseline,
            models.online_version,
            models.baseline_version,
            shadows=named,
            label_wanted=self._requests.wanted(event.event_id, disagree=differ) or "",
        )
        out.predictions.append(entry.prediction)
        self._watch(arrival, out)
        if models.online.at_once:
            models.online.learn(x, None)
        if models.online.from_labels and not entry.gone:
            entry.x = x

    def _leave(self, leaving: Leave, out: Outputs) -> None:
        """Publish an entry's labelled record, and behind it the last label where that is another."""
        entry = leaving.entry
        shadows, sampled = self.lates.shadows(entry), leaving.sampled and entry.fair
        out.labelled.append(self._answers.record(entry, shadows, late=leaving.late, sampled=sampled))
        if leaving.last >= 0 and leaving.last != entry.label:
            out.labelled.append(self._correction(Correct(entry, leaving.last, leaving.last_time)))
        entry.row = None

    def _correction(self, correct: Correct) -> Labelled:
        entry = correct.entry
        return self._answers.correction(entry, correct.last, correct.last_time, self.lates.shadows(entry))

    def _learn(self, entry: Entry) -> None:
        prediction, online = entry.prediction, self.models.online
        x = entry.unpacked() if online.from_labels else {}
        ours = prediction.baseline is not None and prediction.baseline_version == self.models.baseline_version
        if self.stream.serving == "blend" and ours:
            self.decisions.learn(self.models, prediction, x, entry.label)
        if online.from_labels:
            online.learn(x, entry.label)
        entry.x = entry.packed = None

    def _bury(self, bury: Bury, out: Outputs) -> None:
        letter = bury.letter
        out.dead_letters.append(letter)
        self.tally.buried(letter.reason)
        if letter.source == "events" and self.profiling.lost(letter.field):
            self._say_profile(bury.clock, bury.joined, out)

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
        return self.arrivals.skips.recent()

    def totals(self) -> ScoringTotals:
        """An immutable copy of all counts, for publishing at a commit."""
        join, clock = self.arrivals.join, self.clock
        oldest = join.oldest()
        losses, versions = self.tally.shown(self.models.baseline_version)
        return ScoringTotals(
            inputs=replace(self.arrivals.inputs),
            labels=replace(join.counts),
            waiting=join.waiting,
            held=join.held(),
            early=len(join.early),
            oldest_age=0.0 if oldest is None or clock == NEVER else clock - oldest,
            clock=clock,
            losses=losses,
            delays=self.tally.delays.tolist(),
            delay_sum=self.tally.delay_sum,
            online_version=self.models.online_version,
            baseline_version=self.models.baseline_version,
            shadow_versions=list(self.models.shadows),
            versions=versions,
            blend_weight=self.decisions.weight if self.stream.serving == "blend" else None,
            reasons=dict(self.tally.reasons),
            entities={
                by: (remembered, counts.evicted, counts.forgotten)
                for by, (remembered, counts) in self.models.derived.counts().items()
            },
        )

    def snapshot(self) -> Snapshot:
        """The whole state; the waiting room's entries and the baseline's file are in segments. Taken between batches.

        The body holds a pickle: whoever stores it must authenticate it before it is given back.
        """
        join = self.arrivals.join.snapshot()
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
        self.arrivals.join.restore(state["join"], segments)
        self.models.online, self.models.online_version = state["online"], state["online_version"]
        if isinstance(self.models.online, OnlineModel):
            self.models.online.adopt(self.stream)
        self.decisions.restore(state["decisions"])
        self.arrivals.inputs, self.arrivals.clock = InputCounts(*state["inputs"]), state["clock"]
        self.arrivals.skips = state["skips"]
        self.tally, self.unsaid = state["tally"], state["unsaid"]
        self.profiling.restore(state["profiling"])
        self.in_use_since = state["in_use_since"]

    def digest(self) -> str:
        """The canonical digest of the state."""
        derived = self.models.derived.contents()
        return digest(
            self._state() | {"derived": derived, "join": self.arrivals.join.digest(), "late": self.lates.digest()}
        )

    def _state(self) -> dict[str, Any]:
        """What a snapshot holds beside the waiting room; its parts go on changing with the task."""
        return {
            "schema": SCHEMA,
            **self.models.state(),
            "lates": self.lates.names(),
            "online_version": self.models.online_version,
            "online": self.models.online,
            "decisions": self.decisions.state(),
            "inputs": msgspec.structs.astuple(self.arrivals.inputs),
            "clock": self.clock,
            "skips": self.arrivals.skips,
            "tally": self.tally,
            "unsaid": self.unsaid,
            "profiling": self.profiling.state(),
            "in_use_since": self.in_use_since,
        }
