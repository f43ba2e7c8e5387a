"""The contract between the worker loop and whatever moves records and makes them durable.

A transport gives tasks away, delivers each task's inputs in one order, and makes what came of a batch durable as one:
outputs, position and journal, and now and then a checkpoint. What a batch stands for in the transport's own terms
(offsets, counts, row numbers) it keeps in ``Batch.mark``, which nobody else looks into.

Promises, tested for every transport by the same suite (tests/consumers/contract.py):

1. ``poll`` delivers a task's inputs in order, none left out, none twice, beginning behind its last commit.
2. ``commit`` is atomic: after a crash at any instant either all of it is there or nothing.
3. ``recover`` gives the newest checkpoint that is authentic, and the batches committed since, cut as they were then.
4. Who has been fenced off (somebody newer has the task) gets ``Fenced`` from ``commit`` and has published nothing.
5. After ``CommitFailed`` nothing of the batch is durable, and after ``recover`` the inputs come again.
6. ``skip`` puts a Skip in the place of an input for good: every later recovery delivers the Skip.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from stream.records import Input, Outputs


class Batch(Struct):
    """Inputs of one task, in order, and the transport's own mark of where they came from."""

    inputs: list[Input]
    mark: Any


class Assigned(Struct, frozen=True):
    """The task is now this worker's: recover it before its first batch."""

    task: str


class Revoked(Struct, frozen=True):
    """The task is no longer this worker's: forget it; nothing more of it can be committed."""

    task: str


class Arrived(Struct, frozen=True):
    """Inputs of a task."""

    task: str
    batch: Batch


class Drained(Struct, frozen=True):
    """The task's inputs have ended for good; a broker's never do."""

    task: str


Notice = Assigned | Revoked | Arrived | Drained


class Recovery(Struct):
    """Where a task goes on: a snapshot to restore (None: begin anew), then batches to feed with outputs suppressed."""

    snapshot: bytes | None
    batches: Iterable[Batch]


class Transport(Protocol):
    """What the worker loop asks of a transport; errors are those of stream.errors."""

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """What has happened: at most ``most`` inputs a task; waits up to ``timeout`` seconds for something."""

    def recover(self, task: str) -> Recovery:
        """Where the task goes on, by its last commit; the next ``poll`` delivers what comes after."""

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: bytes | None) -> None:
        """Make it durable as one; without a batch only the snapshot. Raises Fenced or CommitFailed."""

    def split(self, batch: Batch) -> list[Batch]:
        """The same inputs, one a batch."""

    def skip(self, batch: Batch, reason: str) -> Batch:
        """A single input's batch with a Skip in its place, which carries the record's bytes."""

    def close(self) -> None:
        """Let everything go; uncommitted work is dropped."""


class Task(Protocol):
    """What the worker loop asks of a task: see stream/scoring.py."""

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order, answer what is to be published."""

    def snapshot(self) -> bytes:
        """The whole state."""

    def restore(self, snapshot: bytes) -> None:
        """Take up a state."""

    def totals(self) -> Any:
        """An immutable copy of all counts."""

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
