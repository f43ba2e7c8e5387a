"""What can be said of a task's state on Kafka: how it stands, and whether it can be had again."""

from msgspec import Struct


class Input(Struct, frozen=True):
    """How far a task has read a partition; ``lag`` is in offsets."""

    name: str
    position: int
    lag: int


class Generation(Struct, frozen=True):
    """A checkpoint: behind which batch it was taken, and its sizes in bytes; why it is ``refused``, if it is."""

    number: int
    batch: int = 0
    body: int = 0
    segments: int = 0
    segment_bytes: int = 0
    same_code: bool = True
    refused: str = ""


class Report(Struct):
    """One task's state: its last batch, its inputs, its checkpoints, oldest first.

    ``anew``: there is none, so that it will begin anew. ``refused`` is why it cannot go on as it stands.
    """

    task: str
    anew: bool = False
    number: int = 0
    inputs: list[Input] = []
    generations: list[Generation] = []
    refused: str = ""


class Verified(Struct, frozen=True):
    """The state after the batch ``last``: re-executed from the checkpoint after ``first``, and as it was kept."""

    first: int
    last: int
    fed: str
    kept: str
    same_code: bool
