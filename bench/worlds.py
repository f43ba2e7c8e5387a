"""Simulated 0/1 losses of a baseline and an online model, many runs at once: nothing wrong, or a known change."""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[Any]
Chance = np.random.Generator
Shape = tuple[int, int]

SOJOURN = 300
"""Events that a regime lasts on average."""


class Losses(Struct, frozen=True):
    """0/1 losses, an array (runs, events) a model."""

    baseline: Array
    online: Array


World = Callable[[Chance, Shape], Losses]
"""Draws so many runs of so many events."""


def independent(baseline: Array | float, online: Array | float) -> World:
    """By error rates, one model's errors independent of the other's."""
    return lambda chance, shape: Losses(_errs(chance, shape, baseline), _errs(chance, shape, online))


def _errs(chance: Chance, shape: Shape, rate: Array | float) -> Array:
    return (chance.random(shape) < rate).astype(float)


def cells(baseline_alone: Array | float, online_alone: Array | float, both: float) -> World:
    """By the chances that one errs alone, and that both do."""

    def draw(chance: Chance, shape: Shape) -> Losses:
        drawn = chance.random(shape)
        baseline = drawn < both + baseline_alone
        online = (drawn < both) | (~baseline & (drawn < both + baseline_alone + online_alone))
        return Losses(baseline.astype(float), online.astype(float))

    return draw


def half_shared(baseline: Array | float, online: float) -> World:
    """By error rates, the online model's the lesser; half of its errors are the baseline's too."""
    return cells(baseline - online / 2, online / 2, online / 2)


def in_regimes(baseline: tuple[float, float], online: tuple[float, float]) -> World:
    """By error rates in either of two regimes, which change at random."""

    def draw(chance: Chance, shape: Shape) -> Losses:
        switches = (chance.random(shape) < 1 / SOJOURN).cumsum(axis=1)
        second = (switches + chance.integers(0, 2, (shape[0], 1))) % 2
        rates = (np.array(pair)[second] for pair in (baseline, online))
        return independent(*rates)(chance, shape)

    return draw


def shifted(events: int, before: float, after: float) -> World:
    """Both models' error rate moves, half-way through so many events."""
    rate = np.where(np.arange(events) < events // 2, before, after)
    return independent(rate, rate)


def resampled(found: Losses, block: int) -> World:
    """By blocks of that many successive events of one real run, drawn with replacement."""

    def draw(chance: Chance, shape: Shape) -> Losses:
        runs, events = shape
        starts = chance.integers(0, found.baseline.shape[1] - block + 1, (runs, -(-events // block)))
        places = (starts[:, :, None] + np.arange(block)).reshape(runs, -1)[:, :events]
        return Losses(found.baseline[0, places], found.online[0, places])

    return draw


NULLS: dict[str, World] = {
    "A gap 0, errors .03": independent(0.03, 0.03),
    "B gap -.03": independent(0.03, 0.06),
    "C gap 0, errors .15, disagreement .2": cells(0.10, 0.10, 0.05),
    "D gap 0, both .01 or .09 in turns": in_regimes((0.01, 0.09), (0.01, 0.09)),
    "E both .03 -> .15": shifted(20_000, 0.03, 0.15),
    "F gap -.03 or .03 in turns": in_regimes((0.02, 0.08), (0.05, 0.05)),
    "G gap .01, disagreement .05": cells(0.03, 0.02, 0.01),
}
"""Of ROT.md section 3. In F the average gap is 0, but no event's is; in E both models become worse."""


def step(healthy: int, events: int, rate: float) -> Array:
    """The baseline's error rate, which rises from .03 after so many events."""
    return np.where(np.arange(events) < healthy, 0.03, rate)


def ramp(healthy: int, events: int, rate: float, length: int) -> Array:
    """The same, which rises little by little over so many events."""
    risen = np.clip((np.arange(events) - healthy) / length, 0.0, 1.0)
    rising: Array = 0.03 + (rate - 0.03) * risen
    return rising


def turned(healthy: int, events: int) -> World:
    """The online model is worse by .03 at first; then the baseline is, by .07."""
    early = np.arange(events) < healthy
    return independent(np.where(early, 0.03, 0.10), np.where(early, 0.06, 0.03))
