"""Numbers in units that online models can learn from: river transformers that pass everything else on as it is."""

from collections.abc import Hashable
from typing import Any

from msgspec import Struct
from river import base, preprocessing

FAR = 10.0
"""Standard deviations beyond which a number counts as no further out."""

SETTLED = 30
"""Values after which a column's spread is known well enough to tell what is far out."""

BLOCK = 30
"""Values of a column by which it is told whether it has come to be in another unit."""

STILL = 0.01
"""Of a column's mean: one that has varied less was still, and what is far out of that is news, and no other unit."""


class Block(Struct):
    """Values of a column in a row: how many, so many of them far out; their sums, less the first one.

    ``held``: values far out, brought near, of which it is not known yet whether they are to be learned.
    """

    events: int = 0
    far: int = 0
    held: list[float] = []
    first: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float, *, far: bool) -> None:
        """Take in a value."""
        if not self.events:
            self.first = value
        self.events += 1
        self.far += far
        self.total += value - self.first
        self.squares += (value - self.first) ** 2

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        mean = self.total / self.events
        return self.first + mean, max(0.0, self.squares / self.events - mean**2) ** 0.5


class ScaleNumbers(base.Transformer):
    """Standardises the named columns as it learns.

    Values count as no further than FAR standard deviations out, also when it learns: one absurd value must neither
    throw the model behind it off nor widen the scale for ever. A scale that slowly moves is followed all the same.

    Where most of a block is far out, as a number that comes in cents instead of euros, the column is in another unit:
    as long as that lasts it is standardised by what has come since, so that what the model has learned of it goes on to
    hold, and its own scale stays as it was, for the day on which the unit is put right. A column that was still and
    begins to vary (``stirring``) is followed.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.scaler = preprocessing.StandardScaler()
        self.blocks: dict[str, Block] = {}
        self.other: dict[str, Block] = {}
        self.stirring: set[str] = set()

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Update the means and variances of the columns present."""
        for name in self.columns:
            if name in x:
                self._learn(name, x[name])

    def _learn(self, name: str, value: float) -> None:
        scaler, mean, deviation = self.scaler, self.scaler.means[name], self.scaler.vars[name] ** 0.5
        if not deviation or scaler.counts[name] < SETTLED:
            scaler.learn_one({name: value})
            return
        reach = FAR * deviation
        near = min(max(value, mean - reach), mean + reach)
        if deviation < STILL * abs(mean):
            self.stirring.add(name)
        block = self.blocks.get(name)
        if block is None:
            block = self.blocks[name] = Block()
        block.add(value, far=near != value)
        if name in self.other:
            self.other[name].add(value, far=near != value)
        elif near == value or name in self.stirring:
            scaler.learn_one({name: near})
        else:
            block.held.append(near)
        if block.events == BLOCK:
            self._end(name, block)

    def _end(self, name: str, block: Block) -> None:
        """What was far out is learned only now that the whole block tells what it is."""
        del self.blocks[name]
        if 2 * block.far <= BLOCK:
            self.other.pop(name, None)
            self.stirring.discard(name)
            for near in block.held:
                self.scaler.learn_one({name: near})
        elif name not in self.stirring:
            self.other.setdefault(name, block)

    def transform_one(self, x: dict[Hashable, Any]) -> dict[Hashable, Any]:
        """Give the columns in standard units, among all the rest."""
        scaler, other = self.scaler, self.other
        scaled: dict[Hashable, Any] = {}
        for name in self.columns:
            if name in x:
                mean, deviation = other[name].scale if name in other else (scaler.means[name], scaler.vars[name] ** 0.5)
                scaled[name] = min(FAR, max(-FAR, (x[name] - mean) / deviation)) if deviation else 0.0
        return {**x, **scaled}


class ScaleToUnit(base.Transformer):
    """The named columns in [0, 1] by the range seen so far; a missing one is the middle, others are dropped.

    Half-space trees ask for every column, every time, in that range.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.low: dict[str, float] = {}
        self.high: dict[str, float] = {}

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Widen the ranges of the columns present."""
        for name in self.columns:
            if name in x:
                value = x[name]
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
