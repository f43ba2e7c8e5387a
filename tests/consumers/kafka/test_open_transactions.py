"""The monitor and the first scorer share a partition of state: what one leaves open there hides what the other needs.

A reader of committed data comes no further than the first open transaction. What lies behind is not gone, and not
damaged: a recovery that needs it waits, and one that does not goes on.
"""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from consumers import service, worker
from consumers.kafka import recovery
from consumers.kafka.publisher import Publisher
from consumers.kafka.reader import SOON, Reader
from consumers.kafka.roles import MONITOR, SCORER
from consumers.kafka.upkeep import Upkeep
from stream.errors import StateError, Unavailable
from tests.consumers.kafka.shelf import KEY, Life, Shelf
from tests.consumers.kafka.world import World


@pytest.fixture
def life() -> Life:
    """A task with two checkpoints, and batches behind the newest."""
    life = Life(Shelf())
    for first in (0, 20):
        life.live(first, first + 20, checkpoint=True)
    life.live(40, 50)
    return life


def places(life: Life) -> dict[str, int]:
    """Offsets in the state topic before which another's transaction may have begun."""
    older, newest = life.standing.generations
    return {
        "the older checkpoint": older.first,
        "the newest body": newest.first,
        "the newest manifest": newest.manifest,
        "the first entry": newest.manifest + 2,
        "the last entry": life.shelf.ends[life.state] - 2,
    }


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("what", places(life.__wrapped__()))  # type: ignore[attr-defined] # what the fixture gives
def test_what_is_needed_and_lies_behind_an_open_transaction_is_waited_for(life: Life, what: str, kept: bool) -> None:
    before = life.task.digest()
    life.shelf.open[life.state] = places(life)[what]
    if not kept:
        life.shelf.group.clear()  # then all of the state is needed
    refused = life.recoverer().runtime
    for _ in range(2):
        with pytest.raises(Unavailable, match="a transaction is open"):
            life.restart()
    assert refused.refused_checkpoints == 0
    life.shelf.open.clear()  # it has ended
    assert life.restart() == []
    assert life.task.digest() == before


def test_an_open_transaction_behind_all_that_is_needed_is_not_waited_for(life: Life) -> None:
    before = life.task.digest()
    life.shelf.waited = 0
    life.shelf.open[life.state] = life.shelf.ends[life.state]
    other = life.shelf.append(life.state, b"monitor/journal/1", b"?")
    assert life.shelf.open[life.state] == other
    life.restart()
    assert (life.task.digest(), life.shelf.waited) == (before, 0)
    life.shelf.group.clear()
    with pytest.raises(Unavailable):
        life.restart()  # behind it there may be the newest of this task too


def test_a_checkpoint_that_is_looked_at_behind_an_open_transaction_is_waited_for(life: Life) -> None:
    pointer = life.standing.generations[-1]
    life.shelf.open[life.state] = pointer.manifest
    with pytest.raises(Unavailable):
        life.recoverer().checkpoint(pointer)
    with pytest.raises(Unavailable):
        life.recoverer().manifests([pointer])


def test_a_journal_that_ends_too_early_is_refused_where_no_transaction_is_open(life: Life) -> None:
    last = life.shelf.topics[life.state].pop()
    assert last.key is not None
    assert b"/journal/" in last.key
    with pytest.raises(StateError, match="the journal ends with 49, but 50 was committed"):
        life.restart()
    assert life.shelf.waited > 0


# ------------------------------------------------------------------------------------------- on a real broker


@pytest.fixture
def world(kafka: str, stream_name: str, tmp_path: Any) -> World:
    return World(kafka, stream_name, tmp_path)


@pytest.fixture
def other(world: World) -> Iterator[Publisher]:
    """Another role's producer, with a transaction open in the task's partition of state."""
    made = Publisher(world.connection, f"rotwatch.{world.name}.other", 30.0)
    made.start()
    made.begin()
    yield made
    made.close()


def hold(world: World, other: Publisher) -> None:
    """Write into the state, and leave it open."""
    other.send(f"{world.name}.state", 0, b"monitor/journal/1", b"x", [])
    other.settle()


@pytest.mark.parametrize("commit", [True, False])
def test_a_recovery_waits_for_anothers_transaction_and_goes_on_when_it_has_ended(
    world: World, other: Publisher, commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(20)
    world.work(predictions=20, labelled=20)
    hold(world, other)
    world.send(20)
    world.work(predictions=40, labelled=40)  # a worker with its memory needs nothing of what lies behind; it ends
    ended: list[float] = []

    said: list[str] = []

    def tell(event: str, **fields: object) -> None:
        said.append(f"{event} {fields.get('reason', '')}")

    for module in (worker, recovery):  # whatever level an earlier test has set
        monkeypatch.setattr(module, "log", SimpleNamespace(info=tell, warning=tell, error=tell))

    def stop() -> bool:
        if not ended and sum("a transaction is open" in line for line in said) > 1:
            (other.commit if commit else lambda: other._call(other._active.abort_transaction))()
            other._open = False
            ended.append(time.monotonic())
        return bool(ended) and any("task recovered" in line for line in said)

    deadline = time.monotonic() + 60
    service.serve(
        service.Service(world.settings, world.name, world.stream, SCORER, None, None),
        lambda: stop() or time.monotonic() > deadline,
    )
    assert ended, said
    assert any("task recovered" in line for line in said), said
    assert not any("stopped" in line or "refused" in line for line in said), said
    world.send(10)
    world.work(predictions=50, labelled=50)
    assert [p.event_id for p in world.predictions()] == [f"e{i}" for i in range(50)]


def test_a_reader_tells_when_all_is_settled_and_until_then_that_it_is_not(world: World, other: Publisher) -> None:
    state = TopicPartition(f"{world.name}.state", 0)
    reader = Reader(world.connection)
    assert reader.settled(state) == (0, 0)
    hold(world, other)
    for _ in range(2):  # a broker tells nothing of what has not changed, to one that has asked before
        began = time.monotonic()
        with pytest.raises(Unavailable, match=rf"{state.topic}-0: a transaction is open from offset 0 on"):
            reader.settled(state)
        assert SOON <= time.monotonic() - began < SOON + 5
    other.commit()
    assert reader.settled(state) == (0, 2)  # the record, and the transaction's mark
    assert [len(records) for _, records in reader.read({state: (0, 2)})] == [1]
    reader.close()


def test_state_is_not_begun_anew_over_anothers_open_transaction(world: World, other: Publisher) -> None:
    hold(world, other)
    with Upkeep(MONITOR, world.name, world.stream, world.settings.kafka, [KEY], "code") as opened:
        [placed] = opened.placements
        with pytest.raises(Unavailable, match="a transaction is open"):
            opened.begin(placed, [0, 0], None)
        other.commit()
        opened.begin(placed, [0, 0], None)
        assert opened._living_keys(placed) == []
