"""Several workers on one machine, by ``consume --workers``."""

import os
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.broker.ports import HOST, free_ports
from tests.chaos.audit import check_sent, check_tasks
from tests.chaos.conftest import Make
from tests.chaos.workers import await_


def ready(port: int) -> bool:
    """Whether a worker says that it is."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


def test_workers_of_one_command_share_the_partitions_bear_a_kill_and_drain_together(make: Make, long: bool) -> None:
    if not long:
        pytest.skip("starts three processes from nothing, 25 s: make chaos")
    world = make(partitions=2)
    port = free_ports(1)[0]
    world.send_events(300)
    words = ["--warm-up", str(world.folder / "warm-up.jsonl"), "--workers", "2", "--metrics-port", str(port)]
    workers = world.run("consume", *words)
    await_("both ready", lambda: ready(port) and ready(port + 1), tail=workers.tail)
    world.caught_up()
    first = Path(f"/proc/{workers.pid}/task/{workers.pid}/children").read_text("ascii").split()[0]
    os.kill(int(first), signal.SIGKILL)
    await_("the other alone", lambda: ready(port) != ready(port + 1), pause=0.01, tail=workers.tail)
    world.send_events(300)
    world.caught_up()
    await_("both ready again", lambda: ready(port) and ready(port + 1), tail=workers.tail)
    world.send_flush()
    world.caught_up()
    assert workers.stop() < 10
    assert len(workers.lines("worker died; starting another")) == 1
    check_sent(world, check_tasks(world))
