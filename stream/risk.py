"""What a baseline's risk is, with an interval: the validation risk that absolute rot is measured against."""

import math
from typing import Any

import numpy as np
from msgspec import Struct
from scipy import stats

Array = np.ndarray[Any, np.dtype[Any]]

LEAST_JUDGED = 500
"""Fewer judged rows than this say too little for absolute rot to be measured against."""

LEAST_POSITIVES = 100
"""The same of judged positives, where only these count: with as many the interval is some 0.2 wide."""


class Risk(Struct, frozen=True):
    """The mean loss of so many judged ``rows``, with a two-sided 95% interval; ``method`` says which.

    The interval holds for rows that are drawn independently from what the stream is now; it says nothing of what the
    stream will be. By no rows nothing is known: the interval is all that a loss can be, and the mean the worst of it.
    """

    mean: float
    low: float
    high: float
    rows: int
    method: str


def risk(losses: Array, level: float = 0.95) -> Risk:
    """The risk by losses in [0, 1]: Clopper-Pearson (1934) where all are 0 or 1, else empirical Bernstein.

    The latter is the bound of Maurer and Pontil (2009), each side at half of 1 - level.

    >>> risk(np.array([0.0] * 97 + [1.0] * 3)).method
    'Clopper-Pearson'
    """
    n, tail = len(losses), (1 - level) / 2
    if not n:
        return Risk(1.0, 0.0, 1.0, 0, "no rows")
    mean = float(losses.mean())
    if np.isin(losses, (0.0, 1.0)).all():
        k = round(float(losses.sum()))
        low = float(stats.beta.ppf(tail, k, n - k + 1)) if k else 0.0
        high = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
        return Risk(mean, low, high, n, "Clopper-Pearson")
    spread = float(losses.var(ddof=1)) if n > 1 else 0.25
    log = math.log(2 / tail)
    radius = math.sqrt(2 * spread * log / n) + 7 * log / (3 * max(1, n - 1))
    return Risk(mean, max(0.0, mean - radius), min(1.0, mean + radius), n, "empirical Bernstein")


def difference(ours: Array, others: Array, looks: int = 1) -> tuple[float, float, float]:
    """Mean and 95% interval of ``ours`` less ``others``, losses row by row; ``looks``: one of so many intervals.

    Wald's for paired proportions with half a row added to each of its four cells (Agresti and Min 2005): a handful of
    rows on which two models differ tells nothing, where the plain one would have it.

    >>> [round(1000 * end, 1) for end in difference(np.array([1.0] * 4 + [0.0] * 496), np.zeros(500))]
    [8.0, -0.7, 16.7]
    """
    gap, rows = ours - others, len(ours) + 2
    mean = float(gap.sum()) / rows
    error = float(stats.norm.ppf(1 - 0.025 / looks)) * math.sqrt(((float((gap**2).sum()) + 1) / rows - mean**2) / rows)
    return mean, mean - error, mean + error
