"""Which columns of a table a candidate keeps: by variance, mutual information, or recursive elimination.

Columns are kept or dropped whole, before anything is made of them, so that a card can name them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from stream.config import Features
from stream.training.families import Candidate

Array = np.ndarray[Any, np.dtype[Any]]

NEVER_VARIES = 0.999
"""A column that has one value in so large a share of the rows tells nothing."""

LOOKED_AT = 5_000
"""Rows, the newest, by which columns are ranked."""


class Eliminated(Struct, frozen=True):
    """One step of the elimination: the column that went, and the error on the ranked rows before it did."""

    column: str
    kept: int
    error: float


def keep(candidate: Candidate, features: Features, frame: pd.DataFrame, labels: Array, seed: int) -> list[str]:
    """The columns that a candidate keeps, by the rows that it is fitted on; all where it selects none."""
    how, _, size = candidate.select.partition(":")
    if features.text or how not in ("variance", "mutual-information", "elimination"):
        return features.columns
    varied = [name for name in features.columns if _varies(frame[name])] or features.columns
    if how == "variance":
        return varied
    frame, labels = frame.iloc[-LOOKED_AT:], labels[-LOOKED_AT:]
    if how == "mutual-information":
        table = codes(frame, features, varied)
        discrete = np.array([name not in features.numbers for name in varied])
        told = mutual_info_classif(table, labels, discrete_features=discrete, random_state=seed)
        best = np.argsort(-told, kind="stable")[: int(size)]
        return [varied[at] for at in sorted(best)]
    return eliminate(features, varied, frame, labels, seed)[0][: int(size)]


def eliminate(
    features: Features, columns: Sequence[str], frame: pd.DataFrame, labels: Array, seed: int
) -> tuple[list[str], list[Eliminated]]:
    """Drop the column whose coefficients are smallest, again and again (Guyon et al. 2002).

    Gives all columns, the last to go first, and the curve: errors of the newest quarter, fitted on the rest.
    """
    left, gone, curve = list(columns), [], []
    border = len(labels) - len(labels) // 4
    table = pd.DataFrame(codes(frame, features, list(columns)), columns=list(columns))
    while left:
        model = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(max_iter=200, random_state=seed))])
        if len(np.unique(labels[:border])) < 2:
            return list(columns), []
        model.fit(table[left].to_numpy()[:border], labels[:border])
        wrong = model.predict(table[left].to_numpy()[border:]) != labels[border:]
        weakest = int(np.argmin(np.abs(model[-1].coef_).sum(axis=0)))
        curve.append(Eliminated(left[weakest], len(left), float(wrong.mean())))
        gone.append(left.pop(weakest))
    return gone[::-1], curve


def _varies(column: pd.Series) -> bool:
    shares = column.value_counts(normalize=True, dropna=False)
    return bool(shares.iloc[0] < NEVER_VARIES)


def codes(frame: pd.DataFrame, features: Features, columns: list[str]) -> Array:
    """The columns as plain numbers: the median where a number is missing, a category's rank by frequency."""
    made = []
    for name in columns:
        column = frame[name]
        if name in features.numbers:
            middle = column.median()
            made.append(column.fillna(0.0 if np.isnan(middle) else middle).to_numpy(dtype=float))
        else:
            ranks = column.value_counts(dropna=False).rank(method="first", ascending=False)
            made.append(column.map(ranks).fillna(0.0).to_numpy(dtype=float))
    return np.column_stack(made)
