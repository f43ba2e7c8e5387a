"""What evidence is made of: a number in known bounds, and the hypothesis that its conditional mean is small."""

from msgspec import Struct

from stream.errors import RecordError, SettingError

BETS = 6
SMALLEST, LARGEST = 0.05, 0.5
"""Shares of the largest stake that cannot ruin. A larger LARGEST is faster, and believes short bursts."""


class Bounded(Struct, frozen=True):
    """A number in [low, high]; ``name`` is what messages call it."""

    name: str
    low: float
    high: float

    def check(self, x: float) -> None:
        """Raise RecordError unless ``x`` is in the range; NaN is in none."""
        if not self.low <= x <= self.high:
            raise RecordError(self.name, f"must be in [{self.low:g}, {self.high:g}], not {x!r}")


class Null(Bounded, frozen=True):
    """The hypothesis that E[x | past] <= bound at every event. Raises SettingError for a bound that says nothing.

    A paired loss is in [-1, 1] and its bound is what is tolerated; a loss is in [0, 1] and its bound is what is known
    to be normal.
    """

    bound: float

    def __post_init__(self) -> None:
        """Refuse a bound that x cannot exceed, or cannot keep below."""
        if not self.low < self.bound < self.high:
            raise SettingError(self.name, self.bound, f"between {self.low:g} and {self.high:g}, for x is")

    def stakes(self) -> list[float]:
        """The fixed bets: with each of them 1 + stake (x - bound) is positive, and its mean at most 1.

        >>> [round(stake, 4) for stake in Null("loss", 0.0, 1.0, 0.5).stakes()]
        [0.1, 0.1585, 0.2512, 0.3981, 0.631, 1.0]
        """
        ratio = LARGEST / SMALLEST
        return [SMALLEST * ratio ** (k / (BETS - 1)) / (self.bound - self.low) for k in range(BETS)]
