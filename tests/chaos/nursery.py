"""Where workers are born and die: imports once what takes seconds, then forks a child for each worker.

Reads one order a line on standard input, in JSON, and answers each with a line:

- ``{"start": WORDS, "log": PATH, ...}``: the command ``rotwatch WORDS`` in a child of its own; gives ``{"pid"}``. With
  ``die`` = [step, nth] the child kills itself when a commit reaches that step for the nth time; with ``always`` every
  commit has a checkpoint. SIGUSR1 lets it kill itself at its next step of ``inside``, SIGUSR2 stop (SIGSTOP) there.
- ``{"ended": PID}``: gives ``{"code"}``, minus the signal that killed it, or null while it lives.

At the end of its input it kills all that live; where it is killed itself, they go with it.
"""

import ctypes
import functools
import importlib
import json
import os
import random
import signal
import sys
import traceback
from typing import Any

import consumers.service
from consumers import cli
from consumers.running import Running

# What a worker would import by and by, once for all of them.
for name in ("consumers.plans", "prometheus_client", "river.linear_model", "skops.io", "sklearn.linear_model"):
    importlib.import_module(name)

DEATH_OF_PARENT = 1
"""prctl's PR_SET_PDEATHSIG; Linux only, elsewhere what a killed run has left goes on."""

FATES = {signal.SIGUSR1: signal.SIGKILL, signal.SIGUSR2: signal.SIGSTOP}


class Steps:
    """Hears the steps of a worker's commits, and does to it there what was ordered."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.die = order.get("die")
        self.inside = order.get("inside", ["offsets", "commit"])
        self.chance = random.Random(order.get("seed", 0))
        self.seen = 0
        self.wanted: tuple[int, str] | None = None
        for number in FATES:
            signal.signal(number, self.hear)

    def hear(self, number: int, _frame: object) -> None:
        self.wanted = FATES[signal.Signals(number)], self.chance.choice(self.inside)

    def __call__(self, step: str) -> None:
        if self.die is not None:
            self.seen += step == self.die[0]
            if self.seen == self.die[1]:
                self._do(signal.SIGKILL, step)
        if self.wanted is not None and self.wanted[1] == step:
            fate, self.wanted = self.wanted[0], None
            self._do(fate, step)

    def _do(self, fate: int, step: str) -> None:
        os.write(2, json.dumps({"event": f"{signal.Signals(fate).name} to itself", "step": step}).encode() + b"\n")
        os.kill(os.getpid(), fate)


def live(order: dict[str, Any]) -> int:
    """A worker's life, in this process; gives its exit code."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_OF_PARENT, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order.get("always"):
        assert callable(Running.due)
        Running.due = lambda *_: True  # type: ignore[method-assign]
    consumers.service.serve = functools.partial(consumers.service.serve, at_step=Steps(order))
    sys.argv = ["rotwatch", "--log-format", "json", "--log-level", "info", *order["start"]]
    try:
        cli.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:  # noqa: BLE001 - the log shows it
        traceback.print_exc()
        return 70
    return 0


def serve() -> None:
    """Take orders until there are no more."""
    living: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any]
        if "start" in order:
            pid = os.fork()
            if pid == 0:
                code = live(order)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
            living.add(pid)
            answer = {"pid": pid}
        else:
            found, status = os.waitpid(order["ended"], os.WNOHANG)
            living.discard(found)
            answer = {"code": os.waitstatus_to_exitcode(status) if found else None}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in living:  # not reaped yet, so each is still the child that it was
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
