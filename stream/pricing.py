"""The cost matrix of a stream's errors: which there are, and that none is missing."""

import math
from collections.abc import Mapping, Sequence

from stream.errors import SettingError

Matrix = dict[str, dict[str, float]]
"""What it costs to call a class so, by true class and class called; a right call costs nothing unless it is said."""


def checked(key: str, matrix: Mapping[str, Mapping[str, float]], classes: Sequence[str]) -> Matrix:
    """The whole matrix; raises SettingError unless it prices each error among the classes, and finitely."""
    unknown = sorted({*matrix, *(name for row in matrix.values() for name in row)} - {*classes})
    if unknown:
        raise SettingError(key, dict(matrix), f"of the stream's classes {', '.join(classes)} only, not {unknown[0]!r}")
    filled: Matrix = {}
    for truth in classes:
        row = matrix.get(truth, {})
        unpriced = [name for name in classes if name != truth and name not in row]
        if unpriced:
            raise SettingError(key, dict(matrix), f"given for {truth!r} called {unpriced[0]!r}, too")
        filled[truth] = {name: float(row.get(name, 0.0)) for name in classes}
        if not all(map(math.isfinite, filled[truth].values())):
            raise SettingError(key, dict(matrix), f"finite for {truth!r}, too")
    if not widest(filled):
        raise SettingError(key, dict(matrix), "such that some call costs more than another")
    return filled


def widest(matrix: Matrix) -> float:
    """The most by which the costs of one true class differ."""
    return max((max(row.values()) - min(row.values()) for row in matrix.values()), default=0.0)
