"""What a worker tells those who watch it."""

from typing import Any


class Observer:
    """Hears what a worker does; the exporter's is one, this one does not listen."""

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """A batch of ``inputs`` is durable; ``seconds`` has its feed and commit times."""

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        """The task was restored, and ``batches`` fed again, in so many seconds."""

    def waiting(self, task: str, reason: str) -> None:
        """The task is this worker's and cannot go on now."""

    def revoked(self, task: str) -> None:
        """The task is gone from this worker."""

    def alive(self) -> None:
        """The loop has gone round once more."""
