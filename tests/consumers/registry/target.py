"""Work on a registry in processes of their own, for tests that kill them or let them run at the same time.

Imports once what takes seconds, then forks a child for each job. Reads one list of jobs a line on standard input, in
JSON: ``uri``, ``verb`` and ``words`` of Registry, ``kill`` and ``when``: at which call of MLflow's client the child
kills itself, before or after it. All jobs of a line begin at the same moment. Answers with a line of [status, error]
each: an exit code, or minus the signal that killed the child.
"""

import json
import os
import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import msgspec

from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from stream.errors import RotwatchError
from stream.training.card import Card

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # as consumers.registry.client has it
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store


def deadly(name: str, when: str) -> None:
    """Have the client's method kill the process."""
    method = getattr(mlflow.MlflowClient, name)

    def die(*words: Any, **more: Any) -> Any:
        if when == "after":
            method(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(mlflow.MlflowClient, name, die)


def work(job: dict[str, Any]) -> None:
    """Do one job."""
    folder = Path(sys.argv[1])
    if "kill" in job:
        deadly(job["kill"], job["when"])
    if "largest" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest"], resource.RLIM_INFINITY))
    words = job["words"]
    if job["verb"] == "add":
        card = msgspec.json.decode((folder / "card.json").read_bytes(), type=Card)
        words = [*words, (folder / "baseline.skops").read_bytes(), card]
    getattr(Registry(Settings(job["uri"])), job["verb"])(*words)


def child(job: dict[str, Any], begin: int, said: int) -> None:
    """Wait for the moment, do the job, say what went wrong; never returns."""
    status = 0
    try:
        os.read(begin, 1)
        work(job)
    except RotwatchError as error:
        status = 2
        os.write(said, f"{type(error).__name__}: {error}".encode()[:4000])
    except BaseException:  # noqa: BLE001 - told to the test
        status = 1
        os.write(said, traceback.format_exc().encode()[-4000:])
    os._exit(status)


def run(jobs: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Run jobs at the same time, and tell how each ended."""
    begin, go = os.pipe()
    children = []
    for job in jobs:
        reading, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            child(job, begin, said)
        os.close(said)
        children.append((pid, reading))
    os.close(begin)
    os.close(go)
    ended = []
    for pid, reading in children:
        with os.fdopen(reading) as error:
            ended.append((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), error.read()))
    return ended


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
