"""Quantiles of a stream of durations in bounded space, with a stated error.

C. Masson, J. E. Rim, H. K. Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error guarantees
(2019).
"""

import math

from msgspec import Struct

ACCURACY = 0.05
"""A quantile is off by 5% of itself at most."""

LEAST, GREATEST = 1e-3, 1e10
"""What is less, or more, counts as if it were these."""

GAMMA = (1 + ACCURACY) / (1 - ACCURACY)

UNIT = math.log(GAMMA)

FIRST = math.ceil(math.log(LEAST) / UNIT)


class Quantiles(Struct):
    """Counts in bins whose edges are powers of GAMMA: less than 310 of them.

    Counts halve each time they come to 2 * ``remembered``, so that the newest values say most.

    >>> delays = Quantiles(1_000)
    >>> for seconds in range(1, 101):
    ...     delays.update(float(seconds))
    >>> [round(delays.quantile(share)) for share in (0.5, 0.95)]
    [52, 95]
    """

    remembered: int
    counts: dict[int, float] = {}
    total: float = 0.0

    def update(self, value: float) -> None:
        """Take in one value; one that is not a number counts as the least."""
        at = math.ceil(math.log(min(value, GREATEST)) / UNIT) if value > LEAST else FIRST
        self.counts[at] = self.counts.get(at, 0.0) + 1.0
        self.total += 1.0
        if self.total >= 2 * self.remembered:
            self.counts = {at: count / 2 for at, count in self.counts.items() if count > 1e-6}
            self.total = sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """The value below which such a share of them lies; None before any."""
        below = 0.0
        for at in sorted(self.counts):
            below += self.counts[at]
            if below >= share * self.total:
                return 2 * GAMMA**at / (GAMMA + 1)
        return None
