"""Going forward over the judged rows in blocks, as a baseline that is trained again and again would.

Before each block the newest rows say how far back to look, the recipe is fitted on what lies before the block, and
answers it. Threshold and sigmoid are set by the newest quarter of the rows that chose, for a fit that has not seen it.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from stream.training.aims import Aim
from stream.training.calibration import brier, decisions, moved, rising, sigmoid
from stream.training.families import Candidate
from stream.training.lookback import Lookback, Looks
from stream.training.scores import Array, answers, positive, probabilities
from stream.training.trials import Trial, Trials, newest
from stream.windows import NEWEST

SETS = 4
"""One in so many of the rows that chose, the newest, sets the threshold and the sigmoid."""

BLOCKS = 4
"""Blocks at most; fewer where the budget does not allow them, or they would have fewer than NEWEST rows."""


class Block(Struct):
    """What was said of a block of rows by a fit on those before it.

    ``begin`` and ``end``: its place among all rows; ``back``: how far the fit looked. ``probabilities`` are those
    before the sigmoid and ``calibrated`` those behind it; ``plain``: the answers of the plain candidate, fitted on all
    rows before the block. ``sigmoid``: None where the rows that set it do not allow one; ``used``: whether the answers
    are by what comes behind it.
    """

    begin: int
    end: int
    back: Lookback
    decisions: Array
    probabilities: Array
    calibrated: Array
    answered: Array
    plain: Array
    sigmoid: Any
    used: bool


class Going:
    """Goes forward for the chosen candidate beside the plain one; ``looks``: how far back the chosen one may look."""

    def __init__(self, trials: Trials, looks: Looks, plain: Trial, aim: Aim) -> None:
        self.trials = trials
        self.looks = looks
        self.plain = plain
        self.aim = aim
        self._set: dict[Candidate, _Set] = {}

    def forward(self) -> list[Block]:
        """The blocks, oldest first."""
        border, rows = len(self.trials.plan.chosen_on), len(self.looks.rows)
        budget = self.looks.budget
        began = budget.spent()
        ways = self.looks.choose(border)
        count = 1
        if len(ways) > 1:
            # The baseline needs a choice of its own behind the last block.
            paid = budget.left() / max(budget.spent() - began, 1e-9) - 1
            count = max(1, int(min(BLOCKS, (rows - border) / NEWEST, paid)))
        edges = np.linspace(border, rows, count + 1).astype(int)
        return [
            self._block(begin, end, (ways if begin == border else self.looks.choose(begin))[0][0])
            for begin, end in pairwise(edges.tolist())
        ]

    def _block(self, begin: int, end: int, back: Lookback) -> Block:
        chosen, frame = self.looks.trial, self.trials.data.frame.iloc[self.looks.rows[begin:end]]
        ours, set_ = self._fitted(back.of(chosen.candidate), chosen.iterations, begin)
        said = probabilities(ours, frame)
        calibrated = said if set_.sigmoid is None else moved(set_.sigmoid, ours).predict_proba(frame)
        answered = answers(calibrated if set_.used else said, set_.threshold)
        plain = answered
        if back.of(chosen.candidate) != self.plain.candidate:
            theirs, by = self._fitted(self.plain.candidate, self.plain.iterations, begin)
            plain = answers(probabilities(moved(by.sigmoid, theirs) if by.used else theirs, frame), by.threshold)
        made = decisions(ours, frame)
        return Block(begin, end, back, made, said, calibrated, answered, plain, set_.sigmoid, set_.used)

    def _fitted(self, candidate: Candidate, iterations: int, begin: int) -> tuple[Any, "_Set"]:
        """The candidate fitted on all rows before ``begin``, and what was set for it."""
        if candidate not in self._set:
            self._set[candidate] = _set(self.trials, candidate, iterations, self.aim)
        return self.trials.fit(candidate, self.looks.rows[:begin], iterations), self._set[candidate]


class _Set(Struct):
    """The sigmoid of a candidate, whether it is used, and the threshold."""

    sigmoid: Any
    used: bool
    threshold: float


def _set(trials: Trials, candidate: Candidate, iterations: int, aim: Aim) -> _Set:
    data, rows = trials.data, trials.plan.chosen_on
    border = len(rows) - max(1, len(rows) // SETS)
    asked, told = data.frame.iloc[rows[border:]], data.labels[rows[border:]]
    if not trials.enough(newest(candidate, rows[:border], 1.0)):
        candidate = replace(candidate, window=0)  # so long ago its window lacked a class
    first = trials.fit(candidate, rows[:border], iterations)
    behind = fitted_sigmoid(first, asked, told, data.classes)
    used = behind is not None and _calibrates(first, asked, told)
    return _Set(behind, used, aim.threshold(told, positive(probabilities(behind if used else first, asked))))


def fitted_sigmoid(estimator: Any, rows: Any, labels: Array, classes: int) -> Any:
    """The estimator behind a sigmoid; None where the rows lack a class, or the estimator says the contrary of them.

    The latter happens where the stream has turned round: a sigmoid that turns the answers, too, would turn those of an
    estimator that has seen newer rows.
    """
    if len(np.unique(labels)) < classes:
        return None
    made = sigmoid(estimator, rows, labels)
    return made if rising(made) else None


def _calibrates(first: Any, asked: Any, told: Array) -> bool:
    """Whether a sigmoid fitted on the older half of the rows makes the newer half's probabilities better.

    What gives no probabilities of its own always gets one.
    """
    if not hasattr(first, "predict_proba"):
        return True
    half = len(told) // 2
    made = fitted_sigmoid(first, asked.iloc[:half], told[:half], len(first.classes_))
    newer, truth = asked.iloc[half:], told[half:]
    return made is not None and brier(truth, made.predict_proba(newer)) < brier(truth, probabilities(first, newer))
