"""Whether scores are probabilities, and a map that makes them so: Platt's sigmoid (1999)."""

from copy import copy
from typing import Any

import numpy as np
from msgspec import Struct
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 15


class Bin(Struct, frozen=True):
    """Rows whose likeliest class had about the same probability: its mean, and the share in which it was right."""

    rows: int
    confidence: float
    right: float


def reliability(labels: Array, probabilities: Array) -> list[Bin]:
    """The bins that hold rows, of BINS of equal width. ``probabilities``: a column a class."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(int(here.sum()), float(confidence[here].mean()), float(right[here].mean()))
        for here in (bins == number for number in np.unique(bins))
    ]


def calibration_error(labels: Array, probabilities: Array) -> float:
    """The expected calibration error of the likeliest class, over the bins of ``reliability`` (Guo et al. 2017).

    >>> calibration_error(np.array([1, 0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    0.0
    """
    return sum(b.rows * abs(b.right - b.confidence) for b in reliability(labels, probabilities)) / len(labels)


def brier(labels: Array, probabilities: Array) -> float:
    """The mean Brier score (1950), halved where there are two classes, so that it lies in [0, 1]."""
    hot = np.eye(probabilities.shape[1])[labels]
    total = float(((probabilities - hot) ** 2).sum(axis=1).mean())
    return total / 2


def sigmoid(estimator: Any, frame: Any, labels: Array) -> Any:
    """The fitted estimator behind a sigmoid that is fitted on these rows, which it has not seen."""
    everything = np.arange(len(labels))  # the estimator is fitted: there is nothing to cross-validate
    cv = [(everything, everything)]
    return CalibratedClassifierCV(FrozenEstimator(estimator), method="sigmoid", cv=cv).fit(frame, labels)


def moved(calibrated: Any, estimator: Any) -> Any:
    """The same sigmoid behind another fitted estimator: the same recipe, fitted on newer rows too."""
    made, frozen = copy(calibrated), FrozenEstimator(estimator)
    made.estimator = frozen
    made.calibrated_classifiers_ = [copy(inner) for inner in calibrated.calibrated_classifiers_]
    for inner in made.calibrated_classifiers_:
        inner.estimator = frozen
    return made
