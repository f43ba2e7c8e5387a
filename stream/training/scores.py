"""What a fitted estimator says of rows: probabilities, the positive class's score, and the answer by a threshold."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def probabilities(estimator: Any, rows: Any) -> Array:
    """A column a class; of what gives no probabilities, its decisions as the usual sigmoid makes some of them."""
    if hasattr(estimator, "predict_proba"):
        made: Array = estimator.predict_proba(rows)
        return made
    decisions = estimator.decision_function(rows)
    if decisions.ndim == 1:
        decisions = np.column_stack([-decisions, decisions])
    odds = 1 / (1 + np.exp(-decisions))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def positive(made: Array) -> Array:
    """Of probabilities of two classes the positive one's; of more, the likeliest one's."""
    return np.asarray(made[:, 1] if made.shape[1] == 2 else made.max(axis=1))


def answers(made: Array, threshold: float) -> Array:
    """Class indices: of two classes by the threshold, of more the likeliest."""
    if made.shape[1] == 2:
        return np.asarray(made[:, 1] >= threshold, dtype=int)
    return np.asarray(made.argmax(axis=1))
