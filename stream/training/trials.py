"""Trying candidates: each fitted on what came before, and asked about what came after."""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from msgspec import Struct
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from stream.config import Features
from stream.detectors import DETECTORS
from stream.errors import TrainingError
from stream.training.aims import Aim
from stream.training.calibration import brier, sigmoid
from stream.training.estimators import MOST_TREES, learner, numbers
from stream.training.families import Candidate
from stream.training.keeping import keep
from stream.training.scores import positive, probabilities
from stream.training.splits import Fold, Plan

Array = np.ndarray[Any, np.dtype[Any]]

Part = TypeVar("Part")

NEWEST = 2_000
"""Rows, the newest, on which the train risk is computed."""

MOST_KEPT = 5
"""Fitted numbers that are kept for the next candidate."""

PATIENCE = 50
"""Trees that it goes on without getting better."""

LEAST_ROWS = 20
"""A fit on fewer rows, or on fewer classes than there are, is left out."""


class Data(Struct, frozen=True):
    """What is trained on: rows oldest first, the index of each one's class, and what the columns are.

    Where the stream is one of anomalies, rows may lack a label: -1. ``counts``: which rows are in the sample that is
    judged by, where not all are (stream.sample): all of them fit.
    """

    frame: pd.DataFrame
    labels: Array
    classes: int
    features: Features
    counts: Array | None = None

    def judging(self, at: Array) -> Array:
        """Of the rows at these places, which count; raises TrainingError where none does."""
        judging = np.ones(len(at), dtype=bool) if self.counts is None else self.counts[at]
        if not judging.any():
            raise TrainingError(
                f"none of the {len(at)} rows that are to judge is in the sample that may: where labels were chosen, "
                "few are (labels.least_inspection_probability, labels.request_share); take more rows"
            )
        return judging

    @property
    def sample(self) -> tuple[pd.DataFrame, Array]:
        """The rows that count and their labels: what the stream's own are held against."""
        return (self.frame, self.labels) if self.counts is None else (self.frame[self.counts], self.labels[self.counts])


class Trial(Struct):
    """How a candidate did: mean losses of the rows it was fitted on and of those it was asked about.

    ``losses`` are of each row asked about, in order. ``iterations``: where gradient boosting stopped, with its
    ``curve`` of log losses, iteration by iteration. ``share``: of the rows, the newest, that it was given.
    ``average_precision``: of scores on a stream of anomalies, where any row asked about is positive.
    """

    candidate: Candidate
    train_risk: float
    risk: float
    brier: float
    rows: int
    share: float
    losses: Array
    iterations: int = 0
    curve: list[float] = []
    average_precision: float | None = None


class Trials:
    """Fits candidates on parts of the data; what makes numbers is fitted once for candidates that share it."""

    def __init__(self, data: Data, plan: Plan, aim: Aim, seed: int) -> None:
        self.data = data
        self.plan = plan
        self.aim = aim
        self.seed = seed
        self.refused = ""
        self._made: OrderedDict[Any, Numbers] = OrderedDict()

    def attempt(
        self, candidate: Candidate, share: float = 1.0, on: Callable[[float], bool] | None = None
    ) -> Trial | None:
        """Try a candidate on every fold, on the newest ``share`` of the rows; None where it cannot be fitted.

        ``on`` is asked between folds whether to go on, given the share of them that is done; None where it says no.
        """
        parts = self._each(lambda fold: self._part(candidate, fold, share), on)
        if not parts:
            return None
        scores, answered, labels = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("scores", "answered", "labels")
        )
        lost = losses(scores, answered, labels, self.aim)
        return Trial(
            candidate,
            float(np.mean([part.train_risk for part in parts])),
            float(lost.mean()),
            brier(labels, np.concatenate([part.probabilities for part in parts])),
            parts[-1].rows,
            share,
            lost,
            round(float(np.mean([part.iterations for part in parts]))),
            parts[-1].curve,
        )

    def _each(self, part: Callable[[Fold], Part | None], on: Callable[[float], bool] | None) -> list[Part]:
        """What ``part`` gives of each fold that can be fitted; nothing where none can, or ``on`` says no."""
        parts: list[Part] = []
        try:
            for number, fold in enumerate(self.plan.folds):
                if on is not None and number and not on(number / len(self.plan.folds)):
                    return []
                made = part(fold)
                parts += [] if made is None else [made]
        except ValueError as error:  # scikit-learn's word for rows that it cannot fit: texts without words, say
            self.refused = str(error)
            return []
        return parts

    def enough(self, at: Array) -> bool:
        """Whether these rows are enough to fit on, and hold every class."""
        return len(at) >= LEAST_ROWS and len(np.unique(self.data.labels[at])) == self.data.classes

    def fit(self, candidate: Candidate, rows: Array, iterations: int = 0) -> Pipeline:
        """The candidate's estimator over the frame, fitted on its part of these rows."""
        at = newest(candidate, rows, 1.0)
        labels = self.data.labels[at]
        made = self._numbers(candidate, at, None)
        model = learner(
            candidate, self.data.features, made.kept, made.fitted.shape[1], self.seed, iterations or MOST_TREES
        )
        fit_to(model, made.fitted, labels, candidate)
        _plain_words(made.columns)
        return Pipeline([("columns", made.columns), *model.steps])

    def _part(self, candidate: Candidate, fold: Fold, share: float) -> "_Part | None":
        at = newest(candidate, fold.fit, share)
        labels, asked = self.data.labels[at], self.data.labels[fold.predict]
        if not self.enough(at):
            return None
        made = self._numbers(candidate, at, fold.predict)
        width, iterations = made.fitted.shape[1], 0
        curve: list[float] = []
        if candidate.family == "gradient-boosting":
            model = learner(candidate, self.data.features, made.kept, width, self.seed)
            iterations, curve = _stop(model, made.fitted, labels, made.asked, asked, _weights(candidate, len(labels)))
        model = learner(candidate, self.data.features, made.kept, width, self.seed, iterations or MOST_TREES)
        fit_to(model, made.fitted, labels, candidate)
        own = made.fitted[-NEWEST:]
        train = losses(positive(probabilities(model, own)), model.predict(own), labels[-NEWEST:], self.aim)
        scores, answered = positive(probabilities(model, made.asked)), model.predict(made.asked)
        if len(np.unique(asked)) == self.data.classes:
            said = sigmoid(model, made.asked, asked).predict_proba(made.asked)
        else:
            said = np.tile(np.bincount(labels, minlength=self.data.classes) / len(labels), (len(asked), 1))
        return _Part(scores, answered, float(train.mean()), asked, said, len(at), iterations, curve)

    def _numbers(self, candidate: Candidate, at: Array, ask: Array | None) -> "Numbers":
        """The numbers of the rows that fit, and of those that are asked about; a few of the last made are kept."""
        dense = candidate.family == "gradient-boosting" and not self.data.features.text
        detects = candidate.family in DETECTORS
        fit_by = (candidate.text, dense, detects, candidate.select if self.data.features.text == [] else "")
        key = (*fit_by, at.tobytes(), None if ask is None else ask.tobytes())
        made = self._made.get(key)
        if made is None:
            while len(self._made) >= min(MOST_KEPT, len(self.plan.folds)):
                self._made.popitem(last=False)
            frame = self.data.frame.iloc[at]
            kept = keep(candidate, self.data.features, frame, self.data.labels[at], self.seed)
            columns = numbers(candidate, self.data.features, kept)
            fitted = columns.fit_transform(frame)
            asked = None if ask is None else columns.transform(self.data.frame.iloc[ask])
            made = self._made[key] = Numbers(columns, kept, fitted, asked)
        return made


class Numbers(Struct):
    """What makes numbers of columns, which columns it keeps, and the numbers of rows."""

    columns: Any
    kept: list[str]
    fitted: Any
    asked: Any


class _Part(Struct):
    scores: Array
    answered: Array
    train_risk: float
    labels: Array
    probabilities: Array
    rows: int
    iterations: int
    curve: list[float]


def newest(candidate: Candidate, rows: Array, share: float) -> Array:
    """Those of the rows that the candidate looks back to, and of these the newest share."""
    own = rows[-candidate.window :] if candidate.window else rows
    return own[-max(1, round(len(own) * share)) :]


def losses(scores: Array, answered: Array, labels: Array, aim: Aim) -> Array:
    """Each row's loss: by the model's own answers, or, where errors cost differently, by a threshold for its scores.

    Each half of the rows has the threshold that the other half sets.
    """
    if aim.plain:
        return aim.losses(labels, answered)
    half = len(labels) // 2
    thresholds = np.empty(len(labels))
    thresholds[:half] = aim.threshold(labels[half:], scores[half:])
    thresholds[half:] = aim.threshold(labels[:half], scores[:half]) if half else 0.5
    return aim.losses(labels, (scores >= thresholds).astype(int))


def fit_to(model: Pipeline, matrix: Any, labels: Array, candidate: Candidate) -> None:
    """Fit a learner on numbers; detectors do not look at the labels."""
    weights = _weights(candidate, len(labels))
    # PCA of columns that never vary divides nothing by nothing; it is of no harm.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        # A recipe that does not converge is judged by what it has come to.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(matrix, labels, **({} if weights is None else {"model__sample_weight": weights}))


def _weights(candidate: Candidate, rows: int) -> Array | None:
    """Of each row, where newer ones count more; None where all count the same."""
    age = np.arange(rows)[::-1]
    return np.asarray(0.5 ** (age / candidate.half_life)) if candidate.half_life else None


def _plain_words(columns: Any) -> None:
    """Make plain integers of the numbers in vocabularies: numpy's cost a file member each in a skops file."""
    for _, step, _ in columns.transformers_:
        if hasattr(step, "vocabulary_"):
            step.vocabulary_ = {word: int(at) for word, at in step.vocabulary_.items()}


def _stop(
    model: Pipeline, matrix: Any, labels: Array, asked: Any, answers: Array, weights: Array | None
) -> tuple[int, list[float]]:
    """Where the log loss of the rows asked about is least, and its curve up to PATIENCE trees further.

    By itself the learner would set rows aside at random: these are newer than what it learns from.
    """
    reduced, seen = matrix, asked
    for _, step in model.steps[:-1]:
        reduced = step.fit_transform(reduced, labels)
        seen = step.transform(seen)
    stopping = model[-1].set_params(early_stopping=True, n_iter_no_change=PATIENCE, tol=0.0, scoring="loss")
    stopping.fit(reduced, labels, sample_weight=weights, X_val=seen, y_val=answers)
    curve = -stopping.validation_score_[1:]  # the first is of no tree
    return int(curve.argmin()) + 1, curve.tolist()
