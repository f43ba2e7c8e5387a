"""More than one worker on a machine: a process each, since one process has one interpreter's lock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import structlog

from consumers.retries import MOST_PAUSE

log = structlog.get_logger()

PARENT = "ROTWATCH_PARENT"
"""Says to a worker which process started it: when that has died, the worker drains too."""

NO_USE = 2
"""The exit code of an error that another try does not mend."""


def stopping() -> Callable[[], bool]:
    """Whether somebody wants the process to end: SIGTERM or SIGINT, or its parent has died. Asked twice, it ends."""
    asked: list[int] = []
    parent = int(os.environ.get(PARENT, "0"))

    def hear(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hear)
    return lambda: bool(asked) or (parent > 0 and os.getppid() != parent)


def run(workers: int, metrics_port: int | None) -> int:
    """Run this very command in so many processes until stopped; gives the exit code.

    A worker that dies is started again, with growing pauses; one that ends with an error in the settings ends all.
    Worker i serves its metrics on ``metrics_port`` + i.
    """
    stop = stopping()
    command = _single(sys.argv)
    running: dict[int, subprocess.Popen[bytes]] = {}
    failures = dict.fromkeys(range(workers), 0)
    due = dict.fromkeys(range(workers), 0.0)
    code = 0
    while not stop() and not code:
        for index in range(workers):
            process = running.get(index)
            if process is None:
                if time.monotonic() >= due[index]:
                    running[index] = _start(command, index, metrics_port)
                continue
            ended = process.poll()
            if ended is None:
                continue
            del running[index]
            if ended == NO_USE:
                code = ended
                break
            failures[index] += 1
            pause = min(MOST_PAUSE, 0.5 * 2 ** min(failures[index], 10))
            due[index] = time.monotonic() + pause
            log.error("worker died; starting another", worker=index, code=ended, pause_seconds=pause)
        time.sleep(0.1)
    for process in running.values():
        process.terminate()
    for process in running.values():
        process.wait()
    return code


def _single(argv: list[str]) -> list[str]:
    """The same command for one worker, without its own port."""
    words: list[str] = []
    leave = False
    for word in argv[1:]:
        if leave:
            leave = False
        elif word in {"--workers", "--metrics-port"}:
            leave = True
        elif not word.startswith(("--workers=", "--metrics-port=")):
            words.append(word)
    return [sys.executable, "-m", "consumers.cli", *words]


def _start(command: list[str], index: int, metrics_port: int | None) -> subprocess.Popen[bytes]:
    port = [] if metrics_port is None else ["--metrics-port", str(metrics_port + index if metrics_port else 0)]
    # In a session of its own: Ctrl-C is for the parent, which passes it on once.
    return subprocess.Popen(  # noqa: S603 - this very program
        [*command, *port], env={**os.environ, PARENT: str(os.getpid())}, start_new_session=True
    )
