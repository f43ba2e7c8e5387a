"""Which tasks are this worker's: what rebalances take and give, and what was fenced off and is still ours."""

import time
from collections.abc import Callable

from kafka import TopicPartition

from consumers.kafka.group import Group
from consumers.kafka.held import Held
from consumers.kafka.placement import Placement, placement
from consumers.kafka.roles import Role
from consumers.runtime import Runtime
from consumers.transport import Assigned, Notice, Revoked
from stream.config import Stream


class Tenancy:
    """The tasks of one worker. ``tasks``: all that it ever had; ``owned``: those that are its own now.

    ``of``: the task and side of each partition. ``make`` makes what is known of a task that is new here.
    """

    def __init__(
        self,
        role: Role,
        name: str,
        stream: Stream,
        group: Group,
        runtime: Runtime,
        make: Callable[[Placement], Held],
    ) -> None:
        self.role = role
        self.name = name
        self.stream = stream
        self.group = group
        self.runtime = runtime
        self.make = make
        self.tasks: dict[str, Held] = {}
        self.owned: dict[str, Held] = {}
        self.of: dict[TopicPartition, tuple[Held, int]] = {}
        self.given: set[TopicPartition] = set()

    def changes(self) -> list[Notice]:
        """What rebalances have taken and given since this was last asked; half a task is refused at its recovery."""
        taken, given = self.group.changes()
        notices: list[Notice] = []
        for held in [held for held in self.owned.values() if taken & set(held.inputs)]:
            self._release(held)
            notices.append(Revoked(held.task))
        self.given = (self.given - taken) | given
        for placed in self._tasks_of(self.given):
            if placed.task not in self.owned:
                held = self.tasks.get(placed.task) or self.make(placed)
                held.refused = self._amiss(placed)
                self.tasks[held.task] = self.owned[held.task] = held
                self.of.update({tp: (held, side) for side, tp in enumerate(held.inputs)})
                notices.append(Assigned(held.task))
        self.runtime.rebalances = self.group.rebalances
        self.runtime.standing_by = self.group.rebalances > 0 and not self.given
        return notices

    def retake(self, wait: float) -> list[Notice]:
        """Tasks that are to be recovered although no rebalance has brought them.

        Those that were fenced off so many seconds ago, and that the group still says are ours: whoever took them has
        let them go, or it was the broker, which gives up a transaction that takes too long. And those at work that are
        refused now: their recovery says why.
        """
        now = time.monotonic()
        again = [h for h in self.owned.values() if h.lost_at is not None and now - h.lost_at > wait]
        again += [h for h in self.owned.values() if h.refused and h.intake is not None]
        for held in again:
            held.lost_at = None
            held.intake = None
        return [Assigned(held.task) for held in again]

    def first(self) -> TopicPartition:
        """A partition that the role reads, whoever has it."""
        return placement(self.role, self.name, self.stream, 0).inputs[0]

    def _tasks_of(self, given: set[TopicPartition]) -> list[Placement]:
        partitions = {0} if self.role.whole and given else sorted({tp.partition for tp in given})
        return [placement(self.role, self.name, self.stream, partition) for partition in partitions]

    def _amiss(self, placed: Placement) -> str:
        """Why a task cannot be taken up with what has been given; empty where it can."""
        if not self.role.whole and int(placed.task) >= placed.partitions:
            extra = placed.inputs[0]
            return (
                f"{extra.topic} has a partition {extra.partition}, and the stream {placed.partitions} of them: keys "
                f"have moved between tasks. See rotwatch topics --stream {self.name}"
            )
        for tp in placed.inputs:
            if tp not in self.given:
                return (
                    f"partition {tp.partition} of {tp.topic} did not come with the task's others: do all topics have "
                    f"{placed.partitions} partitions? See rotwatch topics --stream {self.name}"
                )
        return ""

    def _release(self, held: Held) -> None:
        self.owned.pop(held.task, None)
        for tp in held.inputs:
            self.of.pop(tp, None)
        held.leave()
        held.lost_at = None
