"""Several workers on a machine: each is started again when it dies, all end when the first process is asked to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers import pool
from stream.testing import ManualClock
from tests.chaos.workers import await_

ROOT = Path(__file__).parents[2]

POOL = """
import sys
from pathlib import Path
from consumers import pool
pool._single = lambda argv: [sys.executable, "-c", Path("worker.py").read_text()]
sys.exit(pool.run(2, 9400))
"""

# Says when it begins, and how it ends. Files named by its port tell it what to do meanwhile.
WORKER = """
import os, sys, time
from pathlib import Path
from consumers import pool
stop = pool.stopping()
port = sys.argv[2]
def told(what):
    return Path(what + "-" + port).exists()
def say(what):
    with Path("said").open("a") as file:
        file.write(f"{what} {port} {os.getpid()}\\n")
say("began")
while not stop():
    if told("wrong"):
        sys.exit(2)
    time.sleep(0.02)
try:
    while told("busy"):
        time.sleep(0.02)
except KeyboardInterrupt:
    say("broken-off")
    sys.exit(1)
if told("fails"):
    sys.exit(5)
say("drained")
"""


class Pool:
    """Two such workers under ``pool.run``, which is in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "worker.py").write_text(WORKER, "utf-8")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", POOL],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    def said(self, what: str) -> list[tuple[int, int]]:
        """The port and the process id of each worker that has said so, by ports."""
        file = self.folder / "said"
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return sorted((int(port), int(pid)) for said, port, pid in map(str.split, lines) if said == what)

    def ports(self, what: str) -> list[int]:
        """The port of each worker that has said so."""
        return [port for port, _ in self.said(what)]

    def tell(self, what: str, port: int) -> None:
        """Tell the worker of a port what to do."""
        (self.folder / f"{what}-{port}").touch()

    def until(self, what: Callable[[], Any]) -> None:
        """Wait until something is so."""
        await_("what the pool is to do", what, 20.0, 0.02, lambda: (self.folder / "log").read_text("utf-8"))

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        """Kill what lives."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for _, pid in self.said("began"):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Pool]:
    made = Pool(tmp_path)
    try:
        made.until(lambda: made.ports("began") == [9400, 9401])
        yield made
    finally:
        made.close()


def test_each_worker_is_a_process_with_a_port_of_its_own_and_all_drain_at_sigterm(two: Pool) -> None:
    assert len({pid for _, pid in two.said("began")} | {two.process.pid}) == 3
    assert two.stop() == 0
    assert two.ports("drained") == [9400, 9401]


def test_a_worker_that_was_killed_is_started_again_with_its_port_and_the_other_stays(two: Pool) -> None:
    (_, first), (_, second) = two.said("began")
    os.kill(first, signal.SIGKILL)
    two.until(lambda: len(two.said("began")) == 3)
    assert two.ports("began") == [9400, 9400, 9401]
    assert alive(second)
    assert two.stop() == 0
    assert {pid for _, pid in two.said("drained")} == {pid for _, pid in two.said("began")} - {first}


def test_a_worker_that_ends_with_an_error_in_the_settings_ends_all_with_its_code(two: Pool) -> None:
    two.tell("wrong", 9401)
    assert two.process.wait(20) == pool.NO_USE
    assert two.ports("drained") == [9400]


def test_a_worker_that_fails_at_the_drain_gives_the_pool_its_exit_code(two: Pool) -> None:
    two.tell("fails", 9401)
    assert two.stop() == 5
    assert two.ports("drained") == [9400]


def test_a_worker_that_is_killed_at_the_drain_gives_the_exit_code_that_a_shell_would_give(two: Pool) -> None:
    two.tell("busy", 9400)
    two.process.send_signal(signal.SIGTERM)
    two.until(lambda: two.ports("drained") == [9401])
    os.kill(two.said("began")[0][1], signal.SIGKILL)
    assert two.process.wait(20) == 128 + signal.SIGKILL


def test_workers_whose_first_process_was_killed_drain_by_themselves(two: Pool) -> None:
    two.process.kill()
    two.process.wait()
    two.until(lambda: two.ports("drained") == [9400, 9401])
    assert two.process.returncode == -signal.SIGKILL


def test_a_second_sigterm_is_passed_on_and_ends_workers_that_still_drain(two: Pool) -> None:
    two.tell("busy", 9400)
    two.tell("busy", 9401)
    two.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert two.process.poll() is None  # it waits for them
    assert two.stop() != 0
    assert two.ports("broken-off") == [9400, 9401]


class Process:
    """A worker that dies after some seconds on the clock."""

    def __init__(self, clock: ManualClock, lives: float) -> None:
        self.clock = clock
        self.dies = clock.monotonic() + lives

    def poll(self) -> int | None:
        return -9 if self.clock.monotonic() >= self.dies else None

    def terminate(self) -> None:
        pass

    def wait(self) -> int:
        return 0


def pauses(monkeypatch: pytest.MonkeyPatch, lives: list[float]) -> list[float]:
    """The pauses after workers that lived for so many seconds, one after the other, and died."""
    clock, left = ManualClock(), iter([*lives, 1e9])
    began: list[float] = []

    def start(*_: Any) -> Process:
        began.append(clock.monotonic())
        return Process(clock, next(left))

    monkeypatch.setattr(pool, "time", clock)
    monkeypatch.setattr(pool, "_start", start)
    monkeypatch.setattr(pool, "stopping", lambda: lambda: len(began) > len(lives) or clock.monotonic() > 7_200)
    assert pool.run(1, None) == 0
    return [began[i + 1] - began[i] - lives[i] for i in range(len(lives))]


def test_one_that_dies_again_and_again_is_started_after_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pauses(monkeypatch, [1.0] * 8) == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30], abs=0.5)


def test_one_that_has_lived_for_some_minutes_and_dies_is_started_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = [1.0, 1.0, 1.0, pool.LIVED_LONG + 1, 1.0, pool.LIVED_LONG - 20]
    assert pauses(monkeypatch, lives) == pytest.approx([1, 2, 4, 1, 2, 4], abs=0.5)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (["--workers", "3", "--metrics-port", "9400"], []),
        (["--workers=3", "--metrics-port=9400", "--warm-up", "w.jsonl"], ["--warm-up", "w.jsonl"]),
    ],
)
def test_workers_get_the_same_command_without_the_number_and_the_port(given: list[str], made: list[str]) -> None:
    command = pool._single(["rotwatch", "--log-format", "json", "consume", *given, "--stream", "spam"])
    assert command[1:] == ["-m", "consumers.cli", "--log-format", "json", "consume", *made, "--stream", "spam"]


@pytest.mark.parametrize(("port", "words"), [(None, []), (0, ["--metrics-port", "0"])])
def test_no_port_and_any_free_port_are_the_same_for_all_workers(
    monkeypatch: pytest.MonkeyPatch, port: int | None, words: list[str]
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(pool.subprocess, "Popen", lambda command, **_: started.append(command))
    for index in range(2):
        pool._start(["worker"], index, port)
    assert started == [["worker", *words]] * 2
