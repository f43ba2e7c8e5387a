"""The plainest online detector of anomalies: how far out each column lies, in the mean over columns."""

import math
from collections.abc import Hashable
from typing import Any

from river import base

from stream.scaling import SETTLED, Moments

ROOT = math.sqrt(2.0)


class Gaussians(base.AnomalyDetector):
    """A Gaussian a column; an event's score is the mean, over the columns that it has, of 2 |cdf - 1/2|.

    So river's GaussianScorer scores one number. It sees what is far out in single columns, and nothing of what is odd
    by their combination alone. A value beyond FAR deviations counts as one there when it is learned: one absurd value
    would else widen the column for ever.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = {name: Moments() for name in columns}

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """The score in [0, 1]; 0 of a column until SETTLED values of it are known."""
        told = [_outlying(column, x[name]) for name, column in self.columns.items() if name in x]
        return sum(told) / len(told) if told else 0.0

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Learn the columns present."""
        for name, column in self.columns.items():
            if name in x:
                column.learn(x[name])


def _outlying(column: Moments, value: float) -> float:
    deviation = column.deviation
    if column.count < SETTLED or not deviation:
        return 0.0
    return math.erf(abs(value - column.mean) / deviation / ROOT)
