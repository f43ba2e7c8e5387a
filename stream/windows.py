"""How far back to look: what lies before the newest rows fits, and these say which window did best.

All rows win where what was comes back, the newest where it does not: docs/baselines.md shows one of each.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

WINDOWS = (2_500, 5_000, 10_000)
"""The newest so many rows, beside all of them."""

NEWEST = 300
"""Rows, the newest labelled ones, that judge windows; so many are gathered behind an alarm."""

SURE = 1.96
"""Standard errors by which a window must be better than all rows: a 95% interval of the difference, row by row."""

Window = TypeVar("Window")


def ranked(windows: Iterable[Window], losses: Callable[[Window], Array | None]) -> list[tuple[Window, float]]:
    """Each window with its mean loss on the newest rows: first the one to take, then the others, the best first.

    ``windows``: all rows first; these are taken unless another window is told to be better, and of such the best.
    ``losses`` fits on a window and gives the loss of each of the newest rows, None where it cannot be fitted.

    >>> lost = {"all": np.array([0.5, 0.6, 0.4]), "new": np.array([0.1, 0.2, 0.1]), "none": None}
    >>> [name for name, _ in ranked(lost, lost.get)]
    ['new', 'all']
    """
    found = [(window, lost) for window in windows if (lost := losses(window)) is not None]
    order = sorted(range(len(found)), key=lambda at: float(found[at][1].mean()))
    if order and not _better(found[order[0]][1], found[0][1]):
        order.remove(0)
        order.insert(0, 0)
    return [(found[at][0], float(found[at][1].mean())) for at in order]


def brier_scores(labels: Array, probabilities: Array) -> Array:
    """The Brier score (1950) of each row, halved where there are two classes, so that it lies in [0, 1].

    It tells windows apart by far fewer rows than errors do: docs/baselines.md.
    """
    hot = np.eye(probabilities.shape[1])[labels]
    return np.asarray(((probabilities - hot) ** 2).sum(axis=1) / 2)


def _better(ours: Array, others: Array) -> bool:
    gap = others - ours
    return float(gap.mean()) > SURE * float(gap.std()) / math.sqrt(len(gap))
