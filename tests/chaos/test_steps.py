"""A worker that dies at any step of its commits: the next one goes on, and nothing shows of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from consumers.kafka.commit import STEPS
from tests.chaos.audit import check_sent, check_tasks, check_undisturbed
from tests.chaos.conftest import Make
from tests.chaos.world import World

TIMES = (1, 2, 9)
EVENTS = 400
BATCH = 16


def die_and_go_on(world: World, step: str, *, always: bool) -> list[float]:
    """Kill a worker at a step, for each of TIMES, then let one finish; gives the seconds that recoveries took."""
    for nth in TIMES:
        worker = world.start(die=(step, nth), always=always)
        assert worker.wait() == -9, f"at {step}: ended with {worker.code}: {worker.tail()}"
        assert [line["step"] for line in worker.lines("SIGKILL to itself")] == [step]
    world.start(always=always)
    world.caught_up()
    world.stop_all()
    stories = check_tasks(world)
    check_sent(world, stories)
    check_undisturbed(world, stories, BATCH)
    return [line["seconds"] for line in world.log_lines("task recovered")]


def test_a_kill_at_any_step_of_a_commit_loses_nothing_and_counts_nothing_twice(
    make: Make, show: Callable[[str], None]
) -> None:
    cases = [(step, always) for always in (False, True) for step in STEPS if always or step != "checkpoint"]
    worlds = []
    for _ in cases:
        world = make(batch=BATCH, checkpoint_every=3600)
        world.send_events(EVENTS)
        world.send_flush()
        worlds.append(world)
    with ThreadPoolExecutor(8) as pool:
        runs = [
            pool.submit(die_and_go_on, world, step, always=always)
            for world, (step, always) in zip(worlds, cases, strict=True)
        ]
    seconds = []
    for run in runs:
        seconds += run.result()
    show(f"steps: {len(cases) * len(TIMES)} kills at {len(cases)} steps; recoveries took up to {max(seconds):.2f} s")
