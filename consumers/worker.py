"""The one loop of every process: poll, feed, commit.

For each batch:

1. ``poll`` brings the inputs of a task in their order.
2. The task is fed; it answers with outputs and has changed in memory only.
3. ``commit`` makes outputs, position and journal durable as one, and with them a checkpoint when one is due.
4. The task's totals are published; before this nobody sees a count of the batch.

A task that is assigned is restored from its newest checkpoint and fed the batches committed since, its outputs
suppressed: it then stands where it stood. A commit that failed, and a record that broke the code, lead back there.
"""

import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from consumers.observer import Observer
from consumers.transport import Arrived, Assigned, Batch, Drained, Notice, Revoked, Task, Transport
from stream.errors import CommitFailed, Fenced, ModelError, SettingError, TransportError
from stream.records import Outputs

log = structlog.get_logger()

MOST_SKIPS = 10
"""A task stops at this many skips among its last 1,000 inputs: a broken model must not drain the stream."""

CHECKPOINT_SHARE = 50
"""Checkpoints take at most one part in so many of the time."""


class Running(Struct):
    """A task at work: when its last checkpoint was made, and what that cost."""

    task: Task
    checkpoint_at: float
    checkpoint_cost: float = 0.0


class Worker:
    """Runs tasks over a transport until it is stopped or their inputs end.

    ``make`` builds an empty task by its name. ``retries`` is how many failed commits in a row are borne before the
    last one's error is raised; None bears them for ever, with growing pauses. ``stop`` is asked between batches.
    """

    def __init__(
        self,
        transport: Transport,
        make: Callable[[str], Task],
        *,
        batch: int,
        checkpoint_every: float,
        retries: int | None = None,
        observer: Observer | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.transport = transport
        self.make = make
        self.batch = batch
        self.checkpoint_every = checkpoint_every
        self.retries = retries
        self.observer = observer or Observer()
        self.stop = stop
        self.tasks: dict[str, Running] = {}
        self.drained: set[str] = set()
        self.failures: dict[str, int] = {}

    def run(self) -> bool:
        """Work until the inputs end (True), or until ``stop`` says so (False): then with a last checkpoint."""
        try:
            while not self.stop():
                self.observer.alive()
                for notice in self.transport.poll(self.batch, timeout=1.0):
                    self._handle(notice)
                if self.drained and self.drained >= self.tasks.keys():
                    return True
            for task in list(self.tasks):
                try:
                    self._checkpoint(task)
                except Fenced as error:
                    self._fence(task, error)
                except CommitFailed as error:
                    # All that was committed is safe; going on will take the replay of the journal.
                    log.warning("last checkpoint failed", task=task, reason=str(error))
            return False
        finally:
            self.transport.close()

    def _handle(self, notice: Notice) -> None:
        task = notice.task
        recover = False
        while True:
            try:
                if recover or isinstance(notice, Assigned):
                    self._recover(task)
                elif isinstance(notice, Revoked):
                    self._forget(task)
                elif isinstance(notice, Arrived) and task in self.tasks:
                    self._work(task, notice.batch)
                elif isinstance(notice, Drained) and task in self.tasks:
                    self.drained.add(task)
            except Fenced as error:
                self._fence(task, error)
            except CommitFailed as error:
                self._bear(task, error)
                recover = True
                continue
            return

    def _work(self, task: str, batch: Batch) -> None:
        try:
            seconds = self._feed_and_commit(task, batch)
        except (TransportError, SettingError):  # not the fault of a record
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model or a user's own code raises
            log.warning("a batch broke the task; feeding its records one by one", task=task, reason=_line(error))
            self._isolate(task, batch)
        else:
            self._publish(task, batch, seconds)
        self.failures.pop(task, None)

    def _feed_and_commit(self, task: str, batch: Batch) -> dict[str, float]:
        running = self.tasks[task]
        started = time.perf_counter()
        outputs = running.task.feed(batch.inputs)
        fed = time.perf_counter()
        snapshot = self._due_snapshot(running)
        self.transport.commit(task, batch, outputs, snapshot)
        done = time.perf_counter()
        return {"feed": fed - started, "commit": done - fed}

    def _publish(self, task: str, batch: Batch, seconds: dict[str, float]) -> None:
        """Outside of what isolates: what breaks here must not feed a batch again that is durable."""
        self.observer.committed(task, self.tasks[task].task.totals(), len(batch.inputs), seconds)

    def _isolate(self, task: str, batch: Batch) -> None:
        """Feed a batch's inputs one at a time from the last commit on, and skip those that break the task."""
        self._recover(task)
        for single in self.transport.split(batch):
            try:
                seconds = self._feed_and_commit(task, single)
            except (TransportError, SettingError):
                raise
            except Exception as error:
                self._recover(task)
                if self.tasks[task].task.recent_skips() + 1 >= MOST_SKIPS:
                    raise ModelError(
                        f"task {task} stops: {MOST_SKIPS} of its last 1,000 inputs broke it, "
                        f"the last with {_line(error)}"
                    ) from error
                log.warning("record skipped", task=task, reason=_line(error))
                single = self.transport.skip(single, _line(error))  # noqa: PLW2901 - takes the input's place
                seconds = self._feed_and_commit(task, single)
            self._publish(task, single, seconds)

    def _recover(self, task: str) -> None:
        made = self.make(task)
        recovery = self.transport.recover(task)
        if recovery.snapshot is not None:
            made.restore(recovery.snapshot)
        batches = 0
        for batch in recovery.batches:
            made.feed(batch.inputs)
            self.observer.alive()
            batches += 1
        if recovery.snapshot is not None or batches:
            log.info("task recovered", task=task, checkpoint=recovery.snapshot is not None, batches=batches)
        self.drained.discard(task)
        # What had to be fed again is worth a checkpoint at the next commit: a loop of crashes must not make it longer.
        self.tasks[task] = Running(made, float("-inf") if batches else time.monotonic())
        self.observer.committed(task, made.totals(), 0, {})

    def _due_snapshot(self, running: Running) -> bytes | None:
        now = time.monotonic()
        if now - running.checkpoint_at < max(self.checkpoint_every, running.checkpoint_cost * CHECKPOINT_SHARE):
            return None
        snapshot = running.task.snapshot()
        running.checkpoint_at = time.monotonic()
        running.checkpoint_cost = running.checkpoint_at - now
        return snapshot

    def _checkpoint(self, task: str) -> None:
        """A last checkpoint, so that going on needs no replay."""
        if task in self.tasks:
            self.transport.commit(task, None, Outputs([], [], [], []), self.tasks[task].task.snapshot())

    def _fence(self, task: str, error: Fenced) -> None:
        log.warning("task fenced", task=task, reason=str(error))
        self._forget(task)

    def _forget(self, task: str) -> None:
        self.drained.discard(task)
        if self.tasks.pop(task, None) is not None:
            self.observer.revoked(task)

    def _bear(self, task: str, error: CommitFailed) -> None:
        tries = self.failures[task] = self.failures.get(task, 0) + 1
        if self.retries is not None and tries > self.retries:
            raise error
        pause = min(30.0, 0.1 * 2**tries)
        log.warning("commit failed, trying again", task=task, reason=str(error), tries=tries, pause_seconds=pause)
        time.sleep(pause)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
