"""How many errors models made on warm-up rows that they had not learned from: what absolute rot is measured against.

The baseline: fitted on what lies before each block of the newest rows, as it is in use it has learned from all of them
(Dawid 1984, "prequential"). The online model: tested on each row before it learned from it, on the newer half, as it
had learned next to nothing before.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from stream import baseline as batch
from stream.baseline import Baseline
from stream.config import Kind
from stream.errors import TrainingError
from stream.records import Score
from stream.risk import LEAST_JUDGED, risk

SHARE = 5
"""One in so many rows, the newest, is a block; as many blocks as LEAST_JUDGED rows take."""


def online_risk(scores: Sequence[Score], labels: Sequence[int]) -> float | None:
    """The upper end of the interval of its risk; None with fewer than LEAST_JUDGED rows to judge it by."""
    return _upper(scores[len(scores) // 2 :], labels[len(labels) // 2 :])


def baseline_risk(make: Callable[[], Any], frame: Any, labels: Sequence[int], kind: Kind, classes: int) -> float | None:
    """The same of what ``make`` gives; None too where the rows before a block lack a class."""
    rows = len(labels)
    judged = max(LEAST_JUDGED, rows // SHARE)
    if judged > rows // 2:
        return None
    edges = [*range(rows - judged, rows, max(1, rows // SHARE)), rows]
    scores: list[Score] = []
    try:
        for begin, end in pairwise(edges):
            estimator = make()
            batch.fit(estimator, frame.iloc[:begin], labels[:begin], kind, classes)
            scores += Baseline(estimator, kind, "").score(frame.iloc[begin:end])
    except TrainingError:
        return None
    return _upper(scores, labels[-judged:])


def _upper(scores: Sequence[Score], labels: Sequence[int]) -> float | None:
    if len(labels) < LEAST_JUDGED:
        return None
    told = np.asarray(scores, dtype=float)
    answers = told.argmax(axis=1) if told.ndim > 1 else (told >= 0.5).astype(int)
    return risk((answers != np.asarray(labels)).astype(float)).high
