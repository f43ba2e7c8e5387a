"""Numbers in units that online models can learn from: river transformers that pass everything else on as it is."""

import math
from collections.abc import Collection, Hashable, Iterable
from typing import Any

from msgspec import Struct
from river import base

FAR = 10.0
"""Standard deviations beyond which a number counts as no further out."""

SETTLED = 30
"""Values after which a column's spread is known well enough to tell what is far out."""

BLOCK = 30
"""Values of a column by which it is told whether it has come to be in another unit."""

STILL = 0.01
"""Of a column's mean: one that has varied less was still, and what is far out of that is news, and no other unit."""

TURNS = 3
"""Times that a column may come in another unit; beyond that it is the world that goes to and fro."""


class Moments(Struct):
    """Count, mean and variance of values (Welford's)."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def learn(self, value: float) -> None:
        """Take in a value; once they are settled as no further than FAR deviations out."""
        if self.count >= SETTLED:
            value = self.near(value)
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.variance += (before * (value - self.mean) - self.variance) / self.count

    @property
    def deviation(self) -> float:
        """The standard deviation."""
        return math.sqrt(self.variance)

    def near(self, value: float) -> float:
        """The value, or where it is further out FAR deviations from the mean; what never varied is near to nothing."""
        reach = FAR * self.deviation
        return min(max(value, self.mean - reach), self.mean + reach) if reach else value

    def far(self, values: Iterable[float]) -> int:
        """How many values are further out."""
        return sum(self.near(value) != value for value in values)


class Column(Struct):
    """The scale of one column.

    ``other``: while most of it is far out of its ``own`` scale, what has come since. ``block``: the newest values, of
    which ``held`` are far out and not learned yet. ``stirring``: what is far out is followed. ``turns``: how often it
    came to be in another unit.
    """

    own: Moments
    other: Moments | None = None
    block: list[float] = []
    held: list[float] = []
    stirring: bool = False
    turns: int = 0

    def learn(self, value: float) -> None:
        """Take in a value."""
        own = self.own
        if own.count < SETTLED:
            own.learn(value)
            return
        self.stirring = self.stirring or (value != own.mean and own.deviation <= STILL * abs(own.mean))
        self.block.append(value)
        if self.other is not None:
            self.other.learn(value)
        elif self.stirring or own.near(value) == value:
            own.learn(value)
        else:
            self.held.append(value)
        if len(self.block) == BLOCK:
            self._end()

    def _end(self) -> None:
        """What was far out is learned only now that the whole block tells what it is."""
        block, held, self.block, self.held = self.block, self.held, [], []
        other = self.other
        if 2 * self.own.far(block) <= BLOCK:
            self.other, self.stirring = None, self.turns > TURNS
        elif self.stirring:
            pass
        elif other is None:
            self.turns += 1
            self.stirring = self.turns > TURNS
            self.other = None if self.stirring else _of(block)
        elif 2 * other.far(block) > BLOCK:
            self.other = _of(block)
        if self.other is None:
            for value in held:
                self.own.learn(value)

    def standardised(self, value: float) -> float:
        """In deviations from the mean, FAR at most."""
        scale = self.other or self.own
        deviation = scale.deviation
        return min(FAR, max(-FAR, (value - scale.mean) / deviation)) if deviation else 0.0


class Derived(Struct):
    """The scale of a column that no field brings: it has no unit to change, and what is far out in it is news.

    A risk is 0 of nearly all terminals: held back as far out, the first that is not would hardly be told from these.
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def learn(self, value: float) -> None:
        """Take in a value (Welford 1962)."""
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)

    def standardised(self, value: float) -> float:
        """In deviations from the mean, FAR at most."""
        deviation = math.sqrt(self.squares / self.count) if self.count else 0.0
        return min(FAR, max(-FAR, (value - self.mean) / deviation)) if deviation else 0.0


def _of(values: Iterable[float]) -> Moments:
    made = Moments()
    for value in values:
        made.learn(value)
    return made


class ScaleNumbers(base.Transformer):
    """Standardises the named columns as it learns.

    Values count as no further than FAR standard deviations out, also when it learns: one absurd value must neither
    throw the model behind it off nor widen the scale for ever. A scale that slowly moves is followed all the same.

    Where most of a block is far out, as a number that comes in cents instead of euros, the column is in another unit:
    as long as that lasts it is standardised by what has come since, so that what the model has learned of it goes on to
    hold, and its own scale stays as it was, for the day on which the unit is put right. A column that was still and
    begins to vary is followed, and so is one that comes and goes more than TURNS times. Columns that are ``derived``
    have none of this.
    """

    def __init__(self, columns: list[str], derived: Collection[str] = ()) -> None:
        self.columns = columns
        self.scales: dict[str, Column | Derived] = {
            name: Derived() if name in derived else Column(Moments()) for name in columns
        }

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Update the scales of the columns present."""
        for name, scale in self.scales.items():
            if name in x:
                scale.learn(x[name])

    def transform_one(self, x: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Give the columns in standard units, among all the rest."""
        return {**x, **{name: scale.standardised(x[name]) for name, scale in self.scales.items() if name in x}}


class FillNumbers(ScaleNumbers):
    """The named columns standardised, a missing one as their mean; others are dropped.

    For detectors that ask for every column, every time.
    """

    def transform_one(self, x: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Give every column in standard units."""
        return {name: scale.standardised(x[name]) if name in x else 0.0 for name, scale in self.scales.items()}


class ToUnit(base.AnomalyDetector):
    """A detector whose scores know no bounds, in (0, 1): s / (1 + |s|), moved up; the order stays."""

    def __init__(self, detector: Any) -> None:
        self.detector = detector

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """The score; the middle before anything has been learned."""
        score = float(self.detector.score_one(x))
        return 0.5 + 0.5 * score / (1.0 + abs(score))

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn from an event."""
        self.detector.learn_one(x)


class ScaleToUnit(base.Transformer):
    """The named columns in [0, 1] by the range seen so far; a missing one is the middle, others are dropped.

    Half-space trees ask for every column, every time, in that range. A value further out than FAR standard deviations
    widens it no further than to there: one absurd value would else press all others into one spot, for ever.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.usual = {name: Moments() for name in columns}
        self.low: dict[str, float] = {}
        self.high: dict[str, float] = {}

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Widen the ranges of the columns present."""
        for name in self.columns:
            if name in x:
                usual = self.usual[name]
                value = usual.near(x[name]) if usual.count >= SETTLED else x[name]
                usual.learn(value)
                self.low[name] = min(value, self.low.get(name, value))
                self.high[name] = max(value, self.high.get(name, value))

    def transform_one(self, x: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Give every column, clipped to its range."""
        scaled: dict[Hashable, Any] = {}
        for name in self.columns:
            low, high = self.low.get(name, 0.0), self.high.get(name, 0.0)
            if name in x and high > low:
                scaled[name] = min(1.0, max(0.0, (x[name] - low) / (high - low)))
            else:
                scaled[name] = 0.5
        return scaled
