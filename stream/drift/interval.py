"""An interval of a mean that may be looked at after every event: the gap between two models, and what it costs.

The empirical-Bernstein confidence sequence of Howard, Ramdas, McAuliffe and Sekhon 2021 ("Time-uniform, nonparametric,
nonasymptotic confidence sequences"), with a mixture of fixed rates.
"""

import math

from msgspec import Struct

from stream.drift.bounded import Bounded

RATES: list[float] = [0.9 * (1e-3 / 0.9) ** (j / 23) for j in range(24)]
"""For a range of 1. The least serves best the gap of two models that err in 3 of 100, after some billion events."""

PRICES = [-math.log1p(-rate) - rate for rate in RATES]
"""What each rate takes off for a unit of variation."""

HALVINGS = 34


class Interval(Struct):
    """Of the average of E[x | past] over all events since a start that was fixed before they were seen.

    With the chance of ``level`` it holds that average at every event at once. Means may move and events may depend on
    one another. It is no interval for a start that was chosen by looking at the events.

    >>> gap = Interval(Bounded("gap", -1.0, 1.0))
    >>> gap.bounds()
    (-1.0, 1.0)
    >>> for x in [0.0, 0.0, 0.0, 1.0] * 1_000:
    ...     gap.update(x)
    >>> [round(end, 3) for end in (gap.mean, *gap.bounds())]
    [0.25, 0.224, 0.276]
    """

    of: Bounded
    events: int = 0
    total: float = 0.0
    variation: float = 0.0

    def update(self, x: float) -> None:
        """Take in one event's value. Raises RecordError, with nothing changed, for what is out of range or NaN."""
        self.of.check(x)
        # Any guess serves that does not know x: the mean of what was before.
        far = x - (self.total / self.events if self.events else self.mean)
        self.variation += far * far
        self.events += 1
        self.total += x

    @property
    def mean(self) -> float:
        """The mean so far; the middle of the range at first."""
        return self.total / self.events if self.events else (self.of.low + self.of.high) / 2

    def bounds(self, level: float = 0.95) -> tuple[float, float]:
        """Both ends."""
        if not self.events:
            return self.of.low, self.of.high
        wanted = math.log(2.0 / (1.0 - level))
        low, high = 0.0, self.events * (self.of.high - self.of.low)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._evidence(middle) >= wanted else (middle, high)
        radius = high / self.events
        return max(self.of.low, self.mean - radius), min(self.of.high, self.mean + radius)

    def below(self, value: float, level: float = 0.95) -> bool:
        """Whether the upper end is below ``value``: cheaper than to find that end."""
        distance = self.events * value - self.total
        return distance > 0.0 and self._evidence(distance) >= math.log(2.0 / (1.0 - level))

    def _evidence(self, distance: float) -> float:
        """The logarithm of the evidence against a sum of means that is so far from the sum of the values."""
        span = self.of.high - self.of.low
        far, varied = distance / span, self.variation / span**2
        logs = [rate * far - price * varied for rate, price in zip(RATES, PRICES, strict=True)]
        largest = max(logs)
        return largest + math.log(sum(math.exp(log - largest) for log in logs) / len(logs))
