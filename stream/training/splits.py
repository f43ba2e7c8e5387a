"""Which rows a candidate is fitted on, chosen by, and finally judged by: in the order of time, never shuffled.

The last fifth judges: nobody looks at it until the settings are chosen. What comes before it is split by scheme:

- ``split``: the first three quarters of it fit, the rest chooses (60/20/20 of all rows);
- ``expanding``: for few rows, FOLDS blocks behind the first third, each predicted by what lies before it;
- ``k-fold``: for rows without an order only, each row predicted by all other folds; leave-one-out below LEAVE_ONE_OUT,
  but not for detectors of anomalies, which take long to fit.
"""

from itertools import pairwise

import numpy as np
from msgspec import Struct

from stream.errors import TrainingError
from stream.retraining import Scheme

JUDGES = 0.2
"""The share of the rows, the newest, that judges."""

CHOOSES = 0.25
"""The share of the others, the newest of them, that chooses in a split."""

FOLDS = 5

SMALL = 1_500
"""Below so many rows a fifth of them says too little: ``auto`` takes expanding folds."""

LEAVE_ONE_OUT = 1_000
"""Below so many rows a k-fold leaves out one at a time."""

LEAST = 30
"""Fewer rows than this are no training set."""

Indices = np.ndarray


class Fold(Struct, frozen=True):
    """Positions of the rows that fit, and of those that are then predicted."""

    fit: Indices
    predict: Indices


class Plan(Struct, frozen=True):
    """The folds that choose, and the rows that judge what was chosen: fitted on ``chosen_on``, predicting ``judge``."""

    scheme: str
    folds: list[Fold]
    chosen_on: Indices
    judge: Indices


def plan(rows: int, scheme: Scheme = "auto", seed: int = 1, leave_one_out: int = LEAVE_ONE_OUT) -> Plan:
    """Split so many rows, oldest first; ``seed`` and ``leave_one_out`` are for a k-fold, which alone draws.

    Raises TrainingError for too few rows.

    >>> made = plan(2_000)
    >>> [len(made.folds[0].fit), len(made.folds[0].predict), len(made.judge)]
    [1200, 400, 400]
    """
    if rows < LEAST:
        raise TrainingError(f"{rows} labelled rows are too few to train on and to judge by: {LEAST} at least")
    everything = np.arange(rows)
    if scheme == "k-fold":
        # Without an order any fifth judges as well as another.
        everything = np.random.default_rng(seed).permutation(rows)
    border = rows - round(rows * JUDGES)
    before, judge = everything[:border], everything[border:]
    if scheme == "auto":
        scheme = "expanding" if rows < SMALL else "split"
    if scheme == "split":
        at = border - round(border * CHOOSES)
        folds = [Fold(before[:at], before[at:])]
    elif scheme == "expanding":
        edges = np.linspace(border // 3, border, FOLDS + 1).astype(int)
        folds = [Fold(before[:a], before[a:b]) for a, b in pairwise(edges)]
    else:
        parts = np.array_split(before, len(before) if rows < leave_one_out else FOLDS)
        folds = [Fold(np.setdiff1d(before, part, assume_unique=True), part) for part in parts]
    return Plan(scheme, folds, before, judge)
