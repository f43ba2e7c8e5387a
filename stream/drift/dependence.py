"""How far the events of a stream depend on one another now: so many of them are worth one independent event."""

from typing import Any

import numpy as np
from msgspec import Struct

from stream.drift.layout import Layout
from stream.drift.measures import Shares

Array = np.ndarray[Any, np.dtype[Any]]

REMEMBERED = 20
"""Slots over which is averaged."""

MOST = 100.0
"""A slot's part in the average is at most so much, lest a break pass for dependence."""


class DependenceState(Struct):
    """What dependence remembers, as JSON."""

    slots: int
    average: list[list[float]]


class Dependence:
    """Learned from how far each slot is from the one before it, which a single break in between hardly moves.

    What depends on one another over longer stretches than a slot cannot be seen so: of that the reference knows
    (stream/training/wander.py), and the greater one counts.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._slots = 0
        self._average = np.ones((2, len(layout.columns)))

    def update(self, before: Array, now: Array) -> None:
        """Learn from two successive slots."""
        layout = self._layout
        a, b = layout.shapes(before), layout.shapes(now)
        shares = Shares(a, b, layout.starts, np.ones(self._average.shape))
        far = np.add.reduceat((shares.p - shares.q) * layout.ranks, layout.starts)
        place = far**2 / shares.each / np.maximum(layout.variance, 1e-12)
        ratio = np.minimum([shares.chi_square()[0], place], MOST)
        known = (shares.n > 0) & (shares.m > 0) & (layout.variance > 0)
        self._slots += 1
        rate = 1 / min(self._slots + 2, REMEMBERED)
        self._average += np.where(known, rate * (ratio - self._average), 0.0)

    def each(self) -> Array:
        """For each column: of shapes, and of places; 1 is not at all."""
        return np.asarray(np.maximum(1.0, np.maximum(self._layout.wander, self._average)))

    def snapshot(self) -> DependenceState:
        """All that it remembers."""
        return DependenceState(self._slots, self._average.tolist())

    def restore(self, state: DependenceState) -> None:
        """Take up a snapshot of one with the same layout."""
        self._slots, self._average = state.slots, np.array(state.average).reshape(2, -1)
