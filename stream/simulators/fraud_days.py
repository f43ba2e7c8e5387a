"""Draws the transactions of one simulated day after the other, with the truth about each."""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.simulators.fraud_labels import draw_labels
from stream.simulators.fraud_world import (
    ATTACK,
    DAY_MS,
    INFLATION,
    NIGHT,
    NIGHT_MS,
    SLOTS,
    Customers,
    Setup,
    Tables,
    scaled,
)

AMOUNT: Final = 1
TERMINAL: Final = 2
CARD: Final = 3

_REACH: Final = 10  # so many terminals on either side of a customer's home are near it
_TERMINAL_DAYS: Final = 28
_CARD_DAYS: Final = 14
_CARD_FRAUDS: Final = 1 / 3  # share of the transactions with a leaked card
_HIGH: Final = (2.5, 5.5)  # least and span of how many times the customer's mean a high amount is
_MULTIPLIED: Final = (2.0, 3.0)  # of what the amount with a leaked card is multiplied by
_REPEATS: Final = 3  # a fraud with a leaked card is followed by fewer than so many
_REPEAT_MS: Final = 900_000  # within so much time each
_TEST_AMOUNT: Final = (0.5, 4.5)  # least and span of what tests a stolen card
_LEAST: Final = 0.5


class Day(msgspec.Struct, frozen=True):
    """A day's n transactions in the order of their times; arrays of length n.

    `times` and `label_times` are milliseconds since the epoch, the latter 0 where nobody ever says; `amounts` have two
    decimal places; `scenarios` are 0 or the number of the kind of fraud.
    """

    times: NDArray[np.int64]
    customers: NDArray[np.intp]
    terminals: NDArray[np.intp]
    amounts: NDArray[np.float64]
    scenarios: NDArray[np.int64]
    label_times: NDArray[np.int64]


class Days:
    """One pass through the days, from the first on; `changes` are the days of changes by their kind."""

    def __init__(self, setup: Setup, seed: int, changes: Mapping[str, int], start_ms: int) -> None:
        self._setup = setup
        self._changes = changes
        self._start_ms = start_ms
        self._tables = Tables()
        bits = np.random.PCG64(seed)
        self._customers = Customers(np.random.Generator(bits), setup)
        self._rng = np.random.Generator(np.random.PCG64(seed).jumped())  # far from the draws that made the world
        self._leaked_until = np.zeros(setup.customers, dtype=np.int64)
        self._compromised_until = np.zeros(setup.terminals, dtype=np.int64)
        self._attacked = np.zeros(setup.terminals, dtype=np.bool_)
        self._day = -_TERMINAL_DAYS
        while self._day < 0:  # so that the first day is like any other
            self._begin_frauds()
            self._day += 1

    def next(self) -> Day:
        """Draw the next day."""
        if self._changes.get("spending_shift") == self._day:
            self._customers.shift(self._rng)
        self._begin_frauds()
        drawn = self._drawn()
        self._day += 1
        return drawn

    def _begin_frauds(self) -> None:
        """Let terminals be compromised and cards leak from this day on."""
        setup, day = self._setup, self._day
        attack = self._since("terminal_attack") is not None
        share = setup.compromised_share * (ATTACK if attack else 1.0)
        terminals = self._starting(share * setup.terminals / _TERMINAL_DAYS, setup.terminals)
        self._compromised_until[terminals] = day + _TERMINAL_DAYS
        self._attacked[terminals] = attack
        customers = self._starting(setup.leaked_share * setup.customers / _CARD_DAYS, setup.customers)
        self._leaked_until[customers] = day + _CARD_DAYS

    def _starting(self, expected: float, size: int) -> NDArray[np.intp]:
        """Pick about so many of `size`."""
        count = int(expected + self._rng.random())
        return scaled(self._rng.random(count), size)

    def _since(self, kind: str) -> int | None:
        """For how many days a change has been in force."""
        begun = self._changes.get(kind)
        return None if begun is None or begun > self._day else self._day - begun

    def _drawn(self) -> Day:
        people, rng = self._customers, self._rng
        taking = rng.random((SLOTS, len(people.homes))) < people.rates / SLOTS
        who = np.nonzero(taking)[1]
        draws = rng.random((10, len(who)))
        times = self._tables.moments(draws[0])
        terminals = self._near(who, draws[1], draws[2])
        amounts = self._usual(who, draws[3], draws[4])
        scenarios = np.zeros(len(who), dtype=np.int64)

        at_terminal = self._compromised_until[terminals] > self._day
        scenarios[at_terminal] = TERMINAL
        tests = at_terminal & self._attacked[terminals]
        amounts = np.where(tests, _TEST_AMOUNT[0] + _TEST_AMOUNT[1] * draws[6], amounts)
        leaked = (self._leaked_until[who] > self._day) & (draws[5] < _CARD_FRAUDS)
        scenarios[leaked] = CARD
        amounts = np.where(leaked, amounts * (_MULTIPLIED[0] + _MULTIPLIED[1] * draws[6]), amounts)
        high = draws[7] < self._setup.amount_share
        scenarios[high] = AMOUNT
        amounts = np.where(high, people.means[who] * (_HIGH[0] + _HIGH[1] * draws[8]), amounts)
        if self._since("night_fraud") is not None:
            by_night = rng.random((2, len(who)))
            moved = ((scenarios == AMOUNT) | (scenarios == CARD)) & (by_night[0] < NIGHT)
            times = np.where(moved, scaled(by_night[1], NIGHT_MS), times)

        repeated = np.repeat(np.flatnonzero(scenarios == CARD), scaled(draws[9][scenarios == CARD], _REPEATS))
        again = self._repeats(who[repeated], times[repeated])
        joined = [np.concatenate(pair) for pair in zip((times, who, terminals, amounts, scenarios), again, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        times, who, terminals, amounts, scenarios = (values[order] for values in joined)
        times += self._start_ms + self._day * DAY_MS
        return Day(
            times,
            who,
            terminals,
            self._rounded(amounts),
            scenarios,
            draw_labels(rng, times, scenarios > 0, self._setup),
        )

    def _repeats(self, who: NDArray[np.intp], times: NDArray[np.int64]) -> tuple[NDArray[np.generic], ...]:
        """Draw frauds with leaked cards that follow on the one at `times`, on the same day."""
        draws = self._rng.random((6, len(who)))
        times = np.minimum(times + 1 + scaled(draws[0], _REPEAT_MS), DAY_MS - 1)
        amounts = self._usual(who, draws[3], draws[4]) * (_MULTIPLIED[0] + _MULTIPLIED[1] * draws[5])
        return times, who, self._near(who, draws[1], draws[2]), amounts, np.full(len(who), CARD, dtype=np.int64)

    def _near(self, who: NDArray[np.intp], one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.intp]:
        """Pick a terminal near each one's home, the nearer the likelier."""
        away = scaled(one + two, _REACH) - _REACH
        return (self._customers.homes[who] + away) % self._setup.terminals

    def _usual(self, who: NDArray[np.intp], one: NDArray[np.float64], two: NDArray[np.float64]) -> NDArray[np.float64]:
        people = self._customers
        amounts: NDArray[np.float64] = people.means[who] * (
            1.0 + people.spreads[who] * self._tables.deviations(one, two)
        )
        return amounts

    def _rounded(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        days = self._since("inflation")
        prices = 1.0 if days is None else 1.0 + INFLATION * days
        cents: NDArray[np.float64] = np.floor(np.maximum(amounts, _LEAST) * prices * 100.0 + 0.5) / 100.0
        return cents
