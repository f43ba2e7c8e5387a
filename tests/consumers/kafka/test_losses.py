"""What retention has deleted is told once, whoever finds it, and however often: counts, not kinds."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import errors as kafka_errors

from consumers.kafka import transport as transports
from consumers.kafka.intake import Intake, Mark, Place, skip
from consumers.kafka.journal import LOST
from consumers.kafka.losses import Loss, without
from consumers.kafka.recovery import Standing
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived, Batch
from stream.records import Event, Lost, Outputs, Skip, Tick
from tests.consumers.kafka.failing import EVENTS, LABELS, FailingGroup, event, led
from tests.consumers.kafka.shelf import Life, Shelf
from tests.consumers.kafka.test_intake import at, intake, nobody


@pytest.fixture
def life() -> Life:
    """A task with a checkpoint behind e59, and ten batches of an event and its label behind it."""
    life = Life(Shelf())
    for first in (0, 20, 40):
        life.live(first, first + 20, checkpoint=True)
    life.live(60, 70)
    return life


# ------------------------------------------------------------------------------------------- skips


def test_a_tick_that_was_skipped_is_skipped_by_every_recovery_too(life: Life) -> None:
    tick = life.intake.take(10, nobody, tick=1000.0)
    assert tick is not None
    assert tick.inputs == [Tick(1000.0)]
    life.feed(skip(tick, "events", "broke it"))
    life.live(70, 72)
    before = life.task.digest()
    assert life.restart() == []
    assert (life.task.digest(), life.task.totals().inputs.skipped) == (before, 1)
    assert life.standing.place.clock == 1000.0


def test_a_loss_that_was_skipped_is_skipped_by_every_recovery_and_gone_on_behind(life: Life) -> None:
    place = life.intake.place.offsets[0]
    life.intake.lose(0, Lost("events", place, place + 4))
    lost = life.intake.take(1, nobody)
    assert lost is not None
    skipped = skip(lost, "events", "broke it")
    assert skipped.inputs == [Skip("ticks", "broke it")]
    life.feed(skipped)
    before = life.task.digest()
    life.restart()
    assert life.task.digest() == before
    assert life.standing.place.offsets[0] == place + 5
    assert (life.task.totals().inputs.skipped, life.task.totals().inputs.lost) == (1, 0)


# ------------------------------------------------------------------------------------------- counted once


def test_a_loss_that_a_recovery_finds_counts_once_however_often_the_process_dies_behind_it(life: Life) -> None:
    life.delete(0, 64)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 60, 63), (1, 60, 63)]
    life.live(70, 72)  # the first batch tells; there is no checkpoint
    assert life.task.totals().inputs.lost == 8
    before = life.task.digest()
    for _ in range(2):
        assert life.restart() == []
        assert (life.task.totals().inputs.lost, life.task.digest()) == (8, before)


def test_where_all_that_the_journal_names_is_deleted_the_loss_counts_once_too(life: Life) -> None:
    life.delete(0, 70)
    life.delete(1, 70)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 60, 69), (1, 60, 69)]
    life.live(70, 71, batch=1)
    before = life.task.digest()
    assert life.restart() == []
    assert (life.task.totals().inputs.lost, life.task.digest()) == (20, before)


def test_what_retention_deletes_after_a_loss_was_told_counts_beside_it(life: Life) -> None:
    life.delete(0, 64)
    life.restart()
    life.live(70, 72)
    life.delete(0, 67)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 64, 66), (1, 64, 66)]
    life.live(72, 73)
    assert life.task.totals().inputs.lost == 14
    assert life.restart() == []
    assert life.task.totals().inputs.lost == 14


def test_where_the_batch_that_told_is_deleted_too_what_it_told_counts_in_what_is_told_anew(life: Life) -> None:
    life.delete(0, 64)
    life.restart()
    life.live(70, 71)
    life.live(71, 73)
    life.delete(0, 71)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 60, 70), (1, 60, 70)]
    life.live(73, 74)
    assert life.task.totals().inputs.lost == 22


def test_an_older_checkpoint_tells_what_only_it_has_not_learned(life: Life) -> None:
    life.delete(0, 64)
    life.restart()
    life.live(70, 72)
    newest = life.standing.generations[-1].manifest
    life.shelf.damage = lambda record: record._replace(value=b"?") if record.offset == newest else record
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 40, 59), (1, 40, 59)]
    life.live(72, 73)
    assert life.task.totals().inputs.lost == 48


def test_what_was_deleted_unread_is_no_part_of_what_a_recovery_could_not_feed_again(life: Life) -> None:
    life.intake.lose(0, Lost("events", 70, 74))
    life.shelf.ends[EVENTS] = 75
    life.live(75, 76)
    assert life.task.totals().inputs.lost == 5
    life.delete(0, 61)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 60, 60), (1, 60, 60)]
    life.live(76, 77)
    assert life.task.totals().inputs.lost == 7
    assert life.restart() == []
    assert life.task.totals().inputs.lost == 7


spans = st.tuples(st.integers(0, 1), st.integers(0, 30), st.integers(0, 10))


@given(st.lists(spans, max_size=4), st.lists(spans, max_size=4))
def test_what_is_left_of_losses_is_what_is_in_them_and_not_in_the_others(first: Any, second: Any) -> None:
    def losses(made: Any) -> list[Loss]:
        return [(side, Lost(str(side), begin, begin + length)) for side, begin, length in made]

    def offsets(losses: list[Loss]) -> set[tuple[int, int]]:
        return {(side, offset) for side, loss in losses for offset in range(loss.first, loss.last + 1)}

    left = without(losses(first), losses(second))
    assert offsets(left) == offsets(losses(first)) - offsets(losses(second))
    assert all(loss.first <= loss.last for _, loss in left)


# ------------------------------------------------------------------------------------------- in its place


@pytest.mark.parametrize("ordered", [True, False])
def test_what_was_fetched_before_a_gap_is_fed_before_it_is_told_of(ordered: bool) -> None:
    own = intake(at(1, 2, 3), [], ordered=ordered)
    own.lose(0, Lost("events", 3, 9))
    own.offer(0, at(8, first=10))
    batches = []
    while (batch := own.take(2, nobody)) is not None:
        batches.append((batch.mark.sides, batch.mark.end.offsets[0]))
    # At no commit does the position lie beyond what was fed and told.
    assert batches == [([0, 0], 2), ([0, LOST], 10), ([0], 11)]


def test_records_from_before_the_place_are_not_fed_again() -> None:
    own = intake(at(1, 2, 3), [])
    own.take(2, nobody)
    again = Intake(own.decode, own.place, ordered=True)
    again.offer(0, at(1, 2))
    assert again.fetched == 0
    again.offer(0, at(1, 2, 3))
    batch = again.take(10, nobody)
    assert batch is not None
    assert [record.offset for record in batch.mark.records] == [2]


# ------------------------------------------------------------------------------------------- by the transport


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[KafkaTransport, FailingGroup]:
    """No test waits for real, and a producer is nothing."""
    monkeypatch.setattr("consumers.kafka.outage.time.sleep", lambda _: None)
    nothing = SimpleNamespace(start=lambda: None, close=lambda: None)
    monkeypatch.setattr(transports, "Publisher", lambda *_: nothing)
    return led()


class Committer:
    """Commits at once."""

    ended = 0.0

    def commit(self, standing: Standing, entry: Any, *_: Any) -> Future[Standing]:
        done: Future[Standing] = Future()
        done.set_result(Standing(entry.number, Place(list(entry.end), entry.clock), [], {}))
        return done

    def close(self) -> None:
        pass


def commit(transport: KafkaTransport, batch: Batch) -> None:
    transport.owned["0"].committer = Committer()  # type: ignore[assignment] # as much of one as is asked for
    transport.commit("0", batch, Outputs([], [], [], []), None).wait()


def arrived(transport: KafkaTransport, polls: int = 3) -> list[Batch]:
    notices = [notice for _ in range(polls) for notice in transport.poll(4, 0.0)]
    return [notice.batch for notice in notices if isinstance(notice, Arrived)]


def losses(batches: list[Batch]) -> list[Lost]:
    return [made for batch in batches for made in batch.inputs if isinstance(made, Lost)]


@pytest.mark.parametrize("failing", [set(), {1}, {1, 2}])
def test_what_a_recovery_owes_is_told_although_a_batch_was_fed_in_parts_before_that(
    world: tuple[KafkaTransport, FailingGroup], failing: set[int]
) -> None:
    transport, group = world
    held = transport.owned["0"]
    owed = (0, Lost("events", 0, 4))
    held.standing = Standing(3, Place([5, 5], 1.0), [], {})
    held.intake = Intake(held.intake.decode, Place([5, 5], 1.0), ordered=True)  # type: ignore[union-attr]
    held.owed = [owed]
    held.intake.owe(held.owed)
    held.standing = Standing(4, Place([7, 5], 1.0), [], {})  # two records have been fed one at a time
    group.fails = {"seek": failing}
    group.calls.clear()
    group.fetched = [{EVENTS: [event(i) for i in range(5, 10)]}]  # from where the recovery had sought
    batches = arrived(transport, 6)
    assert losses(batches) == [owed[1]]
    assert group.sought == {EVENTS: 7, LABELS: 5}
    offsets = [made.offset for batch in batches for made in batch.inputs if isinstance(made, Event)]
    assert offsets in ([7, 8, 9], [])  # where the seek failed, what came meanwhile comes again
    commit(transport, batches[0])
    assert held.owed == []


def test_what_a_recovery_owes_and_a_part_of_a_batch_has_told_is_not_told_again(
    world: tuple[KafkaTransport, FailingGroup],
) -> None:
    transport, _ = world
    held = transport.owned["0"]
    begin, lost = Place([5, 5], 1.0), Lost("events", 0, 4)
    held.standing = Standing(3, begin.copy(), [], {})
    held.intake = Intake(held.intake.decode, begin.copy(), ordered=True)  # type: ignore[union-attr]
    held.owed = [(0, lost)]
    held.intake.owe(held.owed)
    end = Place([6, 5], 1.0)
    record = event(5)
    made = held.intake.decode(0, record)
    mark = Mark([LOST, 0], [None, record], begin, end, {}, {0: lost})
    commit(transport, Batch([lost, made], mark))  # what the worker has taken apart, behind its recovery
    assert losses(arrived(transport)) == []


def test_what_a_recovery_owes_is_told_although_the_task_is_recovered_once_more_with_its_memory(
    world: tuple[KafkaTransport, FailingGroup],
) -> None:
    transport, group = world
    held = transport.owned["0"]
    standing = Standing(3, Place([5, 5], 1.0), [], {})
    held.owed = [(1, Lost("labels", 0, 4))]
    held.recoverer.standing = lambda _: standing  # type: ignore[method-assign]
    held.recoverer.begins_with = lambda _: None  # type: ignore[method-assign]
    assert transport.recover("0").number == 3  # nothing is loaded: the worker has it in memory
    assert losses(arrived(transport)) == [Lost("labels", 0, 4)]
    assert group.sought == {EVENTS: 5, LABELS: 5}


@pytest.mark.parametrize("failing", ["begins", "seek", ""])
def test_a_gap_that_grows_while_it_is_found_is_told_as_one(
    world: tuple[KafkaTransport, FailingGroup], failing: str
) -> None:
    transport, group = world
    gap = kafka_errors.OffsetOutOfRangeError({EVENTS: 0})
    group.fails = {failing: {1}}
    group.calls.clear()
    group.fetched = [gap]
    group.begin[EVENTS] = 20
    transport.poll(4, 0.0)
    group.fetched = [gap, {EVENTS: [event(i) for i in range(30, 32)]}]
    group.begin[EVENTS] = 30
    batches = arrived(transport, 5)
    told = losses(batches)
    assert sum(loss.records for loss in told) == 30
    assert (told[0].first, told[-1].last) == (0, 29)
    assert [made.offset for batch in batches for made in batch.inputs if isinstance(made, Event)] == [30, 31]
    assert group.sought[EVENTS] == 30


def test_a_gap_that_grows_before_it_was_told_is_told_once(world: tuple[KafkaTransport, FailingGroup]) -> None:
    transport, group = world
    gap = kafka_errors.OffsetOutOfRangeError({EVENTS: 0})
    group.end[LABELS] = 5  # so that labels are waited for, and nothing is told meanwhile
    for begin in (20, 30):
        group.fetched = [gap]
        group.begin[EVENTS] = begin
        assert arrived(transport, 1) == []
    group.end[LABELS] = 0
    told = losses(arrived(transport))
    assert [(loss.first, loss.last) for loss in told] == [(0, 19), (20, 29)]


def test_a_broker_that_does_not_answer_while_a_task_is_left_ends_nothing(
    world: tuple[KafkaTransport, FailingGroup],
) -> None:
    transport, group = world
    group.fails = {"pause": {1}}
    group.calls.clear()
    transport.leave("0")
    assert transport.owned["0"].intake is None
    group.fetched = [{EVENTS: [event(0)]}]
    assert arrived(transport) == []
    transport.leave("0")
    assert group.paused == {EVENTS, LABELS}
