"""What the chosen settings are worth on rows that nobody has looked at, and the baseline that is then made with them.

Three fits of one recipe, each on more rows: on what comes before the last quarter of the rows that chose (that quarter
tells whether to calibrate, and the threshold), on all of them (the judged rows tell what that is worth), and on
everything, the judged rows included: that is the baseline.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from stream.config import Features
from stream.errors import TrainingError
from stream.training.aims import Aim
from stream.training.calibration import brier, calibration_error, moved, reliability, sigmoid
from stream.training.card import Calibration
from stream.training.scores import Array, answers, positive, probabilities
from stream.training.splits import Plan
from stream.training.trials import Trial, Trials

SETS = 4
"""One in so many of the rows that chose, the newest, sets the threshold and the sigmoid."""


class Judged(Struct):
    """The baseline's estimator, the columns that it uses, and how its recipe did on the judged rows.

    ``threshold`` is the baseline's, set by the judged rows; these were judged with one that older rows had set.
    ``losses``, ``plain`` and ``trivial`` are of each judged row: the recipe's, the plain candidate's, and those of the
    best answer that is the same for all rows. ``flagged``: those that were called positive. ``scores``: theirs.
    """

    estimator: Any
    kept: list[str]
    threshold: float
    losses: Array
    plain: Array
    trivial: Array
    flagged: Array
    scores: Array
    calibration: Calibration


def judge(trials: Trials, made: Plan, chosen: Trial, plain: Trial, aim: Aim) -> Judged:
    """Judge the chosen candidate beside the plain one, and fit it on all rows."""
    data = trials.data
    judged, truth = data.frame.iloc[made.judge], data.labels[made.judge]
    ours = _Recipe(trials, made, chosen, aim)
    theirs = ours if plain is chosen else _Recipe(trials, made, plain, aim)
    answered = answers(ours.probabilities(judged), ours.threshold)
    before = probabilities(ours.second, judged)
    after = before if ours.behind is None else moved(ours.behind, ours.second).predict_proba(judged)

    last = trials.fit(chosen.candidate, np.arange(len(data.labels)), chosen.iterations)
    estimator, scores = last, ours.probabilities(judged)
    if ours.used:
        newer = _sigmoid(ours.second, judged, truth, data.classes)
        newer = ours.behind if newer is None else newer
        estimator, scores = moved(newer, last), moved(newer, ours.second).predict_proba(judged)
    return Judged(
        estimator,
        _columns(last, data.features),
        aim.threshold(truth, positive(scores)),
        aim.losses(truth, answered),
        aim.losses(truth, answers(theirs.probabilities(judged), theirs.threshold)),
        aim.trivial(truth, data.classes),
        answered == 1,
        positive(scores),
        Calibration(
            ours.used,
            calibration_error(truth, before),
            calibration_error(truth, after),
            brier(truth, before),
            brier(truth, after),
            reliability(truth, before),
            reliability(truth, after),
        ),
    )


class _Recipe:
    """A candidate fitted on the rows that chose: its estimator, the sigmoid behind it, and its threshold.

    The newest quarter of these rows sets sigmoid and threshold for an estimator that has not seen them; then the
    candidate is fitted on all of them.
    """

    def __init__(self, trials: Trials, made: Plan, trial: Trial, aim: Aim) -> None:
        border = len(made.chosen_on) - max(1, len(made.chosen_on) // SETS)
        data, setting = trials.data, made.chosen_on[border:]
        asked, told = data.frame.iloc[setting], data.labels[setting]
        first = trials.fit(trial.candidate, made.chosen_on[:border], trial.iterations)
        self.behind = _sigmoid(first, asked, told, data.classes)
        if self.behind is None and not hasattr(first, "predict_proba"):
            raise TrainingError(
                f"{trial.candidate} needs a sigmoid for its probabilities, and the {len(told)} rows that set it lack "
                "one of the classes: take more rows"
            )
        self.used = self.behind is not None and _calibrates(first, asked, told)
        set_by = self.behind if self.used else first
        self.threshold = aim.threshold(told, positive(probabilities(set_by, asked)))
        self.second = trials.fit(trial.candidate, made.chosen_on, trial.iterations)

    def probabilities(self, rows: Any) -> Array:
        """What it says of rows that it has not seen."""
        return probabilities(moved(self.behind, self.second) if self.used else self.second, rows)


def _sigmoid(estimator: Any, rows: Any, labels: Array, classes: int) -> Any:
    """The estimator behind a sigmoid; None where the rows lack a class."""
    return sigmoid(estimator, rows, labels) if len(np.unique(labels)) == classes else None


def _calibrates(first: Any, asked: Any, told: Array) -> bool:
    """Whether a sigmoid fitted on the older half of the rows makes the newer half's probabilities better.

    What gives no probabilities of its own always gets one.
    """
    if not hasattr(first, "predict_proba"):
        return True
    half = len(told) // 2
    made = _sigmoid(first, asked.iloc[:half], told[:half], len(first.classes_))
    newer, truth = asked.iloc[half:], told[half:]
    return made is not None and brier(truth, made.predict_proba(newer)) < brier(truth, probabilities(first, newer))


def _columns(estimator: Any, features: Features) -> list[str]:
    """Those of the stream's columns that an estimator uses; beside text none is dropped."""
    if features.text:
        return features.columns
    used = {name for _, _, names in estimator["columns"].transformers for name in names}
    return [name for name in features.columns if name in used]
