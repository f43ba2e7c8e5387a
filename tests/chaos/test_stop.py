"""A worker that is stopped past its session: somebody else takes over, and what it says when it wakes nobody hears."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.chaos.audit import check_sent, check_tasks
from tests.chaos.conftest import Make
from tests.chaos.workers import WorkerProcess, await_
from tests.chaos.world import World

EVENTS = 300

PLACES = ("begin", "outputs", "checkpoint", "settle", "offsets", "commit", "done")
"""Steps of a commit at which it is stopped; and once between two commits, where nothing happens."""


def stopped(worker: WorkerProcess) -> bool:
    """Whether its process is stopped."""
    with open(f"/proc/{worker.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a file of the kernel's
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


def sleep_through(world: World, place: str, session: float, sleep: float) -> str:
    """Stop a worker at a place, let another take over, wake it; gives how it was told."""
    sleeper = world.start(inside=[place], always=True)
    world.send_events(EVENTS)
    world.caught_up()
    other = world.start(inside=[place], always=True)
    await_("the other a member", other.joins)
    world.send_events(EVENTS)
    world.caught_up()
    if other.lines("task recovered"):  # the one partition went to the newcomer
        sleeper, other = other, sleeper
    recovered = len(other.lines("task recovered"))
    number = signal.SIGUSR2 if place else signal.SIGSTOP
    sleeper.send(number)
    world.send_events(EVENTS)
    await_(f"a worker stopped at {place!r}", lambda: stopped(sleeper), tail=sleeper.tail)
    began = time.monotonic()
    world.caught_up()
    world.send_events(EVENTS)
    world.caught_up()
    assert len(other.lines("task recovered")) == recovered + 1, other.tail()
    time.sleep(max(0.0, sleep - (time.monotonic() - began)))
    await_("all labels final", lambda: len(world.read("labelled")) == world.labelled)
    predicted = len(world.read("predictions"))
    sleeper.send(signal.SIGCONT)
    told = ""
    if place and place != "done":
        # Its first call may have run out of time while it slept: then it is not told at once why it failed.
        told = await_(
            "its commit fails",
            lambda: [*sleeper.lines("task fenced"), *sleeper.lines("trying again")],
            tail=sleeper.tail,
        )[0]["reason"]
    # It is a member again, and of use: the only one that there is.
    time.sleep(session)
    assert len(world.read("predictions")) == predicted, "it answered after it woke"
    assert len(world.read("labelled")) == world.labelled, "it published after it woke"
    other.stop()
    world.send_events(EVENTS)
    world.send_flush()
    world.caught_up()
    world.stop_all()
    check_sent(world, check_tasks(world))
    return f"{place or 'between commits'}: {told.split(':', 1)[-1].strip()[:60]}"


def test_a_worker_stopped_past_its_session_publishes_nothing_when_it_wakes_and_is_of_use_again(
    make: Make, long: bool, show: Callable[[str], None]
) -> None:
    session, sleep = (6.0, 30.0) if long else (2.0, 5.0)
    places = ("", *PLACES)
    worlds = [make(session=session, checkpoint_every=3600) for _ in places]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda world, place: sleep_through(world, place, session, sleep), worlds, places))
    show(f"stop: {sleep:g} s of sleep, session {session:g} s; told at {'; '.join(told)}")
