"""Tasks follow the registry: a swap is fed once, kept at once, and one that cannot be taken harms nothing."""

from collections.abc import Sequence
from typing import Any

import pytest

from consumers.following import Following
from consumers.runtime import Runtime
from consumers.testing import DIES, DIES_COMMITTED, FAILS, REVOKED, Died, Ledger, Mark, ScriptedTransport
from consumers.transport import Batch
from stream.errors import CommitFailed
from stream.records import Chosen, Input, Outputs, Swap
from stream.testing import ManualClock, RunningSum, event, poison, said
from tests.consumers.life import SUMS, Watched, a, b, c, d, manual, work


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No test waits for real."""
    return manual(monkeypatch)


@pytest.fixture(autouse=True, params=[False, True], ids=["at once", "late"])
def late(request: Any, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A commit is durable when it returns, or only behind the feeding of the next batch."""
    monkeypatch.setattr(ScriptedTransport, "late", request.param)
    return request.param


def champion(version: str, artifact: bytes = b"") -> Swap:
    return Swap(Chosen(version, "", 0.5, None, artifact))


class Registry:
    """Names one champion after another, each when so many events have been committed; None before."""

    def __init__(self, ledger: Ledger, *named: tuple[int, Swap]) -> None:
        self.ledger = ledger
        self.named = named
        self.runtime = Runtime()

    def newest(self) -> Swap | None:
        committed = sum(len(outputs.predictions) for outputs in self.ledger.pages["task"].outputs)
        due = [swap for events, swap in self.named if events <= committed]
        return due[-1] if due else None

    def live(self, make: Any = None, **options: Any) -> ScriptedTransport:
        """One process's life; gives its transport."""
        views = []

        def transport(ledger: Ledger) -> ScriptedTransport:
            views.append(ScriptedTransport(ledger))
            return views[0]

        def make_batch(task: str, swap: Swap) -> Batch:
            return views[0].swap(task, swap)

        following = Following(self.newest, make_batch, self.runtime)
        # As on Kafka, where it never ends by itself: one more round than what the inputs take.
        rounds = iter(range(40))
        stop = lambda: views[0].idle and next(rounds) > 10  # noqa: E731
        options = {"stop": stop, "batch": 1, **options}
        work(self.ledger, make=make or (lambda _: RunningSum()), transport=transport, following=following, **options)
        return views[0]


def swaps(ledger: Ledger) -> list[tuple[int, str]]:
    """The journalled swaps: behind which input, and to which version."""
    cuts = ledger.pages["task"].journal
    return [
        (cut.ends[-1], cut.swap.champion.version) for _, cut in sorted(cuts.items()) if cut.swap and cut.swap.champion
    ]


def test_a_swap_is_fed_alone_once_and_kept_with_a_checkpoint_and_no_answer_is_lost() -> None:
    ledger = Ledger([a, b, c, d])
    task = Watched()
    Registry(ledger, (2, champion("new"))).live(lambda _: task, batch=2)
    assert [len(fed) for fed in task.fed if isinstance(fed[0], Swap)] == [1]
    assert task.state.champion == "new"
    assert said(ledger.outputs()) == SUMS
    page = ledger.pages["task"]
    kept = {checkpoint.sequence for checkpoint in page.checkpoints}
    assert {sequence for sequence, cut in page.journal.items() if cut.swap} <= kept


def test_each_change_is_swapped_in_its_turn() -> None:
    ledger = Ledger([a, b, c, d])
    task = Watched()
    Registry(ledger, (0, champion("one")), (2, champion("two")), (3, champion("three"))).live(lambda _: task)
    assert [fed[0].champion.version for fed in task.fed if isinstance(fed[0], Swap)] == ["one", "two", "three"]
    assert said(ledger.outputs()) == SUMS


@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED, FAILS, REVOKED])
@pytest.mark.parametrize("place", [1, 2, 3])
def test_whatever_befalls_the_worker_the_swap_is_in_the_state_and_readers_see_the_same(mark: Mark, place: int) -> None:
    script: list[Any] = [a, b, c, d]
    script[place:place] = [mark]
    ledger = Ledger(script)
    registry = Registry(ledger, (2, champion("new")))
    task = Watched()
    for _ in range(5):
        task = Watched()
        try:
            registry.live(lambda _task, made=task: made)
            break
        except Died:
            continue
    assert task.state.champion == "new"
    assert said(ledger.outputs()) == SUMS


def test_a_baseline_that_breaks_the_task_is_refused_once_and_the_one_in_use_serves_on() -> None:
    ledger = Ledger([a, b, c, d])
    registry = Registry(ledger, (0, champion("good")), (2, champion("bad", b"poison")))
    tasks: list[Watched] = []

    def make(_task: str) -> Watched:
        tasks.append(Watched())
        return tasks[-1]

    registry.live(make)
    tried = [fed[0].champion.version for task in tasks for fed in task.fed if isinstance(fed[0], Swap)]
    assert tried.count("bad") == 1
    assert tasks[-1].state.champion == "good"
    assert registry.runtime.refused_swaps == 1
    assert said(ledger.outputs()) == SUMS
    assert tasks[-1].state.dead == 0


def test_behind_a_refused_one_the_next_is_taken() -> None:
    ledger = Ledger([a, b, c, d])
    tasks: list[Watched] = []
    registry = Registry(ledger, (1, champion("bad", b"poison")), (3, champion("good")))
    registry.live(lambda _: tasks.append(Watched()) or tasks[-1])
    assert (tasks[-1].state.champion, registry.runtime.refused_swaps) == ("good", 1)
    assert said(ledger.outputs()) == SUMS


def test_a_swap_whose_commit_fails_again_and_again_does_not_hold_up_what_comes() -> None:
    ledger = Ledger([a, b, c, d])
    registry = Registry(ledger, (1, champion("new")))
    failed = []

    class Failing(ScriptedTransport):
        def _write(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Any) -> None:
            if batch is not None and isinstance(batch.inputs[0], Swap):
                failed.append(batch)
                self.unrecovered.add(task)
                raise CommitFailed("too large for its time")
            super()._write(task, batch, outputs, snapshot)

    views = [Failing(ledger)]
    following = Following(registry.newest, views[0].swap, registry.runtime)
    rounds = iter(range(60))
    work(
        ledger,
        transport=lambda _: views[0],
        following=following,
        batch=1,
        stop=lambda: next(rounds) > 50,
    )
    assert len(failed) >= 2
    assert said(ledger.outputs()) == SUMS


def test_the_time_that_a_swap_takes_does_not_make_the_next_batches_small(clock: ManualClock) -> None:
    class Slow(Watched):
        def feed(self, batch: Sequence[Input]) -> Outputs:
            clock.advance(100.0 if isinstance(batch[0], Swap) else 0.001 * len(batch))
            return super().feed(batch)

    ledger = Ledger([event(f"e{number}") for number in range(600)])
    task = Slow()
    Registry(ledger, (200, champion("new"))).live(lambda _: task, batch=100, commit_every=1.0)
    sizes = [len(fed) for fed in task.fed]
    at = next(place for place, fed in enumerate(task.fed) if isinstance(fed[0], Swap))
    assert (sizes[at - 1], sizes[at : at + 3]) == (100, [1, 100, 100])


def test_a_swap_waits_until_a_batch_that_breaks_behind_its_feeding_has_been_taken_apart() -> None:
    ledger = Ledger([a, b, poison("bad"), c, d])
    task_made: list[Watched] = []
    Registry(ledger, (2, champion("new"))).live(lambda _: task_made.append(Watched()) or task_made[-1], batch=3)
    assert said(ledger.outputs()) == [*SUMS, f"!{(poison('bad').raw or b'').decode()}"]
    assert task_made[-1].state.champion == "new"


def test_nothing_is_swapped_where_the_registry_names_nothing_or_what_is_in_use() -> None:
    ledger = Ledger([a, b])
    task = Watched()
    task.state.champion = "same"
    Registry(ledger, (1, champion("same"))).live(lambda _: task)
    assert not any(isinstance(fed[0], Swap) for fed in task.fed)
    assert swaps(ledger) == []
