"""How far counts are from a reference's: effect sizes and p-values, of all columns at once.

Counts of all columns stand one after another; ``starts`` says where each begins. Every measure takes the counts of
the reference ``r`` and of now ``c`` and gives a number a column.
"""

from typing import Any

import numpy as np
from scipy.special import betainc, chdtrc, kolmogorov

Array = np.ndarray[Any, np.dtype[Any]]

SMOOTH = 0.5
"""Added to every count where logarithms are taken."""


class Shares:
    """The reference's and the present shares of each bin, with how many values ``m`` and ``n`` they are of.

    ``dependence``: of how many values one independent value is worth, a line for shapes and one for places
    (stream/training/wander.py). ``independent``: how many there are now, by the worse of the two.
    """

    def __init__(self, r: Array, c: Array, starts: Array, dependence: Array) -> None:
        self.r, self.c, self.starts = r, c, starts
        self.sizes = np.diff(np.append(starts, len(r)))
        self.column = np.repeat(np.arange(len(starts)), self.sizes)
        self.m, self.n = np.add.reduceat(r, starts), np.add.reduceat(c, starts)
        self.shape, self.place = np.maximum(1.0, dependence)
        self.each = 1 / np.maximum(self.n, 1.0) + 1 / np.maximum(self.m, 1.0)
        self.noise = self.shape * self.each
        self.independent = np.minimum(self.n, self.m) / np.maximum(self.shape, self.place)
        self.p = c / np.maximum(self.n, 1.0)[self.column]
        self.q = r / np.maximum(self.m, 1.0)[self.column]
        self.apart = np.add.accumulate(self.p - self.q)
        before = np.where(starts > 0, self.apart[starts - 1], 0.0)
        self.apart -= before[self.column]

    def psi(self) -> Array:
        """The population stability index, less what it comes to by chance where nothing has changed; not below 0.

        It is the symmetric Kullback-Leibler divergence; by chance (bins - 1)(1/n + 1/m): B. Yurdakul, Statistical
        properties of population stability index (2018).
        """
        a, b = self._smooth(self.c, self.n), self._smooth(self.r, self.m)
        raw = np.add.reduceat((a - b) * np.log(a / b), self.starts)
        return np.asarray(np.maximum(0.0, raw - (self.sizes - 1) * self.noise))

    def jensen_shannon(self) -> Array:
        """The Jensen-Shannon divergence in bits, from 0 to 1, less what it comes to by chance; not below 0."""
        a, b = self._smooth(self.c, self.n), self._smooth(self.r, self.m)
        middle = (a + b) / 2
        raw = np.add.reduceat(a * np.log2(a / middle) + b * np.log2(b / middle), self.starts) / 2
        return np.asarray(np.maximum(0.0, raw - (self.sizes - 1) * self.noise / (8 * np.log(2))))

    def wasserstein(self, widths: Array) -> Array:
        """The Wasserstein distance in the unit of ``widths``: each bin's, 0 for those that are left out.

        Bins are filled evenly, so that inside a bin the distribution functions differ by a line between its ends.
        """
        ends = self.apart
        begins = ends - (self.p - self.q)
        same = begins * ends >= 0
        total = np.abs(begins) + np.abs(ends)
        crossed = (begins**2 + ends**2) / np.maximum(total, 1e-300)
        return np.add.reduceat(np.where(same, total, crossed) / 2 * widths, self.starts)

    def kolmogorov_smirnov(self) -> tuple[Array, Array]:
        """The greatest distance of the distribution functions at the bins' ends, and its p-value: too large, if at all.

        By M. A. Stephens' correction (1970) of Kolmogorov's limit.
        """
        distance = np.maximum.reduceat(np.abs(self.apart), self.starts)
        root = np.sqrt(1 / (self.place * self.each))
        return distance, kolmogorov((root + 0.12 + 0.11 / root) * distance)

    def chi_square(self) -> tuple[Array, Array]:
        """The statistic of homogeneity a degree of freedom, and its p-value, which allows for the dependence.

        Where events depend on one another the statistic is a sum of weighted chi-squares: with the weight ``place``
        for the mean rank and the rest for all others it is taken for the one that has its mean and variance (J. N. K.
        Rao and A. J. Scott, 1981; F. E. Satterthwaite, 1946).
        """
        both = self.c + self.r
        expected = both / np.maximum(self.n + self.m, 1.0)[self.column]
        terms = np.where(both > 0, (self.p - self.q) ** 2 / np.maximum(expected, 1e-300), 0.0)
        statistic = np.add.reduceat(terms, self.starts) / self.each
        usable = (freedom := np.add.reduceat(both > 0, self.starts, dtype=float) - 1) > 0
        freedom = np.maximum(freedom, 1.0)
        total_weight = np.maximum(freedom * self.shape, self.place)
        rest = (total_weight - self.place) / np.maximum(freedom - 1, 1.0)
        squares = self.place**2 + (freedom - 1) * rest**2
        p = chdtrc(total_weight**2 / squares, statistic * total_weight / squares)
        return np.where(usable, statistic / freedom, 1.0), np.where(usable, p, 1.0)

    def _smooth(self, counts: Array, total: Array) -> Array:
        return np.asarray((counts + SMOOTH) / (total + SMOOTH * self.sizes)[self.column], dtype=float)


def more_than(count: Array, n: Array, share: Array) -> Array:
    """P(so many or more of n), each with probability ``share``; counts need not be whole."""
    usual = betainc(np.maximum(count, 1e-9), np.maximum(n - count, 0.0) + 1, share)
    return np.where(count > 0, usual, 1.0)


def adjusted(p: Array) -> Array:
    """p-values adjusted by Y. Benjamini and Y. Hochberg (1995): the share of false ones among all that are smaller.

    >>> adjusted(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    made = np.empty(len(p))
    made[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return made
