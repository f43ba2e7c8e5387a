"""A task as the process that has it knows it."""

from concurrent.futures import Future

from kafka import TopicPartition
from msgspec import Struct

from consumers.kafka.commit import Committer
from consumers.kafka.intake import Intake
from consumers.kafka.losses import Loss
from consumers.kafka.placement import Placement
from consumers.kafka.recovery import Recoverer, Standing


class Held(Struct):
    """A task of this worker's; it has an intake and a committer while it is recovered and may be fed.

    ``underway``: the commit whose end has not been asked for. ``fed_at``: when it was last given inputs. ``waiting``:
    since when a side is waited for; ``asked``: when the broker said that a side has no more. ``lost_at``: when it was
    fenced off. All by the monotonic clock. ``owed``: what its recovery could not feed again, until a commit has told.
    ``refused``: why it cannot be taken up as it was given to us.
    """

    placed: Placement
    recoverer: Recoverer
    standing: Standing | None = None
    committer: Committer | None = None
    intake: Intake | None = None
    underway: Future[Standing] | None = None
    fed_at: float = 0.0
    waiting: dict[int, float] = {}
    asked: dict[int, float] = {}
    lost_at: float | None = None
    owed: list[Loss] = []
    refused: str = ""

    @property
    def task(self) -> str:
        """The task's name."""
        return self.placed.task

    @property
    def inputs(self) -> list[TopicPartition]:
        """Its partitions, in the order of the sides."""
        return self.placed.inputs

    def leave(self) -> None:
        """Feed and commit nothing more of it until it is recovered; what is under way comes to its end first."""
        self.intake = self.underway = None
        committer, self.committer = self.committer, None
        if committer is not None:
            committer.close()
