"""Logistic regression that learns from each label as much as there is to learn: recursive, of second order.

The newest label moves the weights by the inverse of all the curvature seen so far, as Newton's method would on all of
it at once (a Gaussian posterior updated label by label: Spiegelhalter and Lauritzen 1990; with forgetting as in
recursive least squares: Ljung and Söderström 1983). A gradient step costs less, and where one event in 200 is positive
it takes more positives than there are: docs/online-models.md has the figures.
"""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from river import base

MOST = 256
"""Columns that are learned, those seen first: each costs as much as all before it."""

PRIOR = 1.0
"""Variance of a weight of which nothing is known, and of one of which all has been forgotten."""

INTERCEPT = 25.0
"""Of the intercept: where positives are rare it lies far from 0."""

HALF_LIFE = 23_000
"""Labels after which one counts half."""

REFRESH = 1_000
"""Labels between two looks at whether something has been forgotten."""

LEAST_CURVATURE = 1e-6
"""Where the model is sure, and wrong, it must go on learning."""

FURTHEST = 30.0
"""Log odds."""


class RecursiveLogistic(base.Estimator):
    """Binary logistic regression over a dict of numbers, best of unit scale; memory is MOST squared at most.

    ``negatives``: of the labels that are not positive one in 1 / negatives is learned, every so many-th. Probabilities
    stay those of the whole stream: the odds that it learns by are shifted by the share that is left out, so that
    nothing has to be corrected afterwards (King and Zeng 2001).

    >>> model = RecursiveLogistic()
    >>> for at in range(200):
    ...     model.learn_one({"a": at % 2, "b": 1.0}, at % 2 == 1)
    >>> round(model.predict_proba_one({"a": 1.0, "b": 1.0})[True], 1)
    0.9
    """

    def __init__(self, negatives: float = 1.0) -> None:
        self.negatives = negatives
        self.places: dict[Hashable, int] = {"": 0}  # the intercept
        self.weights = np.zeros(1)
        self.covariance = np.eye(1) * INTERCEPT
        self.learned = 0
        self.skipped = 0.0

    def predict_proba_one(self, x: dict[Hashable, Any]) -> dict[bool, float]:
        """The probabilities of both classes."""
        p = _sigmoid(float(self.weights @ self._vector(x)))
        return {False: 1.0 - p, True: p}

    def learn_one(self, x: dict[Hashable, Any], y: bool) -> None:
        """Learn from one label."""
        if not y and self.negatives < 1.0:
            self.skipped += self.negatives
            if self.skipped < 1.0:
                return
            self.skipped -= 1.0
        for name in x:
            if name not in self.places and len(self.places) < MOST:
                self._grow(name)
        z = self._vector(x)
        p = _sigmoid(float(self.weights @ z) - math.log(self.negatives))
        curvature = max(p * (1.0 - p), LEAST_CURVATURE)
        covariance = self.covariance
        covariance *= FORGET
        step = covariance @ z
        spread = float(z @ step)
        if not spread >= 0.0:
            # Rounding has brought it there, after very many labels: what is known of the weights stays.
            self.covariance = np.eye(len(z)) * PRIOR
            self.covariance[0, 0] = INTERCEPT
            return
        share = 1.0 / (1.0 + curvature * spread)
        self.weights += step * ((y - p) * share)
        covariance -= np.outer(step, step * (curvature * share))
        self.learned += 1
        if self.learned % REFRESH == 0:
            self._refresh()

    def _vector(self, x: dict[Hashable, Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
        places = self.places
        z = np.zeros(len(places))
        z[0] = 1.0
        for name, value in x.items():
            at = places.get(name)
            if at is not None:
                z[at] = value
        return z

    def _grow(self, name: Hashable) -> None:
        size = len(self.places)
        self.places[name] = size
        self.weights = np.append(self.weights, 0.0)
        grown = np.zeros((size + 1, size + 1))
        grown[:size, :size] = self.covariance
        grown[size, size] = PRIOR
        self.covariance = grown

    def _refresh(self) -> None:
        """Let no variance grow beyond the prior's: a column that never varies would be forgotten without bound."""
        variances = self.covariance.diagonal().copy()
        bound = np.full(len(variances), PRIOR)
        bound[0] = INTERCEPT
        if (variances > bound).any():
            scale = np.sqrt(np.minimum(1.0, bound / variances))
            self.covariance *= np.outer(scale, scale)


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-FURTHEST, min(FURTHEST, odds))))


FORGET = 2.0 ** (1.0 / HALF_LIFE)
