"""When the worker loop makes a checkpoint, and how much it feeds at once."""

from types import SimpleNamespace
from typing import Any

import pytest

import consumers.running
import consumers.worker
from consumers.testing import DIES, DIES_COMMITTED, Died, Ledger, Mark, ScriptedTransport
from consumers.transport import Batch
from stream.errors import CommitFailed
from stream.records import Input, Outputs, Tick
from stream.snapshot import Snapshot
from stream.testing import ManualClock, event, said
from tests.consumers.life import SUMS, Notes, Watched, a, b, c, d, manual, work


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No test waits for real."""
    monkeypatch.setattr(consumers.running, "MOST_REPLAY", 1e9)  # most tests are about the other reasons
    return manual(monkeypatch)


def events(count: int) -> Ledger:
    return Ledger([event(f"e{i}") for i in range(count)])


@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED])
def test_a_task_that_begins_anew_is_kept_before_its_first_batch_so_that_it_begins_only_once(mark: Mark) -> None:
    ledger = Ledger([a, b, mark, c, d])
    begun = Watched()
    begun.state.total = 100  # what a warm-up gave
    with pytest.raises(Died):
        work(ledger, begin=lambda _: begun)
    assert begun.kept == [0]
    assert ledger.pages["task"].checkpoints[0].sequence == 0
    assert work(ledger, begin=pytest.fail)
    assert said(ledger.outputs()) == ["a=101", "b=103", "c=106", "d=110"]


def test_a_checkpoint_is_made_when_it_is_due_and_not_before(clock: ManualClock) -> None:
    task = Watched(on_feed=lambda: clock.advance(1.0))
    assert work(events(10), batch=1, every=3.0, make=lambda _: task)
    assert task.kept == [0, 3, 6, 9]


def test_what_took_long_to_feed_is_kept_before_the_time_is_over_so_that_a_crash_costs_no_more(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers.running, "MOST_REPLAY", 2.0)
    task = Watched(on_feed=lambda: clock.advance(0.5), on_snapshot=lambda: clock.advance(0.06))
    assert work(events(15), batch=1, every=1e9, make=lambda _: task)
    # Due behind four batches of feeding; and the first made the next wait for fifty times what it took.
    assert task.kept == [0, 5, 12]


def test_checkpoints_take_at_most_a_fiftieth_of_the_time(clock: ManualClock) -> None:
    task = Watched(on_feed=lambda: clock.advance(1.0), on_snapshot=lambda: clock.advance(2.0))
    assert work(events(300), batch=1, every=3.0, make=lambda _: task)
    assert task.kept == [0, 3, 103, 203]


def test_the_time_to_commit_a_checkpoint_is_part_of_what_it_costs(clock: ManualClock) -> None:
    class Slow(ScriptedTransport):
        def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> Any:
            clock.advance(0.0 if snapshot is None else 2.0)
            return super().commit(task, batch, outputs, snapshot)

    task = Watched(on_feed=lambda: clock.advance(1.0))
    assert work(events(300), batch=1, every=3.0, make=lambda _: task, transport=Slow)
    assert task.kept == [0, 3, 103, 203]


def test_ticks_alone_make_no_checkpoint_due_and_the_first_record_behind_them_does(clock: ManualClock) -> None:
    script: list[Input] = [a, b, *(Tick(float(i)) for i in range(20)), c, d]
    task = Watched(on_feed=lambda: clock.advance(1.0))
    assert work(Ledger(script), batch=1, every=2.0, make=lambda _: task)
    assert task.kept == [0, 2, 23]


def test_what_came_before_ticks_is_kept_when_it_is_due(clock: ManualClock) -> None:
    script: list[Input] = [a, *(Tick(float(i)) for i in range(9))]
    task = Watched(on_feed=lambda: clock.advance(1.0))
    assert work(Ledger(script), batch=1, every=3.0, make=lambda _: task)
    assert task.kept == [0, 3]


@pytest.mark.parametrize("ticks", [False, True])
def test_a_journal_of_so_many_commits_ends_with_a_checkpoint_in_any_case(
    monkeypatch: pytest.MonkeyPatch, ticks: bool
) -> None:
    monkeypatch.setattr(consumers.running, "MOST_COMMITS", 5)
    ledger = Ledger([Tick(float(i)) for i in range(12)]) if ticks else events(12)
    task = Watched()
    assert work(ledger, batch=1, every=1e9, make=lambda _: task)
    assert task.kept == [0, 5, 10]


def test_what_had_to_be_fed_again_is_kept_at_the_next_commit() -> None:
    ledger = Ledger([a, b, DIES_COMMITTED, c, d])
    with pytest.raises(Died):
        work(ledger, batch=1, every=1e9)
    task, notes = Watched(), Notes(ledger)
    assert work(ledger, batch=1, every=1e9, make=lambda _: task, observer=notes)
    assert notes.replayed == [2]
    assert task.kept == [3]
    assert said(ledger.outputs()) == SUMS


def sizes(clock: ManualClock, seconds: float, **options: Any) -> list[int]:
    """How many inputs were fed at once, each of which takes so long."""

    class Slow(Watched):
        def feed(self, batch: Any) -> Outputs:
            clock.advance(seconds * len(batch))
            return super().feed(batch)

    task = Slow()
    assert work(events(200), make=lambda _: task, **options)
    return [len(batch) for batch in task.fed]


def test_a_batch_is_as_large_as_it_may_be_where_no_time_is_set(clock: ManualClock) -> None:
    assert sizes(clock, 0.03, batch=100) == [100, 100]


def test_no_more_is_fed_at_once_than_takes_the_time_set(clock: ManualClock) -> None:
    assert sizes(clock, 0.03, batch=100, commit_every=0.7) == [64, 23, 23, 23, 23, 23, 21]


def test_a_quick_task_is_fed_no_more_than_a_whole_batch(clock: ManualClock) -> None:
    assert sizes(clock, 0.0001, batch=100, commit_every=1.0) == [64, 100, 36]


def test_a_task_too_slow_for_one_input_is_fed_one_all_the_same(clock: ManualClock) -> None:
    assert sizes(clock, 3.0, batch=100, commit_every=1.0) == [64, *[1] * 136]


def test_a_batch_that_took_so_long_that_its_commit_was_refused_is_not_fed_as_large_again(clock: ManualClock) -> None:
    class Impatient(ScriptedTransport):
        def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> Any:
            if batch is not None and len(batch.inputs) > 50:
                raise CommitFailed("not heard of for too long")
            return super().commit(task, batch, outputs, snapshot)

    task = Watched(on_feed=lambda: clock.advance(10.0))
    made = iter([task, Watched()])
    assert work(events(200), batch=100, commit_every=1.0, transport=Impatient, make=lambda _: next(made), retries=1)
    assert [len(batch) for batch in task.fed] == [64]


def test_a_time_without_inputs_does_not_make_a_slow_task_seem_quick(clock: ManualClock) -> None:
    class Slow(Watched):
        def feed(self, batch: Any) -> Outputs:
            clock.advance(0.1 * sum(not isinstance(record, Tick) for record in batch))
            return super().feed(batch)

    records: list[Input] = [event(f"e{i}") for i in range(200)]
    script = [*records[:64], *(Tick(float(i)) for i in range(300)), *records[64:]]
    task = Slow()
    assert work(Ledger(script), batch=100, commit_every=1.01, make=lambda _: task)
    assert [len(batch) for batch in task.fed] == [64, *[10] * 43, 6]


def test_batches_grow_again_when_a_task_has_become_quicker(clock: ManualClock) -> None:
    class Warming(Watched):
        def feed(self, batch: Any) -> Outputs:
            clock.advance((0.1 if self.state.fed < 20 else 0.01) * len(batch))
            return super().feed(batch)

    task = Warming()
    assert work(events(2_000), batch=20, commit_every=1.0, make=lambda _: task)
    grown = [len(batch) for batch in task.fed]
    assert grown[:2] == [20, 10]
    assert grown[-2] == 20
    assert grown[1:-1] == sorted(grown[1:-1])


@pytest.mark.parametrize(("seconds", "told"), [(50.0, 0), (70.0, 1)])
def test_feeding_that_takes_so_long_that_the_task_may_be_lost_is_told_of(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seconds: float, told: int
) -> None:
    heard: list[str] = []
    log = SimpleNamespace(info=lambda *_, **__: None, warning=lambda event, **_: heard.append(event))
    monkeypatch.setattr(consumers.worker, "log", log)
    naps = iter([seconds])
    assert work(events(3), batch=3, make=lambda _: Watched(on_feed=lambda: clock.advance(next(naps, 0.0))))
    assert len([event for event in heard if event.startswith("feeding took long")]) == told
