"""What the chosen settings are worth on rows that nobody has looked at, and the baseline that is then made with them.

Three fits of one recipe, each on more rows: on what comes before the last quarter of the rows that chose (that quarter
tells whether to calibrate, and the threshold), on all of them (the judged rows tell what that is worth), and on
everything, the judged rows included: that is the baseline.
"""

from typing import Any

import numpy as np
from msgspec import Struct

from stream.config import Features
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

    ``losses``, ``plain`` and ``trivial`` are of each judged row: the recipe's, the plain candidate's, and those of the
    best answer that is the same for all rows.
    """

    estimator: Any
    kept: list[str]
    threshold: float
    losses: Array
    plain: Array
    trivial: Array
    calibration: Calibration


def judge(trials: Trials, made: Plan, chosen: Trial, plain: Trial, aim: Aim) -> Judged:
    """Judge the chosen candidate beside the plain one, and fit it on all rows."""
    data = trials.data
    border = len(made.chosen_on) - max(1, len(made.chosen_on) // SETS)
    setting = made.chosen_on[border:]
    asked, told = data.frame.iloc[setting], data.labels[setting]
    judged, truth = data.frame.iloc[made.judge], data.labels[made.judge]

    first = trials.fit(chosen.candidate, made.chosen_on[:border], chosen.iterations)
    used = _calibrates(first, asked, told)
    behind = sigmoid(first, asked, told)
    threshold = aim.threshold(told, positive(probabilities(behind if used else first, asked)))

    second = trials.fit(chosen.candidate, made.chosen_on, chosen.iterations)
    before, after = probabilities(second, judged), moved(behind, second).predict_proba(judged)
    losses = aim.losses(truth, answers(after if used else before, threshold))
    other = trials.fit(plain.candidate, made.chosen_on, plain.iterations)

    last = trials.fit(chosen.candidate, np.arange(len(data.labels)), chosen.iterations)
    return Judged(
        moved(sigmoid(second, judged, truth), last) if used else last,
        _columns(last, data.features),
        threshold,
        losses,
        aim.losses(truth, answers(probabilities(other, judged), threshold)),
        aim.trivial(truth, data.classes),
        Calibration(
            used,
            calibration_error(truth, before),
            calibration_error(truth, after),
            brier(truth, before),
            brier(truth, after),
            reliability(truth, before),
            reliability(truth, after),
        ),
    )


def _calibrates(first: Any, asked: Any, told: Array) -> bool:
    """Whether a sigmoid fitted on the older half of the rows makes the newer half's probabilities better.

    What gives no probabilities of its own always gets one.
    """
    if not hasattr(first, "predict_proba"):
        return True
    half = len(told) // 2
    if len(np.unique(told[:half])) < len(first.classes_):
        return False
    made = sigmoid(first, asked.iloc[:half], told[:half])
    newer, truth = asked.iloc[half:], told[half:]
    return brier(truth, made.predict_proba(newer)) < brier(truth, probabilities(first, newer))


def _columns(estimator: Any, features: Features) -> list[str]:
    """Those of the stream's columns that an estimator uses; beside text none is dropped."""
    if features.text:
        return features.columns
    used = {name for _, _, names in estimator["columns"].transformers for name in names}
    return [name for name in features.columns if name in used]
