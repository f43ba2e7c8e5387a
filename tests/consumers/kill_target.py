"""Replays for tests that kill them: imports once what takes seconds, then forks a child for each replay.

Reads one order a line on standard input, in JSON: the keys that ``plan``, ``run`` and ``wait`` read. Answers with a
line {"status", "error"} when the child has ended: an exit code, or minus the signal that killed it. With ``step`` and
``nth`` the child kills itself when a commit reaches that step for the nth time; with ``signal`` and ``after`` it is
sent a signal after so many seconds.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import consumers.replay
import consumers.running
from consumers import logs
from consumers.order import Delay
from consumers.replay import Plan, replay
from consumers.sources import open_source
from stream.config import Duration, Features, Labels, Stream, Worker
from stream.errors import RotwatchError

STREAM = Stream(
    kind="binary",
    classes=["ham", "spam"],
    features=Features(text=["subject", "body"]),
    online="logistic",
    baseline="logistic",
)


def plan(order: dict[str, Any]) -> Plan:
    """The replay that an order asks for."""
    labels = Labels(
        maturity=Duration(order.get("maturity", 0)), ttl=Duration(3 * 3600), capacity=order.get("capacity", 100_000)
    )
    return Plan(
        name="spam",
        source=open_source(order["inputs"]),
        stream=replace(STREAM, labels=labels),
        labels=open_source(order["labels"]) if order.get("labels") else None,
        delay=Delay(**order.get("delay", {})),
        warm_up=500,
        segment=1_000,
        out=Path(order["out"]),
        worker=Worker(batch=order.get("batch", 64), checkpoint_every=Duration(0.05)),
    )


def run(order: dict[str, Any], error_file: Path) -> int:
    """Replay in this process: 0 when it has ended, 3 when it was asked to stop, 2 with the line of a known error."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    if order.get("checkpoint_always"):
        consumers.running.Running.due = lambda *_: True  # type: ignore[method-assign]
    seen = 0

    def at_step(step: str) -> None:
        nonlocal seen
        seen += step == order.get("step")
        if seen == order.get("nth"):
            os.kill(os.getpid(), signal.SIGKILL)

    write = consumers.replay.write_results

    def write_results(*arguments: Any) -> None:
        at_step("results")
        write(*arguments)
        at_step("results written")

    consumers.replay.write_results = write_results
    try:
        return 0 if replay(plan(order), stop=lambda: bool(asked), at_step=at_step) else 3
    except RotwatchError as error:
        error_file.write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        return 2
    except Exception:  # noqa: BLE001 - the test is told, and fails on it
        error_file.write_text(traceback.format_exc(), encoding="utf-8")
        return 1


def wait(pid: int, order: dict[str, Any]) -> int:
    """A child's end; meanwhile send it its signal, while it surely is that child."""
    due = time.monotonic() + order["after"] if "signal" in order else None
    while True:
        found, status = os.waitpid(pid, 0 if due is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if due is not None and time.monotonic() >= due:
            os.kill(pid, order["signal"])
            due = None
        else:
            time.sleep(0.002)


def serve(error_file: Path) -> None:
    """Take orders until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        error_file.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            os._exit(run(order, error_file))
        status = wait(pid, order)
        error = error_file.read_text(encoding="utf-8") if error_file.exists() else ""
        sys.stdout.write(json.dumps({"status": status, "error": error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    logs.configure("text", "error")
    serve(Path(sys.argv[1]))
