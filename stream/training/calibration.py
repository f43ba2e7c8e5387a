"""Whether scores are probabilities, and a map that makes them so: Platt's sigmoid (1999)."""

from copy import copy
from typing import Any

import numpy as np
from msgspec import Struct
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from stream.windows import brier_scores

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
    """The mean of the rows' Brier scores."""
    return float(brier_scores(labels, probabilities).mean())


def sigmoid(estimator: Any, frame: Any, labels: Array) -> Any:
    """The fitted estimator behind a sigmoid that is fitted on these rows, which it has not seen."""
    everything = np.arange(len(labels))  # the estimator is fitted: there is nothing to cross-validate
    cv = [(everything, everything)]
    return CalibratedClassifierCV(FrozenEstimator(estimator), method="sigmoid", cv=cv).fit(frame, labels)


def rising(calibrated: Any) -> bool:
    """Whether the sigmoid of every class says the likelier where the estimator does."""
    return all(one.a_ < 0 for inner in calibrated.calibrated_classifiers_ for one in inner.calibrators)


def moved(calibrated: Any, estimator: Any) -> Any:
    """The same sigmoid behind another fitted estimator: the same recipe, fitted on newer rows too."""
    made, frozen = copy(calibrated), FrozenEstimator(estimator)
    # What it was fitted with answers nothing, and a skops file would hold the vocabulary once more.
    made.estimator = made.cv = None
    made.calibrated_classifiers_ = [copy(inner) for inner in calibrated.calibrated_classifiers_]
    for inner in made.calibrated_classifiers_:
        inner.estimator = frozen
    return made


def decisions(estimator: Any, frame: Any) -> Array:
    """What a sigmoid is fitted on: decisions, or probabilities where there are none, of two classes the last one's."""
    if hasattr(estimator, "decision_function"):
        made = np.asarray(estimator.decision_function(frame))
    else:
        made = np.asarray(estimator.predict_proba(frame))
        made = made[:, 1] if made.shape[1] == 2 else made
    return made.reshape(len(made), -1)


class Said(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Stands in for several estimators that have said this of the rows: it is asked about ``decisions`` themselves.

    It is fitted already; what scikit-learn asks of one that it is to calibrate is there, and no more.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(classes)

    def fit(self, made: Array, labels: Array) -> "Said":
        """Nothing to learn."""
        return self

    def predict(self, made: Array) -> Array:
        """The class that is decided for."""
        return made.argmax(axis=1) if made.shape[1] > 1 else (made[:, 0] > 0).astype(int)

    def decision_function(self, made: Array) -> Array:
        """The same; of two classes as scikit-learn has them."""
        return made if made.shape[1] > 1 else made[:, 0]
