"""Replay: a file's events through scorer and monitor, as if they came now; the data scientist's door.

The first rows are the warm-up: with their labels they train both models. From then on each event is predicted before
its label is known. With an output folder the state lives in one SQLite file there, so that a replay that was killed
goes on where it was; when all is done the folder holds the results, and the state file goes.
"""

import fcntl
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from consumers.local import LocalTransport
from consumers.observer import Observer
from consumers.plans import Plan
from consumers.results import RESULTS, Results, write_results
from consumers.seal import default_key_file, load_keys, make_key
from consumers.start import Run
from consumers.store import Store
from consumers.worker import Worker
from stream.chain import Chain
from stream.config import Stream
from stream.drift.comparing import Compared
from stream.errors import StateError
from stream.judging import limits
from stream.records import Alarm

STATE = "state.sqlite"


class Progress(Observer):
    """Hears each commit; ``begun`` is how many events had been read when this process took over."""

    def __init__(self, listeners: Sequence[Observer] = ()) -> None:
        self.listeners = listeners
        self.begun: int | None = None

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Pass it on."""
        if self.begun is None:
            self.begun = totals.scoring.inputs.events
        for listener in self.listeners:
            listener.committed(task, totals, inputs, seconds)

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.recovered(task, seconds, batches)

    def waiting(self, task: str, reason: str) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.waiting(task, reason)

    def alive(self) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.alive()

    def revoked(self, task: str) -> None:
        """Pass it on."""
        for listener in self.listeners:
            listener.revoked(task)


def replay(
    plan: Plan,
    listeners: Sequence[Observer] = (),
    stop: Callable[[], bool] = lambda: False,
    at_step: Callable[[str], None] = lambda _: None,
) -> Results | None:
    """Run a plan to its end and answer with the results; None if ``stop`` said so first.

    Raises SettingError, SourceError, TrainingError, StateError, ModelError and TransportError. ``at_step`` hears each
    step of a commit.
    """
    with _locked(plan.out):
        store, started = _open_store(plan, at_step)
        try:
            run = Run(plan, store, started)
            progress = Progress(listeners)
            transport = LocalTransport(store, run.order, plan.speed)
            worker = Worker(
                transport,
                lambda _: run.task(),
                batch=plan.worker.batch,
                checkpoint_every=plan.worker.checkpoint_every,
                retries=5,
                observer=progress,
                stop=stop,
            )
            began, cpu = time.perf_counter(), time.process_time()
            ended = worker.run()
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            if not ended:
                return None
            chain = worker.tasks["replay"].task
            assert isinstance(chain, Chain)  # noqa: S101 - run.task makes nothing else
            return _finish(plan, store, run, chain, _Spent(took, cpu, progress.begun or 0))
        finally:
            store.close()


class _Spent(Struct):
    """What this process took: wall and CPU seconds, and the events that others had read before it."""

    seconds: float
    cpu_seconds: float
    before: int


def _open_store(plan: Plan, at_step: Callable[[str], None]) -> tuple[Store, float]:
    path = None
    if plan.out is not None:
        path = plan.out / STATE
        try:
            if plan.fresh:
                for name in [STATE, f"{STATE}-wal", f"{STATE}-shm", *RESULTS]:
                    (plan.out / name).unlink(missing_ok=True)
            elif (plan.out / "summary.json").exists() and not path.exists():
                raise StateError(f"{plan.out}: holds a finished replay; name another --out, or begin anew with --fresh")
            probe = plan.out / f".write-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise StateError(f"{plan.out}: results cannot be written there: {error.strerror}") from error
        key_file = Path(plan.worker.checkpoint_key_file or default_key_file())
        make_key(key_file)
        key = load_keys(key_file)[0]
    else:
        key = os.urandom(32)
    keep = ("predictions", "alarms", "dead_letters") if path is not None else ("alarms",)
    return Store(path, key, keep, at_step), time.time()


@contextmanager
def _locked(folder: Path | None) -> Iterator[None]:
    """Has the output folder to itself, made where it is not there; raises StateError where another replay has it."""
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StateError(f"{folder}: results cannot be written there: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{folder}: another replay is at work there; wait for it, or name another --out") from None
        yield
    finally:
        os.close(handle)


def _finish(plan: Plan, store: Store, run: Run, chain: Chain, spent: _Spent) -> Results:
    totals = chain.totals()
    board = chain.board
    assert board is not None  # noqa: S101 - task() always puts one in
    alarms = [alarm for lines in store.outputs("alarms") for alarm in msgspec.json.Decoder(Alarm).decode_lines(lines)]
    results = Results(
        stream=plan.name,
        settings=run.settings.stream,
        totals=totals,
        models=board.models(),
        segments=board.segments(),
        cards_left_out=None if board.cards is None else {"late": board.cards.late, "beyond": board.cards.beyond},
        alarms=alarms,
        retrains=[] if chain.refitting is None else chain.refitting.done,
        compared=_compared(chain, run.settings.stream),
        unused=run.unused,
        left_out=run.settings.left_out,
        seconds=spent.seconds,
        cpu_seconds=spent.cpu_seconds,
        events_per_second=(totals.scoring.inputs.events - spent.before) / max(spent.seconds, 1e-9),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        digest=chain.digest(),
        history=chain.history,
    )
    if plan.out is not None:
        write_results(plan.out, results, store, plan.form)
        store.close()  # takes its side files away with it, so that a kill leaves either the state or only results
        for name in (STATE, f"{STATE}-wal", f"{STATE}-shm"):
            (plan.out / name).unlink(missing_ok=True)
    return results


def _compared(chain: Chain, stream: Stream) -> list[Compared]:
    if chain.comparing is None:
        return []
    return chain.comparing.compare(limits(stream), stream.seed, time.process_time)
