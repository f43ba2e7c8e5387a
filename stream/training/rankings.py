"""Trying candidates on a stream of anomalies, where most rows are not positive and many have no label.

A threshold follows the stream, so what counts is the order that scores put rows in: by average precision where enough
positives choose; else, without labels, by how little the order depends on which rows were learned from.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from msgspec import Struct
from scipy import stats
from sklearn.pipeline import Pipeline

from stream.baseline import Baseline
from stream.detectors import DETECTORS
from stream.training.aims import Aim
from stream.training.card import ChosenBy
from stream.training.estimators import learner
from stream.training.families import Candidate
from stream.training.splits import Fold, Plan
from stream.training.trials import LEAST_ROWS, Array, Data, Trial, Trials, fit_to, newest

LEAST_CHOOSING = 20
"""With fewer positives among the rows that choose, average precision is chance."""

DRAWS = 2
"""Times that the rows are halved at random, where stability chooses; each half is fitted."""


class Rankings(Trials):
    """Fits candidates on parts of the data; ``novelty``: detectors on rows that are not labelled positive."""

    def __init__(self, data: Data, plan: Plan, aim: Aim, seed: int, *, novelty: bool) -> None:
        super().__init__(data, plan, aim, seed)
        self.novelty = novelty
        choosing = data.labels[np.concatenate([fold.predict for fold in plan.folds])]
        enough = (choosing == 1).sum() >= LEAST_CHOOSING and (choosing == 0).any()
        self.by: ChosenBy = "average precision" if enough else "stability"

    def attempt(
        self, candidate: Candidate, share: float = 1.0, on: Callable[[float], bool] | None = None
    ) -> Trial | None:
        """Try a candidate as ``Trials.attempt`` does; its losses are of each positive, or by stability of each row."""
        part = self._detected if candidate.family in DETECTORS else self._classified
        parts = self._each(lambda fold: part(candidate, fold, share), on)
        if not parts:
            return None
        scores, labels = (np.concatenate([getattr(one, name) for one in parts]) for name in ("scores", "labels"))
        told, known = scores[labels >= 0, 0], labels[labels >= 0]
        precise = imprecision(told, known)
        lost = precise if self.by == "average precision" else instability(scores)
        return Trial(
            candidate,
            float("nan"),
            float(lost.mean()),
            float(lost.mean()),
            parts[-1].rows,
            share,
            lost,
            round(float(np.mean([one.iterations for one in parts]))),
            parts[-1].curve,
            1.0 - float(precise.mean()) if len(precise) else None,
        )

    def fit(self, candidate: Candidate, rows: Array, iterations: int = 0) -> Pipeline:
        """The candidate's estimator over the frame, fitted on those of these rows that it may learn from."""
        return super().fit(candidate, self.learns_from(candidate, rows), iterations)

    def learns_from(self, candidate: Candidate, rows: Array) -> Array:
        """Those of the rows that a candidate may learn from: classifiers need labels, detectors may need clean rows."""
        labels = self.data.labels[rows]
        if candidate.family not in DETECTORS:
            return rows[labels >= 0]
        return rows[labels != 1] if self.novelty else rows

    def _classified(self, candidate: Candidate, fold: Fold, share: float) -> "_Ranked | None":
        known = Fold(self.learns_from(candidate, fold.fit), self.learns_from(candidate, fold.predict))
        made = self._part(candidate, known, share) if len(known.fit) and len(known.predict) else None
        if made is None:
            return None
        return _Ranked(made.scores[:, None], made.labels, made.rows, made.iterations, made.curve)

    def _detected(self, candidate: Candidate, fold: Fold, share: float) -> "_Ranked | None":
        at = self.learns_from(candidate, newest(candidate, fold.fit, share))
        drawn = [at]
        if self.by == "stability":
            chance = np.random.default_rng(self.seed)
            halves = (np.array_split(chance.permutation(at), 2) for _ in range(DRAWS))
            drawn = [np.sort(half) for pair in halves for half in pair]
        if min(map(len, drawn)) < LEAST_ROWS // len(drawn[:2]):
            self.refused = f"{len(at)} rows are too few"
            return None
        scores = np.column_stack([self._scored(candidate, rows, fold.predict) for rows in drawn])
        return _Ranked(scores, self.data.labels[fold.predict], len(at))

    def _scored(self, candidate: Candidate, rows: Array, asked: Array) -> Array:
        made = self._numbers(candidate, rows, asked)
        model = learner(candidate, self.data.features, made.kept, made.fitted.shape[1], self.seed)
        fit_to(model, made.fitted, self.data.labels[rows], candidate)
        return anomaly_scores(model, made.asked)


class _Ranked(Struct):
    """Scores of the rows asked about, a column a fit, and their labels."""

    scores: Array
    labels: Array
    rows: int
    iterations: int = 0
    curve: list[float] = []


def anomaly_scores(estimator: Any, rows: Any) -> Array:
    """What a baseline of an anomaly stream says of rows: the higher, the more anomalous."""
    return np.asarray(Baseline(estimator, "anomaly", "").score(rows))


def imprecision(scores: Array, labels: Array) -> Array:
    """Of each positive, how many of the rows that score as high are none, as a share: their mean is 1 less the AP.

    >>> imprecision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1, 0, 1, 0])).round(2).tolist()
    [0.0, 0.33]
    """
    positive = scores[labels == 1]
    above = len(scores) - np.searchsorted(np.sort(scores), positive, side="left")
    found = len(positive) - np.searchsorted(np.sort(positive), positive, side="left")
    return np.asarray(1 - found / above)


def instability(scores: Array) -> Array:
    """Of each row, how far its ranks in pairs of columns lie apart: the mean is 1 less Spearman's correlation (1904).

    ``scores``: a column a fit, those on the two halves of a draw one beside the other. A column that is the same
    everywhere agrees with nothing: 1, as of ranks that have nothing to do with one another.

    >>> float(instability(np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0]])).mean())
    2.0
    """
    ranks = stats.rankdata(scores, axis=0)
    spread = ranks.std(axis=0)
    standard = (ranks - ranks.mean(axis=0)) / np.where(spread, spread, 1.0)
    apart = (standard[:, ::2] - standard[:, 1::2]) ** 2 / 2
    same = (spread[::2] == 0) | (spread[1::2] == 0)
    return np.asarray(np.where(same, 1.0, apart).mean(axis=1))
