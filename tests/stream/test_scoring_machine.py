"""The scoring task under everything that can happen to it, in any order."""

from collections import Counter, deque
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from river import base, linear_model, optim

from stream import segments
from stream.baseline import Baseline
from stream.config import Stream
from stream.derived import Derived
from stream.entry import JOINED
from stream.models import Models
from stream.online import OnlineModel
from stream.records import Event, Input, Label, Labelled, Lost, Outputs, Prediction, Skip, Tick, Undecodable
from stream.sample import Sample
from stream.scoring import ScoringTask
from tests.stream.shelf import Shelf
from tests.stream.strategies import PROBABILITIES, Move, moves, streams

FAR = 4e12


class Spy(base.Estimator):
    """Logistic regression that keeps, in its state, the order in which it met each event's unique number."""

    def __init__(self) -> None:
        self.model = linear_model.LogisticRegression(optim.SGD(0.3))
        self.met: list[tuple[str, float, Any]] = []

    def predict_proba_one(self, x: dict[str, float]) -> dict[bool, float]:
        self.met.append(("tested", x["uid"], None))
        return self.model.predict_proba_one({"size": x["size"]})

    def learn_one(self, x: dict[str, float], y: Any = None) -> None:
        self.met.append(("learned", x["uid"], y))
        self.model.learn_one({"size": x["size"]}, bool(y))

    def score_one(self, x: dict[str, float]) -> float:
        return self.predict_proba_one(x)[True]


class Frozen:
    """A baseline that needs no fitting."""

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        p = 1.0 / (1.0 + np.exp(-frame["size"].to_numpy()))
        return np.column_stack([1.0 - p, p])

    def score_samples(self, frame: pd.DataFrame) -> np.ndarray:
        return -self.predict_proba(frame)[:, 1]


def fresh(stream: Stream) -> ScoringTask:
    online = OnlineModel(Spy(), stream.kind, 2)
    baseline, derived = Baseline(Frozen(), stream.kind, "frozen"), Derived(stream.features)
    return ScoringTask("s", stream, Models(online, "spy", baseline, (0.5, 0.5), derived=derived))


def as_bytes(outputs: Outputs) -> bytes:
    return msgspec.msgpack.encode(outputs)


def online_part(outputs: list[Outputs]) -> list[tuple[Any, ...]]:
    """What may not depend on the batches: everything but the baseline's part."""
    predictions = [(p.event_id, p.online, p.repeated) for out in outputs for p in out.predictions]
    labelled = [
        (r.event_id, r.label, r.label_time, r.online, r.online_label, r.implied, r.late, r.sampled, r.correction)
        for out in outputs
        for r in out.labelled
    ]
    return [*predictions, *labelled, *[letter for out in outputs for letter in out.dead_letters]]


class ScoringMachine(RuleBasedStateMachine):
    """``task`` is restored now and then; ``steady`` never; ``single`` is fed one input at a time.

    Restores are from segments as they were first asked for, which close after ``segment`` events.
    """

    @initialize(stream=streams(), segment=st.sampled_from([1, 3, 10, 1_000]))
    def begin(self, stream: Stream, segment: int) -> None:
        self.stream = stream
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(segments, "SEGMENT", segment)
        self.shelf = Shelf()
        self.task, self.steady, self.single = fresh(stream), fresh(stream), fresh(stream)
        self.since: list[tuple[list[Input], bytes]] = []
        self.clock, self.latest = 1_000.0, float("-inf")
        self.offset = self.made = self.uid = 0
        self.recent: deque[str] = deque(maxlen=stream.recent_ids)
        self.first: dict[str, Prediction] = {}
        self.truth: dict[str, str] = {}
        self.labels: dict[str, set[str]] = {}
        self.stated: dict[str, set[float]] = {}
        self.uids: dict[int, float] = {}
        self.labelled: list[Labelled] = []

    # -------------------------------------------------------------------- what happens

    @rule(batch=moves())
    def happens(self, batch: list[Move]) -> None:
        inputs: list[Input] = []
        near: list[str | None] = []
        for move in batch:
            self.clock += move.later
            record, repeated = self.record(move)
            inputs.append(record)
            if isinstance(record, Event) and record.fields["size"] != "x":
                near.append(record.event_id if repeated else None)
        self.feed(inputs, near)

    def record(self, move: Move) -> tuple[Input, bool]:  # noqa: PLR0911 - one return a kind of input
        self.offset += 1
        if move.what in ("event", "bad", "ahead"):
            return self.event(
                f"e{self.made + 1}", ahead=move.what == "ahead", size="x" if move.what == "bad" else None
            ), False
        if move.what == "repeat" and self.recent:
            return self.event(self.recent[-1 - max(0, move.back) % len(self.recent)]), True
        if move.what in ("label", "ahead_label"):
            return self.label(f"e{max(1, self.made - move.back)}", move), False
        if move.what == "undecodable":
            return Undecodable("labels" if move.back % 2 else "events", "is no JSON", "", self.offset, b"\xff"), False
        if move.what == "lost":
            return Lost("labels" if move.back % 2 else "events", self.offset, self.offset + 2), False
        if move.what == "skip":
            return Skip("labels" if move.back % 2 else "events", "broke the code", self.offset, b"?"), False
        return Tick(self.clock - (30.0 if move.back == 0 else 0.0)), False

    def event(self, event_id: str, *, ahead: bool = False, size: Any = None) -> Event:
        self.uid += 1
        time = FAR if ahead else self.clock
        number = int(event_id[1:])
        value = float((self.uid * 7 + number) % 5 - 2) if size is None else size
        if size is None:
            self.made = max(self.made, number)
            if event_id not in self.recent:
                self.recent.append(event_id)
            self.uids[self.offset] = float(self.uid)
        self.truth.setdefault(event_id, "spam" if number % 3 == 0 else "ham")
        return Event(
            event_id, time, {"uid": float(self.uid), "size": value, "card": f"c{number % 4}"}, self.offset, ahead
        )

    def label(self, event_id: str, move: Move) -> Label:
        truth = "spam" if int(event_id[1:]) % 3 == 0 else "ham"
        said = {"right": {"spam": "yes", "ham": "ham"}[truth], "wrong": "ham" if truth == "spam" else "spam"}
        word = said.get(move.label, "nonsense")
        meant = {"yes": "spam"}.get(word, word)
        self.labels.setdefault(event_id, set()).add(meant)
        ahead = move.what == "ahead_label"
        probability = 1.0
        if self.stream.fields.inspection_probability:
            probability = PROBABILITIES[self.offset % len(PROBABILITIES)]
        if word != "nonsense":
            self.stated.setdefault(event_id, set()).add(probability)
        return Label(event_id, FAR if ahead else self.clock, word, self.offset, ahead, probability=probability)

    @precondition(lambda self: self.made > len(self.recent))
    @rule(back=st.integers(0, 60))
    def comes_again_long_after(self, back: int) -> None:
        """Beyond the horizon of repeats: if it is still known it gets its first answer, otherwise it is a new event."""
        event_id = f"e{1 + back % self.made}"
        if event_id in self.recent or event_id not in self.first:
            return
        self.offset += 1
        before = self.first[event_id]
        event = self.event(event_id)
        [out] = self.feed([event], [None], known=event_id)
        [prediction] = out.predictions
        if prediction.repeated:
            assert prediction == msgspec.structs.replace(before, repeated=True)
            self.recent.remove(event_id)  # a known event is not put among the recent ones again
            self.recent = deque(self.task.arrivals.join.recent, maxlen=self.stream.recent_ids)

    @rule()
    def is_moved_to_a_fresh_task(self) -> None:
        self.is_checkpointed()
        self.task = fresh(self.stream)
        self.shelf.restore(self.task)

    @rule()
    def is_checkpointed(self) -> None:
        self.shelf.keep(self.task.snapshot())
        self.since = []

    @precondition(lambda self: self.shelf.kept)
    @rule()
    def crashes_and_recovers(self) -> None:
        self.task = fresh(self.stream)
        self.shelf.restore(self.task)
        for inputs, said in self.since:
            assert as_bytes(self.task.feed(inputs)) == said

    def feed(self, inputs: list[Input], repeats: list[str | None], known: str | None = None) -> list[Outputs]:
        out = self.task.feed(inputs)
        self.since.append((inputs, as_bytes(out)))
        assert as_bytes(self.steady.feed(inputs)) == as_bytes(out)
        singles = [self.single.feed([record]) for record in inputs]
        assert online_part(singles) == online_part([out])
        for prediction, repeated in zip(out.predictions, repeats, strict=True):
            if repeated is not None:
                assert prediction == msgspec.structs.replace(self.first[repeated], repeated=True)
            elif not prediction.repeated:
                self.first[prediction.event_id] = prediction
            else:
                assert prediction.event_id == known, "an event that never came before was called repeated"
        self.labelled.extend(out.labelled)
        return [out]

    # -------------------------------------------------------------------- what always holds

    @invariant()
    def every_record_is_accounted_for(self) -> None:
        for task in (self.task, self.steady, self.single):
            assert task.totals().unbalanced() is None

    @invariant()
    def restoring_changes_nothing(self) -> None:
        assert self.task.digest() == self.steady.digest()
        assert self.task.totals() == self.steady.totals()

    @invariant()
    def the_clock_never_goes_back(self) -> None:
        assert self.task.clock >= self.latest
        self.latest = self.task.clock

    @invariant()
    def every_table_keeps_its_bound(self) -> None:
        join, limits = self.task.arrivals.join, self.stream.labels
        assert len(join.recent) <= self.stream.recent_ids
        assert join.held() <= limits.capacity
        assert len(join.early) <= limits.capacity
        resting = [entry for table in (join.young, join.overdue) for entry in table.values()]
        assert all(entry.x is None for entry in resting)
        gone = [entry for key, entry in join.recent.items() if key not in join.young and key not in join.overdue]
        assert all(entry.row is None and entry.packed is None and entry.x is None for entry in gone)

    @invariant()
    def no_event_is_scored_after_it_was_learned(self) -> None:
        for task in (self.task, self.single):
            met = Counter()
            for what, uid, _ in task.models.online.estimator.met:
                if what == "tested":
                    assert not met["learned", uid], f"event {uid} was tested after it was learned from"
                else:
                    assert met["tested", uid] == 1
                    assert not met["learned", uid], f"event {uid} was learned from twice"
                met[what, uid] += 1

    @invariant()
    def each_label_leaves_once_and_is_the_one_learned(self) -> None:
        first = [record for record in self.labelled if not record.correction]
        times = Counter(record.position for record in first)
        assert max(times.values(), default=0) <= 1
        counts = self.task.arrivals.join.counts
        held = sum(entry.state == JOINED for entry in self.task.arrivals.join.young.values())
        assert len(first) == counts.joined + counts.implied - held
        learned = {uid: y for what, uid, y in self.task.models.online.estimator.met if what == "learned"}
        for record in first:
            if record.implied:
                assert record.label == self.stream.labels.absent_means
            else:
                assert record.label in self.labels[record.event_id]
            if self.stream.kind == "binary":
                assert learned[self.uids[record.position]] == (record.label == "spam")
        said: dict[int, str] = {}
        for record in self.labelled:
            if record.correction:
                assert record.label in self.labels[record.event_id]
                assert record.features is None
                assert said[record.position] != record.label  # behind its record, and contradicts what was said last
            said[record.position] = record.label

    @invariant()
    def what_counts_is_drawn_by_what_one_of_its_labels_stated(self) -> None:
        sample = Sample(self.stream)
        for record in self.labelled:
            if record.sampled and not record.correction:
                stated = {1.0} if record.implied else self.stated[record.event_id]
                assert any(sample.takes(record.event_id, probability) for probability in stated)

    @invariant()
    def what_matures_leaves_in_event_order(self) -> None:
        if self.stream.labels.maturity:
            at_maturity = [r.position for r in self.labelled if r.sampled and not r.late and not r.correction]
            assert at_maturity == sorted(at_maturity)

    def teardown(self) -> None:
        if not hasattr(self, "task"):
            return
        self.patch.undo()
        self.feed([Tick(FAR * 2)], [])
        totals, counts = self.task.totals(), self.task.arrivals.join.counts
        assert totals.waiting == totals.held == totals.early == 0
        first = [record for record in self.labelled if not record.correction]
        assert len(first) == counts.joined + counts.implied
        self.each_label_leaves_once_and_is_the_one_learned()
        self.every_record_is_accounted_for()
        self.restoring_changes_nothing()


TestScoringMachine = ScoringMachine.TestCase
TestScoringMachine.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
