"""The worker loop over scripted inputs: what befalls it, and what readers of committed data see of that."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, linear_model, optim

import consumers.worker
from consumers.observer import Observer
from consumers.testing import DIES, DIES_COMMITTED, FAILS, FENCED, REVOKED, Died, Ledger, Mark, ScriptedTransport
from consumers.transport import Arrived, Notice, Revoked, Task
from consumers.worker import Worker
from stream.config import Features, Labels, Stream
from stream.errors import CommitFailed, Fenced, ModelError, StateError
from stream.features import ModelInput
from stream.given import GivenScore
from stream.online import OnlineModel
from stream.records import Input, Outputs, Prediction
from stream.scoring import Models, ScoringTask
from stream.testing import (
    ManualClock,
    PoisonError,
    RunningSum,
    event,
    label,
    poison,
    poison_label,
    said,
    undecodable,
)
from stream.totals import ScoringTotals

a, b, c, d = (event(name, n=n) for name, n in (("a", 1), ("b", 2), ("c", 3), ("d", 4)))

SUMS = ["a=1", "b=3", "c=6", "d=10"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr(consumers.worker, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _no_pauses(clock: ManualClock) -> None:
    """No test waits for real."""


class Notes(Observer):
    """Notes what it hears."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.totals: list[Any] = []
        self.inputs = 0
        self.gone: list[str] = []

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        durable = sum(len(outputs.predictions) for outputs in self.ledger.pages[task].outputs)
        assert totals.events <= durable, "a count was seen before its batch was durable"
        assert seconds.keys() == ({"feed", "commit"} if inputs else set())
        self.totals.append(totals)
        self.inputs += inputs

    def revoked(self, task: str) -> None:
        self.gone.append(task)


def work(
    ledger: Ledger, *, batch: int = 2, every: float = 60.0, make: Callable[[str], Task] | None = None, **options: Any
) -> bool:
    """One process's life."""
    transport = ScriptedTransport(ledger)
    options.setdefault("stop", lambda: transport.idle)
    worker = Worker(transport, make or (lambda _: RunningSum()), batch=batch, checkpoint_every=every, **options)
    try:
        return worker.run()
    finally:
        assert transport.closed


def work_on(ledger: Ledger, **options: Any) -> int:
    """Process after process, until one does not die; how many died."""
    for deaths in range(100):
        try:
            work(ledger, **options)
        except Died:
            continue
        return deaths
    raise AssertionError("dies for ever")


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_each_input_is_fed_once_and_each_answer_is_published_once(batch: int) -> None:
    ledger = Ledger([a, b, c, d])
    assert work(ledger, batch=batch)
    assert said(ledger.outputs()) == SUMS


@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED, FAILS, REVOKED])
@pytest.mark.parametrize("every", [0.0, 60.0], ids=["with checkpoints", "without"])
@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_whatever_befalls_the_worker_readers_see_what_an_undisturbed_one_publishes(
    mark: Mark, every: float, place: int
) -> None:
    script: list[Input | Mark] = [a, b, c, d]
    script[place:place] = [mark, mark]
    ledger = Ledger(script)
    deaths = work_on(ledger, every=every)
    assert said(ledger.outputs()) == SUMS
    assert deaths == {DIES: 2, DIES_COMMITTED: 1}.get(mark, 0)


marks = st.sampled_from([DIES, DIES_COMMITTED, FAILS, REVOKED])
inputs = st.lists(
    st.one_of(marks, marks, st.integers(1, 9), st.integers(1, 9), st.sampled_from(["poison", "label", "junk"])),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(script=inputs, batch=st.integers(1, 5), every=st.sampled_from([0.0, 0.3, 60.0]))
def test_any_script_of_marks_publishes_what_the_same_script_without_marks_does(
    script: list[Any], batch: int, every: float
) -> None:
    records: list[Input | Mark] = []
    for index, part in enumerate(script):
        name = f"e{index}"
        if isinstance(part, Mark):
            records.append(part)
        elif part == "poison":
            records += [event(name, n=1), poison(f"{name}!")] if index % 4 == 0 else [event(name, n=1)]
        elif part == "label":
            records.append(label(f"e{index - 1}"))
        elif part == "junk":
            records.append(undecodable(f"junk {index}".encode()))
        else:
            records.append(event(name, n=part))
    plain = Ledger([record for record in records if not isinstance(record, Mark)])
    assert work(plain, batch=batch, every=every)
    marked = Ledger(records)
    work_on(marked, batch=batch, every=every)
    assert marked.outputs() == plain.outputs()


def test_a_poison_record_becomes_a_dead_letter_with_its_bytes_and_all_around_it_are_answered() -> None:
    bad = poison("bad", offset=7)
    ledger = Ledger([a, b, bad, c, d])
    assert work(ledger, batch=5)
    assert said(ledger.outputs()) == [*SUMS, f"!{(bad.raw or b'').decode()}"]
    (letter,) = ledger.outputs().dead_letters
    assert (letter.payload, letter.offset, letter.source) == (bad.raw, 7, "events")
    assert letter.reason == "PoisonError: poison event bad"


def test_a_poison_label_becomes_a_dead_letter_of_the_labels() -> None:
    ledger = Ledger([a, poison_label("a", offset=3), label("a"), b])
    assert work(ledger, batch=5)
    (letter,) = ledger.outputs().dead_letters
    assert (letter.source, letter.offset, letter.payload) == ("labels", 3, poison_label("a").raw)
    assert said(ledger.outputs())[:2] == ["a=1", "b=3"]


@pytest.mark.parametrize("every", [0.0, 60.0], ids=["with checkpoints", "without"])
@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED])
def test_a_skip_is_journalled_so_that_recovery_does_not_meet_the_poison_again(mark: Mark, every: float) -> None:
    fed: list[str] = []

    class Watched(RunningSum):
        def feed(self, batch: Sequence[Input]) -> Outputs:
            fed.extend(getattr(record, "event_id", type(record).__name__) for record in batch)
            return super().feed(batch)

    ledger = Ledger([a, b, poison("bad"), c, mark, d])
    with pytest.raises(Died):
        work(ledger, batch=5, every=every, make=lambda _: Watched())
    met = fed.count("bad")
    fed.clear()
    assert work(ledger, batch=5, every=every, make=lambda _: Watched())
    assert met == 2  # in its batch and alone
    assert fed.count("bad") == 0
    assert said(ledger.outputs())[:4] == SUMS


def test_ten_skips_among_a_thousand_inputs_stop_the_task_with_the_cause_in_the_message() -> None:
    ledger = Ledger([record for i in range(20) for record in (event(f"e{i}"), poison(f"p{i}"))])
    with pytest.raises(ModelError, match=r"10 of its last 1,000 inputs .* PoisonError: poison event p9") as raised:
        work(ledger, batch=7)
    assert isinstance(raised.value.__cause__, PoisonError)
    assert [letter.reason for letter in ledger.outputs().dead_letters] == [
        f"PoisonError: poison event p{i}" for i in range(9)
    ]
    assert len(ledger.outputs().predictions) == 10


def test_ten_skips_that_lie_far_apart_stop_nothing() -> None:
    script = [record for i in range(12) for record in (*(event(f"e{i}.{j}") for j in range(120)), poison(f"p{i}"))]
    ledger = Ledger(script)
    assert work(ledger, batch=500)
    assert len(ledger.outputs().dead_letters) == 12
    assert len(ledger.outputs().predictions) == 12 * 120


def test_a_failed_commit_is_tried_again_with_growing_pauses(clock: ManualClock) -> None:
    ledger = Ledger([a, b, FAILS, FAILS, FAILS, c, d])
    assert work(ledger, retries=3)
    assert said(ledger.outputs()) == SUMS
    assert clock.pauses == sorted(set(clock.pauses))
    assert len(clock.pauses) == 3


def test_failed_commits_in_a_row_are_given_up_after_the_retries() -> None:
    ledger = Ledger([a, b, FAILS, FAILS, FAILS, c, d])
    with pytest.raises(CommitFailed):
        work(ledger, retries=2)
    assert said(ledger.outputs()) == []


def test_a_commit_that_succeeds_ends_the_row_of_failures(clock: ManualClock) -> None:
    ledger = Ledger([a, FAILS, FAILS, b, FAILS, FAILS, c, d])
    assert work(ledger, batch=1, retries=2)
    assert said(ledger.outputs()) == SUMS
    assert clock.pauses[:2] == clock.pauses[2:]


def test_a_fenced_task_is_dropped_and_nothing_of_it_is_published_after() -> None:
    ledger = Ledger({"one": [a, FENCED, b, c, d], "two": [a, b, c, d]})
    notes = Notes(ledger)
    assert work(ledger, batch=1, observer=notes)
    assert said(ledger.outputs("one")) == []
    assert said(ledger.outputs("two")) == SUMS
    assert notes.gone == ["one"]
    assert ledger.pages["one"].checkpoints == []


def test_a_worker_whose_only_task_is_fenced_works_on_nothing_until_it_is_stopped() -> None:
    ledger = Ledger([a, b, FENCED, c, d])
    assert not work(ledger)
    assert said(ledger.outputs()) == []
    assert work(ledger)  # whoever has it now does the work
    assert said(ledger.outputs()) == SUMS


def test_a_worker_that_is_taken_over_in_its_midst_publishes_nothing_more() -> None:
    ledger = Ledger([a, b, c, d])
    older = ScriptedTransport(ledger)
    rounds = iter(range(100))
    took: list[ScriptedTransport] = []

    def stop() -> bool:
        if next(rounds) == 2:  # assigned, and one batch committed
            took.append(ScriptedTransport(ledger))
        return older.idle

    Worker(older, lambda _: RunningSum(), batch=1, checkpoint_every=60, stop=stop).run()
    assert said(ledger.outputs()) == ["a=1"]
    assert Worker(took[0], lambda _: RunningSum(), batch=1, checkpoint_every=60).run()
    assert said(ledger.outputs()) == SUMS


def test_a_revoked_task_is_forgotten_and_recovered_when_it_comes_back() -> None:
    ledger = Ledger([a, b, REVOKED, c, d])
    notes = Notes(ledger)
    made: list[str] = []
    assert work(ledger, observer=notes, make=lambda task: made.append(task) or RunningSum())
    assert said(ledger.outputs()) == SUMS
    assert notes.gone == ["task"]
    assert made == ["task", "task"]


def test_inputs_of_a_task_that_has_been_revoked_are_not_fed() -> None:
    ledger = Ledger({"one": [a, REVOKED, b], "two": [a, REVOKED, b, c, d]})
    assert work(ledger, batch=1)
    assert said(ledger.outputs("one")) == SUMS[:2]
    assert said(ledger.outputs("two")) == SUMS


def test_inputs_that_arrive_behind_the_revocation_of_their_task_are_left_alone() -> None:
    class Late(ScriptedTransport):
        def poll(self, most: int, timeout: float) -> Sequence[Notice]:
            notices = super().poll(most, timeout)
            behind = [notice for notice in notices if isinstance(notice, Arrived)]
            return [Revoked("task"), *behind] if behind else notices

    ledger = Ledger([a, b])
    transport = Late(ledger)
    worker = Worker(transport, lambda _: RunningSum(), batch=2, checkpoint_every=60, stop=lambda: transport.idle)
    assert not worker.run()
    assert said(ledger.outputs()) == []


def test_the_worker_ends_only_when_all_its_tasks_inputs_have_ended() -> None:
    ledger = Ledger({"short": [a], "long": [a, b, c, d]})
    assert work(ledger, batch=1)
    assert said(ledger.outputs("long")) == SUMS


def test_a_stop_drains_with_a_checkpoint_so_that_the_next_start_replays_nothing() -> None:
    ledger = Ledger([a, b, c, d])
    rounds = iter(range(100))
    assert not work(ledger, stop=lambda: next(rounds) == 2)
    assert said(ledger.outputs()) == SUMS[:2]
    fed: list[Input] = []

    class Watched(RunningSum):
        def feed(self, batch: Sequence[Input]) -> Outputs:
            fed.extend(batch)
            return super().feed(batch)

    assert work(ledger, make=lambda _: Watched())
    assert fed == [c, d]
    assert said(ledger.outputs()) == SUMS


def test_a_stop_checkpoints_every_task_even_when_one_has_been_fenced_off() -> None:
    ledger = Ledger({"one": [a, b], "two": [a, b, c, d]})
    rounds = iter(range(100))

    def stop() -> bool:
        if next(rounds) < 2:
            return False
        ledger.pages["one"].epoch += 1
        return True

    assert not work(ledger, stop=stop)
    assert ledger.pages["one"].checkpoints == []
    assert [checkpoint.sequence for checkpoint in ledger.pages["two"].checkpoints] == [1]


def test_a_checkpoint_is_made_when_it_is_due_and_not_before(clock: ManualClock) -> None:
    ledger = Ledger([event(f"e{i}") for i in range(10)])
    kept: list[int] = []

    class Ticking(RunningSum):
        def feed(self, batch: Sequence[Input]) -> Outputs:
            clock.advance(1.0)
            return super().feed(batch)

        def snapshot(self) -> bytes:
            kept.append(self.state.events)
            return super().snapshot()

    assert work(ledger, batch=1, every=3.0, make=lambda _: Ticking())
    assert [events for events in kept if events < 10] == [3, 6, 9]


def test_checkpoints_take_at_most_a_fiftieth_of_the_time(clock: ManualClock) -> None:
    ledger = Ledger([event(f"e{i}") for i in range(300)])
    kept: list[int] = []

    class Slow(RunningSum):
        def feed(self, batch: Sequence[Input]) -> Outputs:
            clock.advance(1.0)
            return super().feed(batch)

        def snapshot(self) -> bytes:
            clock.advance(2.0)
            kept.append(self.state.events)
            return super().snapshot()

    assert work(ledger, batch=1, every=3.0, make=lambda _: Slow())
    assert [events for events in kept if events < 300] == [3, 103, 203]


def test_the_observer_sees_totals_only_of_what_is_durable_and_they_never_go_back() -> None:
    ledger = Ledger([a, FAILS, b, REVOKED, poison("bad"), c, FAILS, d, REVOKED])
    notes = Notes(ledger)
    assert work(ledger, batch=3, observer=notes)
    events = [totals.events for totals in notes.totals]
    assert events == sorted(events)
    assert notes.totals[-1].total == 10
    assert notes.inputs == 5


def test_an_observer_that_breaks_does_not_make_the_worker_feed_a_durable_batch_again() -> None:
    class Broken(Observer):
        def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
            if inputs:
                raise RuntimeError("the screen is gone")

    ledger = Ledger([a, b, c, d])
    with pytest.raises(RuntimeError, match="the screen is gone"):
        work(ledger, observer=Broken())
    assert said(ledger.outputs()) == SUMS[:2]


def test_a_state_that_cannot_be_recovered_ends_the_worker() -> None:
    ledger = Ledger([a, b, c, DIES, d])
    with pytest.raises(Died):
        work(ledger, batch=1, every=0.0)
    ledger.damage(2)
    with pytest.raises(StateError):
        work(ledger)


# ------------------------------------------------------------------------------------------- with real models


class Fragile(base.Classifier):  # type: ignore[misc] # river ships no complete types
    """A user's model: logistic regression that breaks on a marked event or on its label; it counts lessons."""

    def __init__(self) -> None:
        self.model = linear_model.LogisticRegression(optim.SGD(0.1))
        self.lessons = 0

    def predict_proba_one(self, x: ModelInput) -> dict[bool, float]:
        if x.get("mark") == 1.0:
            raise ZeroDivisionError("the user's model broke")
        answer: dict[bool, float] = self.model.predict_proba_one(x)
        return answer

    def learn_one(self, x: ModelInput, y: bool) -> None:
        self.lessons += 1
        if x.get("mark") == 2.0:
            raise ZeroDivisionError("the user's model broke while it learned")
        self.model.learn_one(x, y)


STREAM = Stream(
    classes=["ham", "spam"],
    features=Features(numeric=["size", "mark"]),
    labels=Labels(),
    baseline="field:given",
    serving="blend",
)


class Balanced(Notes):
    """Checks the equations whenever totals are published."""

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        assert isinstance(totals, ScoringTotals)
        assert totals.unbalanced() is None
        assert totals.inputs.predicted + totals.inputs.repeated == len(self.ledger.outputs().predictions)
        self.totals.append(totals)
        self.inputs += inputs


def scoring(_: str) -> ScoringTask:
    return ScoringTask(STREAM, Models(OnlineModel(Fragile(), "binary", 2), "fragile", GivenScore("given", [])))


def mails(count: int) -> list[Input]:
    """Events with their labels three events later; some marked, repeated, unreadable, or with labels that are wrong."""
    records: list[Input] = []
    for i in range(count):
        mark = {10: 1, 25: 2}.get(i, 0)
        records.append(event(f"m{i}", float(i), offset=i, size=i % 7, mark=mark, given=(i % 10) / 10))
        if i % 9 == 4:
            records.append(event(f"m{i - 1}", float(i), offset=i, size=1, mark=0, given=0.5))
        if i % 11 == 5:
            records.append(undecodable(f"junk {i}".encode(), offset=i))
        if i >= 3:
            value = "neither" if i == 15 else "spam" if i % 7 > 3 else "ham"
            records.append(label(f"m{i - 3}", value, float(i)))
        if i % 8 == 7:
            records.append(label(f"m{i - 5}", "spam", float(i)))
    return records


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_every_record_is_accounted_for_at_every_commit_when_a_users_model_breaks(batch: int) -> None:
    ledger = Ledger(mails(60))
    notes = Balanced(ledger)
    assert work(ledger, batch=batch, observer=notes, make=scoring)
    totals = notes.totals[-1]
    letters = ledger.outputs().dead_letters
    skipped = [letter for letter in letters if "ZeroDivisionError" in letter.reason]
    assert totals.inputs.skipped == len(skipped) == 2
    assert [letter.source for letter in skipped] == ["events", "labels"]
    assert skipped[0].payload == event("m10", 10.0, size=3, mark=1, given=0.0).raw
    assert skipped[1].payload == label("m25", "ham", 28.0).raw
    assert {p.event_id for p in ledger.outputs().predictions} == {f"m{i}" for i in range(60)} - {"m10"}
    assert notes.inputs == len(mails(60))


@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED, FAILS, REVOKED])
@pytest.mark.parametrize("every", [0.0, 60.0], ids=["with checkpoints", "without"])
def test_a_scoring_task_publishes_the_same_whatever_befalls_its_worker(mark: Mark, every: float) -> None:
    plain = Ledger(mails(60))
    notes = Balanced(plain)
    assert work(plain, batch=7, every=every, observer=notes, make=scoring)
    script: list[Input | Mark] = []
    for index, record in enumerate(mails(60)):
        script.append(record)
        if index % 10 == 9:
            script.append(mark)
    marked = Ledger(script)
    others = Balanced(marked)
    work_on(marked, batch=7, every=every, observer=others, make=scoring)
    assert by_batches(marked.outputs().predictions) == by_batches(plain.outputs().predictions)
    assert marked.outputs().dead_letters == plain.outputs().dead_letters
    for name in ("inputs", "labels", "waiting", "early", "clock", "delays", "blend_weight"):
        assert getattr(others.totals[-1], name) == getattr(notes.totals[-1], name)


def by_batches(predictions: list[Prediction]) -> list[Any]:
    return [msgspec.structs.astuple(prediction) for prediction in predictions]


def test_no_event_is_learned_from_twice_when_its_batch_is_fed_again() -> None:
    made: list[ScoringTask] = []

    def make(task: str) -> ScoringTask:
        made.append(scoring(task))
        return made[-1]

    records = mails(60)
    script: list[Input | Mark] = [*records[:30], FAILS, *records[30:60], REVOKED, *records[60:]]
    ledger = Ledger(script)
    notes = Balanced(ledger)
    assert work(ledger, batch=9, observer=notes, make=make)
    online = made[-1].models.online
    assert isinstance(online, OnlineModel)
    assert online.estimator.lessons == notes.totals[-1].labels.joined


def test_being_fenced_while_isolating_a_poison_record_drops_the_task() -> None:
    ledger = Ledger([a, FENCED, poison("bad"), c])
    assert not work(ledger, batch=9)
    assert said(ledger.outputs()) == []


def test_a_transport_that_raises_on_polling_ends_the_worker_and_is_closed() -> None:
    class Gone(ScriptedTransport):
        def poll(self, most: int, timeout: float) -> Any:
            raise Fenced("taken over")

    transport = Gone(Ledger([a]))
    with pytest.raises(Fenced):
        Worker(transport, lambda _: RunningSum(), batch=1, checkpoint_every=1.0).run()
    assert transport.closed
