"""A transport in memory that follows a script, so that tests of the worker loop read as plain lists.

A script holds inputs and, between them, what befalls the worker there. A mark ends the batch before it and
happens when that batch is committed, once.

>>> from stream.testing import RunningSum, event, said
>>> from consumers.worker import Worker
>>> from structlog.testing import capture_logs
>>> ledger = Ledger([event("a", n=1), DIES, event("b", n=2), event("c", n=3)])
>>> def work():
...     with capture_logs():
...         transport = ScriptedTransport(ledger)
...         return Worker(transport, lambda task: RunningSum(), batch=2, checkpoint_every=60).run()
>>> work()
Traceback (most recent call last):
consumers.testing.Died: before the commit
>>> work(), said(ledger.outputs())
(True, ['a=1', 'b=3', 'c=6'])
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from consumers.transport import Arrived, Assigned, Batch, Drained, Loaded, Notice, Recovery, Revoked
from stream.errors import CommitFailed, Fenced, StateError
from stream.records import Event, Input, Label, Outputs, Skip, Swap, Undecodable
from stream.snapshot import Snapshot, pack, unpack


class Mark(Enum):
    """What may befall a worker."""

    DIES = "the process dies before the commit"
    DIES_COMMITTED = "the process dies behind the commit, before it hears of it"
    FAILS = "the commit fails"
    FENCED = "somebody newer has taken the task"
    REVOKED = "the commit succeeds; then the task is taken away, and given back"


DIES: Final = Mark.DIES
DIES_COMMITTED: Final = Mark.DIES_COMMITTED
FAILS: Final = Mark.FAILS
FENCED: Final = Mark.FENCED
REVOKED: Final = Mark.REVOKED


class Died(BaseException):
    """The process is gone here; what is left is the ledger. No Exception, since nothing could handle it."""


class Cut(Struct):
    """A batch's mark: where in the script each of its inputs ends, and which are skipped and why; or a swap alone."""

    ends: list[int]
    skips: dict[int, str]
    swap: Swap | None = None


class Checkpoint(Struct):
    """A snapshot and where it belongs; ``sequence`` counts the committed batches. Damaged, it has no snapshot."""

    sequence: int
    place: int
    snapshot: bytes | None


class Page(Struct):
    """All that is durable of one task."""

    script: Sequence[Input | Mark]
    place: int = 0
    sequence: int = 0
    journal: dict[int, Cut] = {}
    checkpoints: list[Checkpoint] = []
    outputs: list[Outputs] = []
    happened: set[int] = set()
    epoch: int = 0


class Ledger:
    """What outlives a worker, as a broker or a disk does: scripts, positions, journals, checkpoints, outputs.

    ``script`` is one task's, or one for each task.
    """

    def __init__(self, script: Sequence[Input | Mark] | Mapping[str, Sequence[Input | Mark]]) -> None:
        scripts = script if isinstance(script, Mapping) else {"task": script}
        self.pages = {task: Page(inputs) for task, inputs in scripts.items()}

    def outputs(self, task: str = "task") -> Outputs:
        """All committed outputs of a task."""
        merged = Outputs([], [], [], [])
        for outputs in self.pages[task].outputs:
            merged.predictions += outputs.predictions
            merged.labelled += outputs.labelled
            merged.alarms += outputs.alarms
            merged.dead_letters += outputs.dead_letters
        return merged

    def damage(self, newest: int, task: str = "task") -> None:
        """Damage the newest checkpoints of a task, so many of them."""
        for checkpoint in self.pages[task].checkpoints[-newest:]:
            checkpoint.snapshot = None


class ScriptedTransport:
    """One worker's view of a ledger; opening another takes all tasks over.

    ``at_step`` is called at each step of a commit. Where it is ``late``, a commit is written when it is waited for.
    """

    late = False

    STEPS = ("begin", "fence", "outputs", "journal", "checkpoint", "commit", "done")

    def __init__(self, ledger: Ledger, at_step: Callable[[str], None] = lambda _: None) -> None:
        self.ledger = ledger
        self.at_step = at_step
        self.read: dict[str, int] = {}
        self.epochs: dict[str, int] = {}
        self.coming: list[list[Notice]] = [[Assigned(task) for task in ledger.pages]]
        self.drained: set[str] = set()
        self.unrecovered: set[str] = set()
        self.regained: set[str] = set()
        self.underway: dict[str, Written] = {}
        self.ahead: set[str] = set()
        self.closed = False
        for task, page in ledger.pages.items():
            page.epoch += 1
            self._own(task)

    def _own(self, task: str) -> None:
        page = self.ledger.pages[task]
        self.epochs[task], self.read[task] = page.epoch, page.place

    @property
    def idle(self) -> bool:
        """Whether nothing more will come."""
        return not self.coming and self.drained >= self.read.keys()

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """What the script says next; while commits are under way, one batch more of each task."""
        if self.underway:
            ahead = [task for task in self.underway if task not in self.ahead]
            if ahead:
                self.ahead |= set(ahead)
                more = [self._next(task, most) for task in ahead if task in self.read and task not in self.unrecovered]
                self.drained -= {notice.task for notice in more if isinstance(notice, Drained)}
                return [notice for notice in more if isinstance(notice, Arrived)]
            for written in list(self.underway.values()):
                written.write()
            return []
        self.ahead = set()
        if self.coming:
            notices = self.coming.pop(0)
            for task in [n.task for n in notices if isinstance(n, Revoked) and n.task in self.regained]:
                self.ledger.pages[task].epoch += 1
                self.read.pop(task)
            return notices
        return [self._next(task, most) for task in self.read if task not in self.unrecovered]

    def _next(self, task: str, most: int) -> Notice:
        page = self.ledger.pages[task]
        inputs: list[Input] = []
        ends: list[int] = []
        events = 0
        for place in range(self.read[task], len(page.script)):
            record = page.script[place]
            if isinstance(record, Mark):
                if inputs and place not in page.happened:
                    break
            else:
                inputs.append(record)
                ends.append(place + 1)
                events += not isinstance(record, Label)
                if events == most:
                    break
        if not inputs:
            self.drained.add(task)
            return Drained(task)
        self.read[task] = ends[-1]
        return Arrived(task, Batch(inputs, Cut(ends, {})))

    def recover(self, task: str) -> Recovery:
        """Where the task goes on: the newest sound checkpoint, and the batches behind it."""
        page = self.ledger.pages[task]
        if task in self.regained:
            self.regained.remove(task)
            self._own(task)
        if task in self.read:
            self.read[task] = page.place
        self.drained.discard(task)
        self.unrecovered.discard(task)
        return Recovery(page.sequence, lambda: self._load(task))

    def _load(self, task: str) -> Loaded:
        page = self.ledger.pages[task]
        sound = [checkpoint for checkpoint in page.checkpoints if checkpoint.snapshot is not None]
        after = sound[-1] if sound else Checkpoint(0, 0, None)
        wanted = range(after.sequence + 1, page.sequence + 1)
        if any(sequence not in page.journal for sequence in wanted):
            raise StateError(f"{task}: holds no checkpoint that can be used")
        body, segments = (None, {}) if after.snapshot is None else unpack(after.snapshot)
        return Loaded(body, segments, self._batches(page, [page.journal[sequence] for sequence in wanted]))

    def _batches(self, page: Page, cuts: list[Cut]) -> Iterable[Batch]:
        for cut in cuts:
            inputs: list[Input] = []
            if cut.swap is not None:
                yield Batch([cut.swap], cut)
                continue
            for index, end in enumerate(cut.ends):
                record = page.script[end - 1]
                assert not isinstance(record, Mark)  # noqa: S101 - _next puts none into a batch
                inputs.append(_skipped(record, cut.skips[index]) if index in cut.skips else record)
            yield Batch(inputs, cut)

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> "Written":
        """Write it all into the ledger, or nothing; what the script says befalls it then."""

        def act() -> None:
            self.underway.pop(task, None)
            self._write(task, batch, outputs, snapshot)

        written = Written(act)
        if self.late:
            self.underway[task] = written
        else:
            written.write()
            written.raise_error()
        return written

    def _write(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> None:
        page = self.ledger.pages[task]
        self.unrecovered.add(task)
        self.at_step("begin")
        self.at_step("fence")
        if self.closed or self.epochs.get(task) != page.epoch:
            self.read.pop(task, None)
            raise Fenced(f"{task}: somebody newer has it")
        mark = None if batch is None else self._befalls(page, batch.mark.ends[-1])
        if mark is Mark.DIES:
            raise Died("before the commit")
        if mark is Mark.FAILS:
            raise CommitFailed(f"{task}: so says the script")
        if mark is Mark.FENCED:
            page.epoch += 1
            self.read.pop(task)
            raise Fenced(f"{task}: so says the script")
        for step in ("outputs", "journal", "checkpoint", "commit"):
            self.at_step(step)
        if batch is not None:
            page.sequence += 1
            page.place = batch.mark.ends[-1]
            self.read[task] = max(page.place, self.read[task])
            page.journal[page.sequence] = batch.mark
            page.outputs.append(outputs)
        if snapshot is not None:
            self._keep(page, Checkpoint(page.sequence, page.place, pack(snapshot)))
        self.unrecovered.discard(task)
        if mark is Mark.REVOKED:
            self.revoke(task)
        self.at_step("done")
        if mark is Mark.DIES_COMMITTED:
            raise Died("behind the commit")

    def _befalls(self, page: Page, place: int) -> Mark | None:
        """The first mark behind a place that has not happened yet; it happens now."""
        while place < len(page.script):
            mark = page.script[place]
            if not isinstance(mark, Mark):
                return None
            if place not in page.happened:
                page.happened.add(place)
                return mark
            place += 1
        return None

    def _keep(self, page: Page, checkpoint: Checkpoint) -> None:
        """The newest two, and the batches behind the older."""
        others = [kept for kept in page.checkpoints if kept.sequence != checkpoint.sequence]
        page.checkpoints = [*others, checkpoint][-2:]
        for sequence in [sequence for sequence in page.journal if sequence <= page.checkpoints[0].sequence]:
            del page.journal[sequence]

    def revoke(self, task: str) -> None:
        """Take a task away at the next poll that may, and give it back at the one after that."""
        self.regained.add(task)
        self.coming += [[Revoked(task)], [Assigned(task)]]

    def swap(self, task: str, swap: Swap) -> Batch:
        """A swap's batch, behind the last commit."""
        return Batch([swap], Cut([self.ledger.pages[task].place], {}, swap))

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """The same inputs in two batches."""
        half, mark = len(batch.inputs) // 2, batch.mark
        first = {place: reason for place, reason in mark.skips.items() if place < half}
        second = {place - half: reason for place, reason in mark.skips.items() if place >= half}
        return (
            Batch(batch.inputs[:half], Cut(mark.ends[:half], first)),
            Batch(batch.inputs[half:], Cut(mark.ends[half:], second)),
        )

    def skip(self, batch: Batch, reason: str) -> Batch:
        """A single input's batch with a Skip in its place."""
        return Batch([_skipped(batch.inputs[0], reason)], Cut(batch.mark.ends, {0: reason}))

    def leave(self, task: str) -> None:
        """Deliver nothing more of the task until it is recovered."""
        self.unrecovered.add(task)

    def close(self) -> None:
        """Nothing can be committed any more."""
        self.closed = True


class Written:
    """A commit to a ledger, which may be written later."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act
        self._error: BaseException | None = None

    def write(self) -> None:
        """Write it now, unless it has been; what befalls it is kept for whoever waits."""
        act, self._act = self._act, None
        if act is not None:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - as a thread of its own would
                self._error = error

    def raise_error(self) -> None:
        """Raise what befell it."""
        if self._error is not None:
            raise self._error

    def done(self) -> bool:
        """Whether it has been written, or has failed."""
        return self._act is None

    def wait(self) -> float:
        """Write it now at the latest; raises what befell it."""
        self.write()
        self.raise_error()
        return 0.0


def _skipped(record: Input, reason: str) -> Skip:
    source = "labels" if isinstance(record, Label) else "events"
    if isinstance(record, Event | Label):
        return Skip(source, reason, record.offset, record.raw or b"")
    return Skip(source, reason, record.offset, record.raw) if isinstance(record, Undecodable) else Skip(source, reason)
