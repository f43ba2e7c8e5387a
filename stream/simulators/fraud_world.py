"""The world that simulated transactions come from: customers and terminals along a ring road, and what changes when."""

import math
from typing import Final, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

DAY_MS: Final = 86_400_000
SLOTS: Final = 8
"""A customer makes so many transactions a day at most; each may take place or not."""

KINDS: Final = {
    "terminal_attack": "three times as many terminals are compromised, and frauds there test cards by small sums",
    "spending_shift": "half of the customers move, to other terminals, and spend as other people do",
    "night_fraud": "four of five frauds with high amounts and with leaked cards take place from midnight to five",
    "inflation": "all amounts begin to rise, by 2% of today's a day",
}
"""What may change, and how."""

ATTACK: Final = 3.0  # times as many compromised terminals
INFLATION: Final = 0.02  # of the first amounts, a day
MOVED: Final = 0.5  # share of customers whom a spending shift moves
NIGHT: Final = 0.8  # share of the frauds that night fraud moves
NIGHT_MS: Final = 5 * 3_600_000

_MOST_RATE: Final = 4.0
_MEAN: Final = (8.0, 92.0)  # least and span of the customers' mean amounts
_SPREAD: Final = (0.3, 0.4)  # of their standard deviations as shares of the mean
_RATE: Final = (0.1, 1.8)  # of their rates as shares of the mean one
_HOURS: Final = (2, 1, 1, 1, 1, 2, 5, 9, 13, 15, 16, 18, 20, 18, 16, 16, 17, 20, 21, 18, 14, 10, 7, 4)
_TABLE_SIZE: Final = 4096


class Change(msgspec.Struct, frozen=True):
    """A known change: from row `position` (the first is 0) and `time` on, seconds, the world is another one."""

    position: int
    time: float
    kind: str  # a key of KINDS
    what: str


class Setup(msgspec.Struct, frozen=True):
    """How large the world is and how much of it is bad: the arguments of `FraudSimulator`."""

    customers: int
    terminals: int
    rate: float
    amount_share: float
    compromised_share: float
    leaked_share: float
    inspected_share: float
    charged_back_share: float

    def check(self) -> Self:
        """Return itself; raises ValueError, which names the argument, where one is impossible."""
        for name in ("customers", "terminals"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1")
        if not 0 < self.rate <= _MOST_RATE:
            raise ValueError(f"rate={self.rate}: must be above 0 and at most {_MOST_RATE:g} transactions a day")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name.endswith("_share") and not 0 <= value <= 1:
                raise ValueError(f"{name}={value}: must be a share from 0 to 1")
        return self


def check_changes(changes: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """Return the day of each kind of change; raises ValueError where one is unknown, too early, or out of order."""
    days: dict[str, int] = {}
    latest = 1
    for kind, day in changes:
        if kind not in KINDS:
            raise ValueError(f"changes={changes}: {kind!r} is none of {', '.join(KINDS)}")
        if kind in days:
            raise ValueError(f"changes={changes}: {kind} may come once")
        if day < latest:
            raise ValueError(f"changes={changes}: {kind} on day {day} must not be before day {latest}")
        days[kind] = latest = day
    return days


class Customers:
    """Who pays: arrays of a place each for home (a terminal), mean amount, its relative spread, transactions a day."""

    def __init__(self, rng: np.random.Generator, setup: Setup) -> None:
        self._terminals = setup.terminals
        draws = rng.random((4, setup.customers))
        self.homes = scaled(draws[0], setup.terminals)
        self.means = _mean_amounts(draws[1])
        self.spreads = _SPREAD[0] + _SPREAD[1] * draws[2]
        self.rates = setup.rate * (_RATE[0] + _RATE[1] * draws[3])

    def shift(self, rng: np.random.Generator) -> None:
        """Move a share of them, and give these another mean amount."""
        draws = rng.random((3, len(self.homes)))
        moved = draws[0] < MOVED
        self.homes = np.where(moved, scaled(draws[1], self._terminals), self.homes)
        self.means = np.where(moved, _mean_amounts(draws[2]), self.means)


class Tables:
    """Quantiles that draws look up, made so that no machine rounds them otherwise."""

    def __init__(self) -> None:
        middles = ((entry + 0.5) / _TABLE_SIZE for entry in range(_TABLE_SIZE))
        self._exponential = np.array([round(-math.log(1.0 - middle) * 1_000) for middle in middles]) / 1_000.0
        self._weights = np.array(_HOURS, dtype=np.float64)
        self._until = np.cumsum(self._weights)

    def deviations(self, one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return deviates of mean 0 and variance 1, skewed as amounts are: of a gamma distribution of shape 2."""
        summed = self._exponential[scaled(one, _TABLE_SIZE)] + self._exponential[scaled(two, _TABLE_SIZE)]
        deviates: NDArray[np.float64] = (summed - 2.0) * 0.7071067811865476
        return deviates

    def moments(self, draws: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return milliseconds since midnight, by a daily rhythm."""
        places = draws * self._until[-1]
        hours = np.searchsorted(self._until, places, side="right")
        into = (places - (self._until - self._weights)[hours]) / self._weights[hours]
        moments: NDArray[np.int64] = ((hours + into) * 3_600_000.0).astype(np.int64)
        return moments


def scaled(draws: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Turn uniform draws of [0, 1) into whole numbers below `size`."""
    return (draws * size).astype(np.intp)


def _mean_amounts(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Few spend much."""
    means: NDArray[np.float64] = _MEAN[0] + _MEAN[1] * draws * draws
    return means
