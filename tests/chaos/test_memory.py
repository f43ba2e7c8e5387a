"""What a rebalance must not cost: tasks that stay, and workers that wait."""

from tests.chaos.audit import check_sent, check_tasks
from tests.chaos.conftest import Make
from tests.chaos.workers import WorkerProcess, await_


def recovered(worker: WorkerProcess) -> list[str]:
    """The tasks that a worker has restored, in order."""
    return [line["task"] for line in worker.lines("task recovered")]


def test_a_task_that_stays_where_it_is_over_rebalances_keeps_its_memory(make: Make) -> None:
    world = make(partitions=2)
    first = world.start()
    world.send_events(500)
    world.caught_up()
    assert sorted(recovered(first)) == ["0", "1"]
    second = world.start()
    await_("the second has one of the two", lambda: recovered(second))
    world.send_events(500)
    world.caught_up()
    assert len(recovered(first)) == 2, "the one that stayed was restored"
    moved = recovered(second)
    second.stop()
    await_("the first has both again", lambda: len(recovered(first)) > 2)
    world.send_events(500)
    world.send_flush()
    world.caught_up()
    assert recovered(first)[2:] == moved, "only what was away comes back from its state"
    assert first.code is None
    world.stop_all()
    check_sent(world, check_tasks(world))


def test_a_worker_without_a_partition_stands_by_and_takes_over(make: Make) -> None:
    world = make(partitions=1)
    first = world.start()
    world.send_events(300)
    world.caught_up()
    second = world.start()
    await_("the second a member", second.joins)
    world.send_events(300)
    world.caught_up()
    busy, idle = (second, first) if recovered(second) else (first, second)
    assert idle.code is None, idle.tail()
    busy.kill()
    world.send_events(300)
    world.send_flush()
    world.caught_up()
    assert recovered(idle), "it has taken over"
    world.stop_all()
    check_sent(world, check_tasks(world))
