"""How far a column wanders while it stands still: neighbouring events resemble one another in real streams."""

from typing import Any

import numpy as np

from stream.reference import Wander

Array = np.ndarray[Any, np.dtype[Any]]

BLOCKS = (100, 250, 500)
"""Rows of a block: what depends on one another over longer stretches is not told from drift."""

LEAST_BLOCKS = 4
"""With fewer blocks of a size it says nothing."""

LEAST_SHARE = 0.01
"""Bins with less of the rows are left out: a single row there would count for much."""


def wander(bins: Array, count: int) -> Wander:
    """Of rows, oldest first, in ``count`` bins; -1 is missing. The greatest over the sizes of blocks."""
    made = []
    for size in BLOCKS:
        number = len(bins) // size
        if number >= LEAST_BLOCKS and count:  # a column without any value has no bins
            blocks = np.minimum(np.arange(len(bins)) // size, number - 1)
            there = bins >= 0
            flat = np.bincount(blocks[there] * count + bins[there], minlength=number * count)
            made.append(apart(flat.reshape(-1, count), LEAST_SHARE))
    return Wander(max([1.0, *(each.shape for each in made)]), max([1.0, *(each.place for each in made)]))


def apart(counts: Array, least: float) -> Wander:
    """How far blocks, a line of counts each, are from one another; bins with a smaller share are left out."""
    counts = counts[:, counts.sum(axis=0) >= max(1.0, least * counts.sum())]
    counts = counts[counts.sum(axis=1) > 0]
    if len(counts) < LEAST_BLOCKS or counts.shape[1] < 2:
        return Wander()
    rows = counts.sum(axis=1)
    p = counts.sum(axis=0) / rows.sum()
    expected = np.outer(rows, p)
    freedom = len(counts) - 1
    shape = ((counts - expected) ** 2 / expected).sum() / (freedom * (len(p) - 1))
    ranks = np.cumsum(p) - p / 2
    variance = (p * ranks**2).sum() - (p * ranks).sum() ** 2
    far = counts @ ranks / rows - (p * ranks).sum()
    return Wander(float(shape), float((rows * far**2).sum() / variance / freedom))
