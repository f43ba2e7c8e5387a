"""More than one worker on a machine: a process each, since one process has one interpreter's lock."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from msgspec import Struct

from consumers.retries import MOST_PAUSE

log = structlog.get_logger()

PARENT = "ROTWATCH_PARENT"
"""Says to a worker which process started it: when that has died, the worker drains too."""

NO_USE = 2
"""The exit code of an error that another try does not mend."""

LIVED_LONG = 300.0
"""Seconds; when a worker that has lived for so long dies, that is no part of a loop of crashes."""


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


class Seat(Struct):
    """Where worker ``index`` sits: its process while it lives, and how often it has died since one lived for long."""

    index: int
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    failures: int = 0
    due: float = 0.0


def run(workers: int, metrics_port: int | None) -> int:
    """Run this very command in so many processes until stopped; gives the exit code.

    A worker that dies is started again, with growing pauses; one that ends with an error in the settings ends all.
    Worker i serves its metrics on ``metrics_port`` + i. The code is that of the first that did not end in order.
    """
    stop = stopping()
    command = _single(sys.argv)
    seats = [Seat(index) for index in range(workers)]
    code = 0
    with suppress(KeyboardInterrupt):  # asked twice before the workers could be asked once: that was once
        while not stop() and not code:
            for seat in seats:
                code = code or _look_after(seat, command, metrics_port)
            time.sleep(0.1)
    undrained = _drain(seats)
    return code or undrained


def _look_after(seat: Seat, command: list[str], metrics_port: int | None) -> int:
    """Start a worker that is to live and does not; gives NO_USE where that is of no use."""
    now = time.monotonic()
    if seat.process is None:
        if now >= seat.due:
            seat.process, seat.began = _start(command, seat.index, metrics_port), now
        return 0
    ended = seat.process.poll()
    if ended is None:
        return 0
    seat.process = None
    if ended == NO_USE:
        return NO_USE
    seat.failures = 1 if now - seat.began >= LIVED_LONG else seat.failures + 1
    pause = min(MOST_PAUSE, 0.5 * 2 ** min(seat.failures, 10))
    seat.due = now + pause
    log.error("worker died; starting another", worker=seat.index, code=ended, pause_seconds=pause)
    return 0


def _drain(seats: list[Seat]) -> int:
    """Let all end; gives the exit code of the first that did not do so in order, as a shell would, 0 of none."""
    living = [(seat.index, seat.process) for seat in seats if seat.process is not None]
    _ask(living)
    try:
        return next(filter(None, [_end(index, process) for index, process in living]), 0)
    except KeyboardInterrupt:  # asked again: so are they
        _ask(living)
        for index, process in living:
            _end(index, process)
        raise


def _ask(living: list[tuple[int, subprocess.Popen[bytes]]]) -> None:
    for _, process in living:
        process.terminate()


def _end(index: int, process: subprocess.Popen[bytes]) -> int:
    ended = process.wait()
    # One that SIGTERM itself has killed was still starting: it had begun nothing that could be drained.
    if ended in (0, -signal.SIGTERM):
        return 0
    log.error("worker has not drained", worker=index, code=ended)
    return ended if ended > 0 else 128 - ended


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
