"""Tasks follow the registry: which of them is due for a swap, and which could not take it."""

from collections.abc import Callable
from typing import Protocol, cast

from consumers.runtime import Runtime
from consumers.transport import Batch, Task
from stream.records import Swap


class Follower(Task, Protocol):
    """A task whose baselines may be swapped."""

    def differs(self, swap: Swap) -> bool:
        """Whether a swap would change anything."""


class Following:
    """Holds tasks, which must be Followers, to ``newest``: the swap to what the registry names, None if it names none.

    ``make`` makes a task's batch of a swap alone, behind its last commit. What is refused is counted in ``runtime``.
    """

    def __init__(self, newest: Callable[[], Swap | None], make: Callable[[str, Swap], Batch], runtime: Runtime) -> None:
        self._newest = newest
        self.make = make
        self._runtime = runtime
        self._refused: dict[str, Swap] = {}

    def due(self, task: str, made: Task) -> Swap | None:
        """The swap that the task is to be fed next, if it is not as the registry has it."""
        swap = self._newest()
        if swap is None or self._refused.get(task) is swap or not cast("Follower", made).differs(swap):
            return None
        return swap

    def refuse(self, task: str, swap: Swap) -> None:
        """The task could not take it: it keeps what it has until the registry names something else."""
        self._refused[task] = swap
        self._runtime.refused_swaps += 1
