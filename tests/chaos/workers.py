"""Workers of a stream, each a process that can be killed, stopped and asked to end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

ROOT = Path(__file__).parents[2]

PATIENCE = 60.0
"""Seconds that a test waits for what must come; only a test that fails takes so long."""


class Died(AssertionError):  # noqa: N818 - says what has happened
    """A worker has ended that should live, or waits for what never comes."""


def await_(
    what: str,
    told: Callable[[], Any],
    patience: float = PATIENCE,
    pause: float = 0.05,
    tail: Callable[[], str] = str,
) -> Any:
    """What ``told`` gives as soon as that is true; raises Died where it never is, with what ``tail`` gives then."""
    deadline = time.monotonic() + patience
    while not (found := told()):
        if time.monotonic() > deadline:
            raise Died(f"not within {patience:g} s: {what}\n{tail()}")
        time.sleep(pause)
    return found


class WorkerProcess:
    """One worker, which runs ``rotwatch WORDS``; ``log`` is its file of JSON lines."""

    def __init__(self, nursery: "Nursery", words: list[str], pid: int, log: Path) -> None:
        self.nursery = nursery
        self.words = words
        self.pid = pid
        self.log = log
        self._code: int | None = None

    @property
    def code(self) -> int | None:
        """The exit code, minus the signal that killed it; None while it lives."""
        if self._code is None:
            self._code = self.nursery.ask({"ended": self.pid})["code"]
        return self._code

    def send(self, number: signal.Signals) -> bool:
        """Send a signal, if it lives: nobody else has its id until its end has been asked for."""
        if self.code is not None:
            return False
        os.kill(self.pid, number)
        return True

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, patience: float = PATIENCE) -> float:
        """SIGTERM; gives the seconds until its orderly end, which it must be."""
        began = time.monotonic()
        assert self.send(signal.SIGTERM), f"ended by itself with {self.code}: {self.tail()}"
        assert self.wait(patience) == 0, f"SIGTERM, and the exit code is {self.code}: {self.tail()}"
        return time.monotonic() - began

    def wait(self, patience: float = PATIENCE) -> int:
        """Its exit code, when it has ended."""
        await_(f"the end of {self.log.stem}", lambda: self.code is not None, patience, 0.01, self.tail)
        assert self._code is not None
        return self._code

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What it has logged, of one kind."""
        return [line for line in self._lines() if not event or line.get("event") == event]

    def joins(self) -> int:
        """How often it has become a member of its group, anew or in a new generation."""
        return sum(line.get("event", "").startswith("Successfully joined group") for line in self._lines())

    def tail(self) -> str:
        """Its last lines, for a test that fails; without the client's."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else ["no log"]
        own = [line for line in lines if '"logger": "kafka.' not in line or '"level": "info"' not in line]
        return "\n".join([f"--- {self.log.name}, ended with {self.code}", *own[-15:]])

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_text("utf-8").splitlines() if self.log.exists() else ():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # a traceback, or a line that the end has cut


class Nursery(Struct):
    """The process that forks workers; may be asked by several threads."""

    process: Any
    folder: Path
    lock: Any
    born: int = 0

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """The answer to an order."""
        with self.lock:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def start(self, words: Sequence[str], **order: Any) -> WorkerProcess:
        """Start ``rotwatch WORDS``; nursery.py says what else can be ordered."""
        with self.lock:
            self.born += 1
            log = self.folder / f"worker-{self.born}.log"
        answer = self.ask({"start": list(words), "log": str(log), "seed": self.born, **order})
        return WorkerProcess(self, list(words), answer["pid"], log)

    def close(self) -> None:
        """Kill all that live."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def open_nursery(folder: Path) -> Nursery:
    """A new one; what workers log goes into the folder."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # who ends the tests' group must not end this before it has cleared up
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    return Nursery(process, folder, threading.Lock())
