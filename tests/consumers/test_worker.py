"""The worker loop over scripted inputs: what befalls it, and what readers of committed data see of that."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.observer import Observer
from consumers.testing import DIES, DIES_COMMITTED, FAILS, FENCED, REVOKED, Died, Ledger, Mark, ScriptedTransport
from consumers.transport import Arrived, Assigned, Batch, Notice, Recovery, Revoked
from consumers.worker import Worker
from stream.errors import CommitFailed, Fenced, ModelError, RecordError, StateError, Unavailable
from stream.records import Input, Outputs
from stream.snapshot import Snapshot
from stream.testing import ManualClock, PoisonError, RunningSum, event, label, poison, poison_label, said, undecodable
from tests.consumers.life import SUMS, Notes, Watched, a, b, c, d, manual, work, work_on


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No test waits for real."""
    return manual(monkeypatch)


@pytest.fixture(autouse=True, params=[False, True], ids=["at once", "late"])
def late(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A commit is durable when it returns, or only behind the feeding of the next batch."""
    monkeypatch.setattr(ScriptedTransport, "late", request.param)
    return request.param


at_once = pytest.mark.parametrize("late", [False], indirect=True)
"""For a test that counts the worker's rounds."""


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
    bad = poison("bad")
    ledger = Ledger([a, b, bad, mark, c, d])
    with pytest.raises(Died):
        work(ledger, batch=5, every=every)
    task = Watched()
    durable = mark is DIES_COMMITTED
    assert work(ledger, batch=5, every=every, make=lambda _: task)
    assert (bad in [record for batch in task.fed for record in batch]) == (not durable)
    assert said(ledger.outputs())[:4] == SUMS


@pytest.mark.parametrize("place", [0, 1, 31, 32, 62, 63])
def test_the_record_that_breaks_a_batch_is_found_by_halves(place: int) -> None:
    bad = poison("bad")
    script: list[Input] = [event(f"e{i}") for i in range(63)]
    script.insert(place, bad)
    ledger = Ledger(script)
    made: list[Watched] = []
    assert work(ledger, batch=64, make=lambda _: made.append(Watched()) or made[-1])
    met = [len(batch) for task in made for batch in task.fed if bad in batch]
    assert met == [64, 64, 32, 16, 8, 4, 2, 1]  # once more as a whole: what was in memory may have been at fault
    assert sum(len(batch) for task in made for batch in task.fed) < 64 * 5
    assert [letter.payload for letter in ledger.outputs().dead_letters] == [bad.raw]
    assert said(ledger.outputs())[:63] == [f"e{i}={i + 1}" for i in range(63)]


def test_ten_skips_among_a_thousand_inputs_stop_the_task_with_the_cause_in_the_message() -> None:
    ledger = Ledger(broken())
    with pytest.raises(ModelError, match=r"10 of its last 1,000 inputs .* PoisonError: poison event p9") as raised:
        work(ledger, batch=7, retries=5)
    assert isinstance(raised.value.__cause__, PoisonError)
    assert [letter.reason for letter in ledger.outputs().dead_letters] == [
        f"PoisonError: poison event p{i}" for i in range(9)
    ]
    assert len(ledger.outputs().predictions) == 10


def broken() -> list[Input]:
    """A script on which a task stops."""
    return [record for i in range(20) for record in (event(f"e{i}"), poison(f"p{i}"))]


def test_where_failures_are_borne_for_ever_a_broken_task_stops_alone_and_its_worker_goes_on() -> None:
    ledger = Ledger({"one": broken(), "two": [event(f"f{i}") for i in range(30)]})
    notes = Notes(ledger)
    assert work(ledger, batch=1, observer=notes)
    assert len(ledger.outputs("one").predictions) == 10
    assert len(ledger.outputs("two").predictions) == 30
    ((task, reason),) = notes.waits
    assert task == "one"
    assert "10 of its last 1,000 inputs broke it" in reason
    stopped = notes.heard.index("one waits")
    assert notes.heard[stopped - 1] == "one gone"  # its series go: it is at work nowhere
    assert notes.heard[stopped + 1 :].count("two 1") > 5
    assert not [heard for heard in notes.heard[stopped + 1 :] if heard.startswith("one")]


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
    assert clock.pauses == pytest.approx([0.2, 0.4, 0.8])


@at_once
def test_while_one_task_waits_for_its_next_try_the_others_go_on(clock: ManualClock) -> None:
    ledger = Ledger({"one": [a, FAILS, b], "two": [a, b, c, d]})
    notes = Notes(ledger)
    assert work(ledger, batch=1, observer=notes)
    assert notes.heard == [
        *["one 0", "two 0"],
        *["one waits", "two 1", "two 1", "two 1", "two 1"],
        *["one 1", "one 1"],  # ready again when something is durable, not when it is recovered
    ]
    assert notes.waits == [("one", "one: so says the script")]
    assert clock.pauses == pytest.approx([0.2])  # when nobody had anything to do
    assert said(ledger.outputs("one")) == SUMS[:2]


def test_an_outage_of_a_day_is_borne_with_pauses_of_half_a_minute_at_most(clock: ManualClock) -> None:
    tries: list[float] = []

    class Away(ScriptedTransport):
        def recover(self, task: str) -> Recovery:
            tries.append(clock.now)
            if clock.now < 86_400:
                raise Unavailable("no answer")
            return super().recover(task)

    ledger = Ledger([a, b, c, d])
    notes = Notes(ledger)
    assert work(ledger, transport=Away, observer=notes, stop=lambda: False)
    assert said(ledger.outputs()) == SUMS
    assert max(after - before for before, after in pairwise(tries)) == pytest.approx(30.0)
    assert set(notes.waits) == {("task", "no answer")}


@at_once
def test_a_task_that_is_taken_away_while_it_waits_is_gone_and_not_tried_again() -> None:
    class Taken(ScriptedTransport):
        def commit(self, task: str, *arguments: Any) -> Any:
            if task == "one" and arguments[0] is not None:
                self.read.pop(task)
                self.coming.append([Revoked(task)])
                raise CommitFailed("no answer")
            return super().commit(task, *arguments)

    ledger = Ledger({"one": [a, b], "two": [a, b, c, d]})
    notes = Notes(ledger)
    assert work(ledger, batch=1, transport=Taken, observer=notes)
    assert notes.heard == ["one 0", "two 0", "one waits", "two 1", "one gone", "two 1", "two 1", "two 1"]


def test_failed_commits_in_a_row_are_given_up_after_the_retries() -> None:
    ledger = Ledger([a, b, FAILS, FAILS, FAILS, c, d])
    with pytest.raises(CommitFailed):
        work(ledger, retries=2)
    assert said(ledger.outputs()) == []


def test_a_commit_that_succeeds_ends_the_row_of_failures(clock: ManualClock) -> None:
    ledger = Ledger([a, FAILS, FAILS, b, FAILS, FAILS, c, d])
    assert work(ledger, batch=1, retries=2)
    assert said(ledger.outputs()) == SUMS
    assert clock.pauses == pytest.approx([0.2, 0.4, 0.2, 0.4])


def test_a_fenced_task_is_dropped_and_nothing_of_it_is_published_after() -> None:
    ledger = Ledger({"one": [a, FENCED, b, c, d], "two": [a, b, c, d]})
    notes = Notes(ledger)
    assert work(ledger, batch=1, observer=notes)
    assert said(ledger.outputs("one")) == []
    assert said(ledger.outputs("two")) == SUMS
    assert notes.gone == ["one"]
    assert [checkpoint.sequence for checkpoint in ledger.pages["one"].checkpoints] == [0]


def test_a_worker_whose_only_task_is_fenced_works_on_nothing_until_it_is_stopped() -> None:
    ledger = Ledger([a, b, FENCED, c, d])
    assert not work(ledger)
    assert said(ledger.outputs()) == []
    assert work(ledger)  # whoever has it now does the work
    assert said(ledger.outputs()) == SUMS


@at_once
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


@at_once
def test_a_task_that_comes_back_as_it_was_goes_on_as_it_is_in_memory() -> None:
    ledger = Ledger([a, b, REVOKED, c, d])
    notes = Notes(ledger)
    made: list[Watched] = []
    assert work(ledger, observer=notes, make=lambda _: made.append(Watched()) or made[-1])
    assert said(ledger.outputs()) == SUMS
    assert notes.heard == ["task 0", "task 2", "task gone", "task 0", "task 2"]
    (task,) = made
    assert task.restored == 0
    assert notes.replayed == [0]


@at_once
def test_a_task_that_somebody_else_has_had_meanwhile_is_restored() -> None:
    class Shared(ScriptedTransport):
        def poll(self, most: int, timeout: float) -> Sequence[Notice]:
            notices = super().poll(most, timeout)
            if self.regained and notices == [Assigned("task")]:
                rounds = iter(range(3))
                work(self.ledger, batch=1, stop=lambda: next(rounds) == 2)
            return notices

    ledger = Ledger([a, b, REVOKED, c, d])
    made: list[Watched] = []
    assert work(ledger, transport=Shared, make=lambda _: made.append(Watched()) or made[-1])
    assert said(ledger.outputs()) == SUMS
    assert [task.restored for task in made] == [0, 1]
    assert made[-1].fed == [[d]]


def test_a_task_whose_batch_was_fed_and_not_committed_is_restored_when_it_comes_back() -> None:
    class Stops(ScriptedTransport):
        def commit(self, task: str, *arguments: Any) -> Any:
            if arguments[0] is not None and not self.ledger.pages[task].outputs:
                self.ledger.pages[task].outputs.append(Outputs([], [], [], []))
                self.revoke(task)
                raise CommitFailed("it is not yours any more")
            return super().commit(task, *arguments)

    ledger = Ledger([a, b, c, d])
    made: list[Watched] = []
    assert work(ledger, transport=Stops, make=lambda _: made.append(Watched()) or made[-1])
    assert said(ledger.outputs()) == SUMS
    assert [task.restored for task in made] == [0, 1]


def test_a_task_that_does_not_come_back_with_the_others_is_not_kept_in_memory() -> None:
    ledger = Ledger({"one": [a, b], "two": [a, b, c, d]})
    view = ScriptedTransport(ledger)
    view.coming = [[Assigned("one")], [Revoked("one")], [Assigned("two")]]
    view.read.pop("one")
    worker = Worker(view, lambda _: RunningSum(), batch=1, checkpoint_every=60.0, stop=lambda: view.idle)
    assert worker.run()
    assert (list(worker.tasks), worker.parked) == (["two"], {})


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
    task = Watched()
    assert work(ledger, make=lambda _: task)
    assert task.fed == [[c, d]]
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
    assert [checkpoint.sequence for checkpoint in ledger.pages["one"].checkpoints] == [0]
    assert [checkpoint.sequence for checkpoint in ledger.pages["two"].checkpoints] == [0, 1]


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


def damaged(other: list[Input]) -> Ledger:
    """A ledger whose first task has no checkpoint that can be used."""
    ledger = Ledger({"one": [a, b, c, DIES, d], "two": other})
    with pytest.raises(Died):
        work(ledger, batch=1, every=0.0)
    ledger.damage(2, "one")
    return ledger


def test_a_state_that_cannot_be_recovered_ends_a_worker_that_bears_only_so_much() -> None:
    with pytest.raises(StateError):
        work(damaged([]), retries=5)


def test_a_state_that_cannot_be_recovered_stops_its_task_alone_where_failures_are_borne_for_ever() -> None:
    ledger = damaged([a, b, c, d])
    notes = Notes(ledger)
    assert work(ledger, observer=notes)
    assert notes.waits == [("one", "one: holds no checkpoint that can be used")]
    assert said(ledger.outputs("two")) == SUMS


def test_a_record_whose_answer_cannot_be_published_is_skipped_and_what_was_fed_behind_it_is_fed_again() -> None:
    class Narrow(ScriptedTransport):
        def _write(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> None:
            if any(prediction.event_id == "b" for prediction in outputs.predictions):
                self.unrecovered.add(task)
                raise RecordError("", "larger than the topic takes")
            super()._write(task, batch, outputs, snapshot)

    ledger = Ledger([a, b, c, d])
    assert work(ledger, batch=2, transport=Narrow)
    assert [p.event_id for p in ledger.outputs().predictions] == ["a", "c", "d"]
    assert [letter.reason for letter in ledger.outputs().dead_letters] == ["RecordError: larger than the topic takes"]


def test_totals_that_cannot_be_told_feed_no_durable_batch_again() -> None:
    failed: list[int] = []

    class Mute(RunningSum):
        def totals(self) -> Any:
            if self.state.fed == 3 and not failed:
                failed.append(1)
                raise MemoryError("no room for a copy")
            return super().totals()

    ledger = Ledger([a, b, c, d])
    assert work(ledger, batch=1, make=lambda _: Mute())
    assert failed
    assert said(ledger.outputs()) == SUMS


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
