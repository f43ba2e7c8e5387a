"""The contract between the worker loop and whatever moves records and makes them durable.

A transport gives tasks away, delivers each task's inputs in one order, and makes what came of a batch durable as one:
outputs, position and journal, and now and then a checkpoint. What a batch stands for in the transport's own terms
(offsets, counts, row numbers) it keeps in ``Batch.mark``, which nobody else looks into.

Promises, tested for every transport by the same suite (tests/consumers/contract.py):

1. ``poll`` delivers a task's inputs in order, none left out, none twice, beginning behind its last commit. What is no
   longer there comes as a Lost, never in silence.
2. ``commit`` is atomic: after a crash at any instant either all of it is there or nothing. It may return before it is
   durable: ``wait`` says when it is. Until then ``poll`` takes no task away,
   so that what is taken away has nothing left to commit.
3. ``recover`` tells how many batches have been committed, and gives the newest checkpoint that is authentic, and the
   batches committed since, cut as they were then.
4. Who has been fenced off (somebody newer has the task) gets ``Fenced`` from ``commit`` or its ``wait`` and has
   published nothing; the task is forgotten until it is assigned again.
5. After ``CommitFailed`` the batch is durable as a whole or not at all; ``recover`` tells which, and what is not
   durable comes again. Until then nothing of the task is delivered.
6. ``skip`` puts a Skip in the place of an input for good: every later recovery delivers the Skip.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from stream.records import Input, Outputs
from stream.snapshot import Snapshot


class Batch(Struct):
    """Inputs of one task, in order, and the transport's own mark of where they came from."""

    inputs: list[Input]
    mark: Any


class Assigned(Struct, frozen=True):
    """The task is now this worker's: recover it before its first batch."""

    task: str


class Revoked(Struct, frozen=True):
    """The task is no longer this worker's: nothing more of it can be committed, unless it is assigned again."""

    task: str


class Arrived(Struct, frozen=True):
    """Inputs of a task."""

    task: str
    batch: Batch


class Drained(Struct, frozen=True):
    """The task's inputs have ended for good; a broker's never do."""

    task: str


Notice = Assigned | Revoked | Arrived | Drained


class Loaded(Struct):
    """A state to restore (body None: begin anew), and the batches to feed behind it with outputs suppressed."""

    body: bytes | None
    segments: Mapping[str, bytes]
    batches: Iterable[Batch]


class Recovery(Struct):
    """Where a task goes on: behind its batch ``number``, counted from 1 on.

    A task that has been kept in memory since that batch needs nothing else; any other needs what ``load`` gives.
    """

    number: int
    load: Callable[[], Loaded]


class Commit(Protocol):
    """A commit under way. A task has one at a time: it is waited for before the next, and before a recovery."""

    def done(self) -> bool:
        """Whether ``wait`` would return at once."""

    def wait(self) -> float:
        """Return when it is durable, with the seconds that it took; asked once only.

        Raises Fenced, CommitFailed, and RecordError where an output is larger than what it is to be kept in.
        """


class Transport(Protocol):
    """What the worker loop asks of a transport; errors are those of stream.errors."""

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """What has happened: at most ``most`` inputs a task; waits up to ``timeout`` seconds for something."""

    def recover(self, task: str) -> Recovery:
        """Where the task goes on, by its last commit; the next ``poll`` delivers what comes after.

        Raises Unavailable for what may pass, and StateError for what does not.
        """

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> Commit:
        """Make it durable as one; without a batch only the snapshot. Raises as ``wait`` does.

        What it is given may change when it returns: the task may be fed again.
        """

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """The same inputs in two batches; of more than one input."""

    def skip(self, batch: Batch, reason: str) -> Batch:
        """A single input's batch with a Skip in its place, which carries the record's bytes."""

    def leave(self, task: str) -> None:
        """The worker cannot go on with the task: deliver nothing more of it until it is recovered."""

    def close(self) -> None:
        """Let everything go; uncommitted work is dropped."""


class Task(Protocol):
    """What the worker loop asks of a task: see stream/scoring.py."""

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order, answer what is to be published."""

    def snapshot(self) -> Snapshot:
        """The whole state."""

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a state."""

    def totals(self) -> Any:
        """An immutable copy of all counts."""

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
