"""How many inputs are fed at once: as many as take the time between two commits, by what inputs have taken so far."""

FIRST = 64
"""Inputs that are fed at once while nobody knows how long they take."""


class Pace:
    """The size of the next batch: at most ``batch``, and with ``commit_every``, in seconds, what that is enough for."""

    def __init__(self, batch: int, commit_every: float | None) -> None:
        self.batch = batch
        self.commit_every = commit_every
        self._cost: float | None = None  # seconds an input

    def most(self) -> int:
        """Inputs that may be fed at once."""
        if self.commit_every is None:
            return self.batch
        if not self._cost:
            return min(self.batch, FIRST)
        return max(1, min(self.batch, int(self.commit_every / self._cost)))

    def took(self, inputs: int, seconds: float) -> None:
        """So many inputs took so long."""
        cost = seconds / inputs
        # A batch has a cost of its own: a short one says little of what an input takes in one of the full length.
        share = min(0.5, seconds / (self.commit_every or 1.0))
        self._cost = cost if self._cost is None else (1 - share) * self._cost + share * cost
