"""A task at work in this process, and when its next checkpoint is due."""

from msgspec import Struct

from consumers.transport import Batch, Task
from stream.records import Tick

CHECKPOINT_SHARE = 50
"""Checkpoints take at most one part in so many of the time."""

MOST_COMMITS = 1_000
"""Commits behind which there is a checkpoint in any case: a journal does not grow without end."""

NOW = float("-inf")
"""The time of the last checkpoint where the next is due at once."""


class Running(Struct):
    """A task at work, behind its batch ``number``; times are of the monotonic clock, in seconds.

    ``commits``, ``ticks``: since the last checkpoint, and how many of them were of nothing but time.
    """

    task: Task
    number: int
    checkpoint_at: float
    checkpoint_cost: float = 0.0
    commits: int = 0
    ticks: int = 0

    def due(self, batch: Batch, every: float, now: float) -> bool:
        """Whether a checkpoint is to go with a batch."""
        if self.commits + 1 >= MOST_COMMITS:
            return True
        if self.checkpoint_at != NOW and self.commits == self.ticks and of_time(batch):
            return False  # nothing but time has passed since the last
        return now - self.checkpoint_at >= max(every, self.checkpoint_cost * CHECKPOINT_SHARE)

    def committed(self, batch: Batch) -> None:
        """A batch is durable."""
        self.number += 1
        self.commits += 1
        self.ticks += of_time(batch)

    def checkpointed(self, now: float, cost: float) -> None:
        """A checkpoint is durable, and took ``cost`` seconds."""
        self.checkpoint_at, self.checkpoint_cost = now, cost
        self.commits = self.ticks = 0


def of_time(batch: Batch) -> bool:
    """Whether a batch brings nothing but time."""
    return all(isinstance(made, Tick) for made in batch.inputs)
