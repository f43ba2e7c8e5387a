"""A task at work in this process, and when its next checkpoint is due."""

from typing import Any

from msgspec import Struct

from consumers.transport import Batch, Commit, Task
from stream.records import Swap, Tick

CHECKPOINT_SHARE = 50
"""Checkpoints take at most one part in so many of the time."""

MOST_REPLAY = 1.0
"""Seconds of feeding behind which a checkpoint is due: a crash costs hardly more than feeding them again."""

MOST_COMMITS = 1_000
"""Commits behind which there is a checkpoint in any case: a journal does not grow without end."""

NOW = float("-inf")
"""The time of the last checkpoint where the next is due at once."""


class Underway(Struct):
    """A batch that was fed and is on its way to being durable; ``totals`` are the task's right behind it.

    ``fed``: seconds that feeding took. ``kept``: seconds that its checkpoint took of the task's time, if it has one.
    """

    batch: Batch
    commit: Commit
    totals: Any
    fed: float
    kept: float | None


class Running(Struct):
    """A task at work, behind its batch ``number``; times are of the monotonic clock, in seconds.

    ``commits``, ``ticks``: since the last checkpoint, and how many of them were of nothing but time. ``fed``: the
    seconds that feeding them took. ``underway``: the batch behind that, until it is durable.
    """

    task: Task
    number: int
    checkpoint_at: float
    checkpoint_cost: float = 0.0
    commits: int = 0
    ticks: int = 0
    fed: float = 0.0
    underway: Underway | None = None

    def due(self, batch: Batch, every: float, now: float) -> bool:
        """Whether a checkpoint is to go with a batch."""
        if self.commits + 1 >= MOST_COMMITS or isinstance(batch.inputs[0], Swap):
            return True  # with a swap, so that the files of its baselines are kept where the journal names them
        if self.checkpoint_at != NOW and self.commits == self.ticks and of_time(batch):
            return False  # nothing but time has passed since the last
        since = now - self.checkpoint_at
        return since >= self.checkpoint_cost * CHECKPOINT_SHARE and (since >= every or self.fed >= MOST_REPLAY)

    def committed(self, done: Underway, now: float) -> None:
        """A batch is durable, and with it the checkpoint, if it has one."""
        self.number += 1
        self.commits += 1
        self.ticks += of_time(done.batch)
        self.fed += done.fed
        if done.kept is not None:
            self.checkpoint_at, self.checkpoint_cost = now, done.kept
            self.commits, self.ticks, self.fed = 0, 0, 0.0


def of_time(batch: Batch) -> bool:
    """Whether a batch brings nothing but time."""
    return all(isinstance(made, Tick) for made in batch.inputs)
