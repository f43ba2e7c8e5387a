"""On what share of the events each of two models errs, alone and with the other: all that a simulation must know."""

from typing import Any

import numpy as np
from msgspec import Struct

Array = np.ndarray[Any, np.dtype[Any]]

RISE = 3.0
"""Times what is tolerated, a rise that is to be found however few the errors were."""


class Outcomes(Struct, frozen=True):
    """Shares of the labelled events on which the baseline errs alone, the online model errs alone, and both err."""

    baseline_alone: float
    online_alone: float
    both: float

    @property
    def baseline(self) -> float:
        """On which the baseline errs."""
        return self.baseline_alone + self.both

    @property
    def online(self) -> float:
        """On which the online model errs."""
        return self.online_alone + self.both

    @property
    def disagreement(self) -> float:
        """On which exactly one errs."""
        return self.baseline_alone + self.online_alone

    @property
    def possible(self) -> bool:
        """Whether these can be shares."""
        return min(self.baseline_alone, self.online_alone, self.both) >= 0 and self.disagreement + self.both <= 1

    def doubled(self, tolerance: float) -> "Outcomes":
        """With twice the baseline's errors; the new ones fall on events that it got right, whatever the other said.

        Where twice as many are hardly more than is tolerated, with RISE times that more.
        """
        new = min(max(self.baseline, RISE * tolerance), 1.0 - self.baseline)
        taken = self.online_alone * new / (1.0 - self.baseline) if self.baseline < 1.0 else 0.0
        return Outcomes(self.baseline_alone + new - taken, self.online_alone - taken, self.both + taken)

    def rotten(self, times: float) -> "Outcomes":
        """The baseline errs so many times as often, and alone where it did not err before."""
        return Outcomes(self.baseline_alone + (times - 1) * self.baseline, self.online_alone, self.both)

    def harder(self, times: float) -> "Outcomes":
        """Both models err so many times as often, and alike in as many more of their errors."""
        return Outcomes(times * self.baseline_alone, times * self.online_alone, times * self.both)

    def draw(self, chance: np.random.Generator, runs: int, events: int) -> tuple[Array, Array]:
        """Losses of the baseline and of the online model, each of shape (runs, events)."""
        drawn = chance.random((runs, events))
        baseline = drawn < self.baseline
        online = (drawn < self.both) | (~baseline & (drawn < self.baseline + self.online_alone))
        return baseline.astype(float), online.astype(float)
