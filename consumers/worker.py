"""The one loop of every process: poll, feed, commit.

For each batch:

1. ``poll`` brings the inputs of a task in their order.
2. The task is fed; it answers with outputs and has changed in memory only.
3. ``commit`` makes outputs, position and journal durable as one, and with them a checkpoint when one is due. While that
   is under way the next batch may be fed; it is committed behind it.
4. The task's totals are published; before this nobody sees a count of the batch.

A task that is assigned is restored from its newest checkpoint and fed the batches committed since, its outputs
suppressed: it then stands where it stood. One that comes back to a worker which still has it in memory, and which
nobody has had meanwhile, goes on as it is. A commit that failed, and a record that broke the code, lead back there too.
"""

import time
from collections.abc import Callable
from functools import partial

import structlog

from consumers.following import Following
from consumers.observer import Observer
from consumers.pace import Pace
from consumers.restoring import feed_again, restored, said
from consumers.retries import Retries
from consumers.running import NOW, Running, Underway, of_time
from consumers.transport import Arrived, Assigned, Batch, Drained, Notice, Recovery, Revoked, Task, Transport
from stream.errors import (
    CommitFailed,
    Fenced,
    ModelError,
    RecordError,
    SettingError,
    StateError,
    TransportError,
    Unavailable,
)
from stream.records import Outputs, Swap
from stream.snapshot import pack, unpack

log = structlog.get_logger()

MOST_SKIPS = 10
"""A task stops at this many skips among its last 1,000 inputs: a broken model must not drain the stream."""

LONG = 60.0
"""Seconds of feeding that are told of: models are not expected to take so long, even over a whole batch."""


class Worker:
    """Runs tasks over a transport until it is stopped or their inputs end.

    ``make`` builds an empty task by its name, to be restored; ``begin`` one that has no state yet. ``batch`` is how
    many inputs are fed at once at most; with ``commit_every``, in seconds, only as many as that takes. ``retries`` is
    how many failures in a row are borne before the last one's error is raised; None bears them for ever, with growing
    pauses. ``stop`` is asked between batches. ``following``: where the tasks' baselines are the registry's.
    """

    def __init__(
        self,
        transport: Transport,
        make: Callable[[str], Task],
        *,
        batch: int,
        checkpoint_every: float,
        begin: Callable[[str], Task] | None = None,
        commit_every: float | None = None,
        retries: int | None = None,
        observer: Observer | None = None,
        stop: Callable[[], bool] = lambda: False,
        following: Following | None = None,
    ) -> None:
        self.transport = transport
        self.make = make
        self.begin = begin or make
        self.checkpoint_every = checkpoint_every
        self.pace = Pace(batch, commit_every)
        self.retries = Retries(retries)
        self.observer = observer or Observer()
        self.stop = stop
        self.following = following
        self.tasks: dict[str, Running] = {}
        self.parked: dict[str, Running] = {}
        self.drained: set[str] = set()
        self.doubtful: set[str] = set()  # whose last commit failed: to be recovered is not yet to be ready

    def run(self) -> bool:
        """Work until the inputs end (True), or until ``stop`` says so (False): then with a last checkpoint."""
        try:
            while not self.stop():
                self.observer.alive()
                notices = self.transport.poll(self.pace.most(), timeout=self.retries.pause())
                for notice in notices:
                    self._handle(notice)
                if any(isinstance(notice, Assigned) for notice in notices):
                    self.parked.clear()  # what has not come back with the others is somebody else's now
                underway = any(running.underway for running in self.tasks.values())
                if self.retries and not underway and not any(isinstance(notice, Arrived) for notice in notices):
                    time.sleep(self.retries.pause())
                self._tell_and_retry()
                self._follow()
                if self._over():
                    return True
            for task in list(self.tasks):
                try:
                    if self._settle(task):
                        self._checkpoint(task)
                except (TransportError, RecordError, StateError, ModelError) as error:
                    # All that was committed is safe; going on will take the replay of the journal.
                    log.warning("last checkpoint failed", task=task, reason=str(error))
            return False
        finally:
            self.transport.close()

    def _tell_and_retry(self) -> None:
        """Tell of what has become durable, and try again what is due."""
        for task in [task for task, r in self.tasks.items() if r.underway is not None and r.underway.commit.done()]:
            self._guarded(task, partial(self._settle, task))
        for task in self.retries.due():
            self._guarded(task, partial(self._recover, task))

    def _follow(self) -> None:
        """Swap baselines where the registry names others; all that has been cut has been fed by now."""
        if self.following is not None:
            # A swap whose commit failed must not be all that is tried: what has come goes first.
            for task in [task for task in self.tasks if task not in self.retries.failures]:
                self._guarded(task, partial(self._swap, task, self.following))

    def _swap(self, task: str, following: Following) -> None:
        swap = following.due(task, self.tasks[task].task)
        if swap is None or not self._settle(task):
            return
        batch = following.make(task, swap)
        try:
            outputs, fed = self._feed(self.tasks[task], batch)
        except Exception as error:  # noqa: BLE001 - whatever a baseline raises: the one in use serves on
            following.refuse(task, swap)
            log.error("baselines not swapped; those in use serve on", task=task, reason=said(error))  # noqa: TRY400 - said
            self._recover(task)
            return
        self._commit(task, batch, outputs, fed)

    def _over(self) -> bool:
        """Whether all inputs have ended, and what came of them is durable."""
        waits = self.retries or any(running.underway for running in self.tasks.values())
        return bool(self.drained) and not waits and self.drained >= self.tasks.keys()

    def _handle(self, notice: Notice) -> None:
        task = notice.task
        if isinstance(notice, Assigned):
            self._guarded(task, lambda: self._take_up(task))
        elif isinstance(notice, Revoked):
            self._park(task)
        elif isinstance(notice, Arrived) and task in self.tasks:
            self._guarded(task, lambda: self._work(task, notice.batch))
        elif isinstance(notice, Drained) and task in self.tasks:
            self.drained.add(task)

    def _guarded(self, task: str, act: Callable[[], object]) -> None:
        """Do something with a task; what may pass is tried again later, from the last commit on."""
        try:
            act()
        except Fenced as error:
            log.warning("task fenced", task=task, reason=str(error))
            self._forget(task)
        except (CommitFailed, Unavailable) as error:
            self._bear(task, error)
        except (ModelError, StateError) as error:
            if self.retries.most is not None:
                raise
            # Were the worker to die of it, the task would go to the next, and so bring down one after the other.
            self._forget(task)
            self.transport.leave(task)
            self.observer.waiting(task, str(error))
            log.warning("task stopped", task=task, reason=str(error))
        else:
            self.retries.waits_no_more(task)

    def _work(self, task: str, batch: Batch) -> None:
        """Feed a batch while the one before it is on its way, and send it on its way behind that."""
        running = self.tasks[task]
        try:
            outputs, fed = self._feed(running, batch)
        except (TransportError, SettingError, StateError):  # not the fault of a record
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model or a user's own code raises
            if self._settle(task):
                self._isolate(task, batch, error)
            return
        if not self._settle(task):
            return  # the one before broke; what was fed behind it comes again
        try:
            self._commit(task, batch, outputs, fed)
        except (TransportError, SettingError, StateError):
            raise
        except Exception as error:  # noqa: BLE001 - a record that is too large to be published, say
            self._isolate(task, batch, error)

    def _settle(self, task: str) -> bool:
        """Wait until the batch that is under way is durable, and tell; False where it broke and was taken apart."""
        running = self.tasks[task]
        underway = running.underway
        if underway is None:
            return True
        try:
            seconds = self._durable(task)
        except (TransportError, SettingError, StateError):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._isolate(task, underway.batch, error)
            return False
        self._publish(task, underway, seconds)
        self.retries.went_well(task)
        return True

    def _feed(self, running: Running, batch: Batch) -> tuple[Outputs, float]:
        started = time.perf_counter()
        outputs = running.task.feed(batch.inputs)
        seconds = time.perf_counter() - started
        if not of_time(batch) and not isinstance(batch.inputs[0], Swap):
            # Known even if the commit comes too late: the next batch must not be as large again.
            self.pace.took(len(batch.inputs), seconds)
            if seconds > LONG:
                log.warning(
                    "feeding took long; whoever has not been heard of for 300 s loses its tasks, and feeds them again",
                    inputs=len(batch.inputs),
                    seconds=round(seconds),
                )
        return outputs, seconds

    def _commit(self, task: str, batch: Batch, outputs: Outputs, fed: float) -> Underway:
        running = self.tasks[task]
        due = running.due(batch, self.checkpoint_every, time.monotonic())
        started = time.perf_counter()
        snapshot = running.task.snapshot() if due else None
        totals = running.task.totals()
        commit = self.transport.commit(task, batch, outputs, snapshot)
        kept = time.perf_counter() - started if due else None
        running.underway = Underway(batch, commit, totals, fed, kept)
        return running.underway

    def _durable(self, task: str) -> float:
        """Wait until what is under way is durable; gives the seconds that it took."""
        running = self.tasks[task]
        assert running.underway is not None  # noqa: S101 - the caller's condition
        underway, running.underway = running.underway, None
        seconds = underway.commit.wait()
        self.doubtful.discard(task)
        running.committed(underway, time.monotonic())
        return seconds

    def _publish(self, task: str, done: Underway, seconds: float) -> None:
        """Outside of what isolates: what breaks here must not feed a batch again that is durable."""
        self.observer.committed(task, done.totals, len(done.batch.inputs), {"feed": done.fed, "commit": seconds})

    def _feed_and_commit(self, task: str, batch: Batch) -> tuple[Underway, float]:
        running = self.tasks[task]
        done = self._commit(task, batch, *self._feed(running, batch))
        return done, self._durable(task)

    def _isolate(self, task: str, batch: Batch, why: Exception) -> None:
        """Find the records of a batch that break the task, by halves, and skip them; the others are fed."""
        log.warning("a batch broke the task; looking for the record", task=task, reason=said(why))
        self._recover(task)
        running = self.tasks[task]
        before = pack(running.task.snapshot())
        parts = [batch]
        while parts:
            part = parts.pop()
            self.observer.alive()
            try:
                done = self._feed_and_commit(task, part)
            except (TransportError, SettingError, StateError):
                raise
            except Exception as error:
                # It may have been the commit that broke: an output was too large, say. None succeeds before a recovery.
                self.transport.recover(task)
                body, segments = unpack(before)
                running.task = self.make(task)
                running.task.restore(body, segments)
                if len(part.inputs) > 1:
                    parts += reversed(self.transport.split(part))
                    continue
                if running.task.recent_skips() + 1 >= MOST_SKIPS:
                    raise ModelError(
                        f"task {task} stops: {MOST_SKIPS} of its last 1,000 inputs broke it, "
                        f"the last with {said(error)}"
                    ) from error
                log.warning("record skipped", task=task, reason=said(error))
                part = self.transport.skip(part, said(error))
                done = self._feed_and_commit(task, part)
            self._publish(task, *done)
            self.retries.went_well(task)
            if parts:
                before = pack(running.task.snapshot())

    def _take_up(self, task: str) -> None:
        """Go on with a task that is this worker's now, as it is in memory if that is still how it stands."""
        parked, started = self.parked.pop(task, None), time.monotonic()
        recovery = self.transport.recover(task)
        if parked is None or recovery.number != parked.number:
            self._restore(task, recovery, started)
            return
        self.tasks[task] = parked
        self.observer.committed(task, parked.task.totals(), 0, {})

    def _recover(self, task: str) -> None:
        started = time.monotonic()
        self._restore(task, self.transport.recover(task), started)

    def _restore(self, task: str, recovery: Recovery, started: float) -> None:
        loaded = recovery.load()
        batches = 0
        if loaded.body is None:
            made = self.begin(task)
        else:
            made = restored(task, partial(self.make, task), loaded.body, loaded.segments)
        for batch in loaded.batches:
            feed_again(task, made, batch)
            self.observer.alive()
            batches += 1
        if loaded.body is None:
            # Elsewhere it might begin otherwise: with another warm-up, say. So its beginning is kept first of all.
            self.transport.commit(task, None, Outputs([], [], [], []), made.snapshot()).wait()
            self.doubtful.discard(task)
        # What had to be fed again is worth a checkpoint at the next commit: a loop of crashes must not make it longer.
        running = Running(made, recovery.number, NOW if batches else time.monotonic())
        seconds = time.monotonic() - started
        self.observer.recovered(task, seconds, batches)
        log.info("task recovered", task=task, anew=loaded.body is None, batches=batches, seconds=round(seconds, 3))
        self.drained.discard(task)
        self.tasks[task] = running
        if task not in self.doubtful:
            self.observer.committed(task, made.totals(), 0, {})

    def _checkpoint(self, task: str) -> None:
        """A last checkpoint, so that going on needs no replay."""
        self.transport.commit(task, None, Outputs([], [], [], []), self.tasks[task].task.snapshot()).wait()

    def _park(self, task: str) -> None:
        """Keep a task that is taken away until it is known who gets it."""
        self.drained.discard(task)
        self.doubtful.discard(task)
        self.retries.waits_no_more(task)
        running = self.tasks.pop(task, None)
        if running is not None:
            self.parked[task] = running
        self.observer.revoked(task)  # of one that waits, too

    def _forget(self, task: str) -> None:
        self._park(task)
        self.parked.pop(task, None)

    def _bear(self, task: str, error: TransportError) -> None:
        pause = self.retries.failed(task, error)
        if isinstance(error, CommitFailed):
            self.doubtful.add(task)
        self.tasks.pop(task, None)
        self.drained.discard(task)
        self.observer.waiting(task, str(error))
        log.warning("trying again", task=task, reason=str(error), pause_seconds=pause)
