"""Workers under full load, of which a random one is killed again and again."""

import random
import signal
import time
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from tests.chaos.audit import check_monitor, check_sent, check_tasks
from tests.chaos.conftest import Make
from tests.chaos.workers import Died, WorkerProcess, await_
from tests.chaos.world import World


class Storm(Struct):
    """How long to kill how many workers, how far apart, and how many of the kills must hit an open transaction."""

    workers: int
    partitions: int
    seconds: float
    apart: tuple[float, float]
    inside: int
    events: int
    session: float


SHORT = Storm(workers=2, partitions=2, seconds=20, apart=(1.5, 4.0), inside=3, events=5_000, session=2.0)
LONG = Storm(workers=3, partitions=4, seconds=300, apart=(5.0, 20.0), inside=10, events=100_000, session=6.0)

AHEAD = 20_000
"""Events that lie unread at least while the storm lasts, so that workers are at full rate."""


class Kills(Struct):
    """When workers were killed, and how many of them in an open transaction."""

    at: list[float] = []
    inside: int = 0
    monitors: int = 0


def kill_one(world: World, chance: random.Random, kills: Kills) -> None:
    """Kill a worker, the monitor at times, and start another in its place."""
    worker = chance.choice([worker for worker in world.workers if worker.code is None])
    if kills.inside <= len(kills.at) // 2 and _in_transaction(worker):
        kills.inside += 1
    else:
        worker.kill()
    kills.at.append(time.time())
    assert worker.code == -9, f"ended by itself with {worker.code}: {worker.tail()}"
    if worker.words[0] == "monitor":
        kills.monitors += 1
        world.run("monitor")
    else:
        world.start()


def _in_transaction(worker: WorkerProcess) -> bool:
    """Whether it has killed itself behind the records of a transaction, before its end; one at rest does not."""
    worker.send(signal.SIGUSR1)
    try:
        return worker.wait(2.0) == -signal.SIGKILL and bool(worker.lines("SIGKILL to itself"))
    except Died:
        return False


def feed(world: World) -> None:
    """Send more, unless enough lies unread."""
    events = [world.inputs(partition)[0] for partition in range(world.stream.partitions)]
    done = sum(at[0] for at in world.committed(events).values() if at is not None)
    if world.sent - done < AHEAD:
        world.send_events(AHEAD // 4)


def again_at_work(world: World, kills: Kills) -> list[float]:
    """Seconds from each kill to the next moment at which a task had been recovered."""
    lines = world.log_lines("task recovered")
    recovered = sorted(datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines)
    return [next((at - kill for at in recovered if at > kill), float("nan")) for kill in kills.at]


def test_workers_that_are_killed_at_random_under_load_lose_nothing_and_count_nothing_twice(
    make: Make, long: bool, show: Callable[[str], None]
) -> None:
    storm = LONG if long else SHORT
    world = make(partitions=storm.partitions, session=storm.session, checkpoint_every=2)
    chance, kills = random.Random(4), Kills()
    for _ in range(storm.workers):
        world.start()
    world.run("monitor")
    feed(world)
    await_("the first commits", lambda: any(world.committed(world.inputs(0)).values()))
    began = time.monotonic()
    due = began + chance.uniform(*storm.apart)
    while time.monotonic() - began < storm.seconds or kills.inside < storm.inside or world.sent < storm.events:
        feed(world)
        if time.monotonic() >= due:
            kill_one(world, chance, kills)
            due = time.monotonic() + chance.uniform(*storm.apart)
        time.sleep(0.05)
        assert time.monotonic() - began < storm.seconds * 3, f"{kills}, {world.sent} events"
    seconds = time.monotonic() - began
    world.send_flush()
    world.caught_up(180.0)
    world.all_judged()
    world.kill_all()
    stories = check_tasks(world)
    check_sent(world, stories)
    stories.append(check_monitor(world))
    away = again_at_work(world, kills)
    taken = [line["seconds"] for line in world.log_lines("task recovered")]
    show(
        f"bounce: {len(kills.at)} kills in {seconds:.0f} s, {kills.inside} in an open transaction, {kills.monitors} of "
        f"the monitor; {world.sent:,} events, {world.sent / seconds:,.0f}/s; a task recovered "
        f"{sorted(away)[len(away) // 2]:.1f} s (median), {max(away):.1f} s (worst) after a kill (session "
        f"{storm.session:g} s), the recovery itself took {max(taken):.2f} s at most; "
        f"{sum(s.batches for s in stories):,} batches fed again, {sum(s.ticks for s in stories)} ticks"
    )
