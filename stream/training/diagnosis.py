"""What a baseline's figures say: too simple, too flexible, or fed with the answer; each with its reason."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from msgspec import Struct
from sklearn.tree import DecisionTreeClassifier

from stream.config import Features
from stream.risk import risk
from stream.training.keeping import codes

Array = np.ndarray[Any, np.dtype[Any]]

Fit = Literal["underfit", "balanced", "overfit"]

LEAK, SURELY = 0.005, 0.1
"""A column that alone leaves so small a share of the errors of always answering the likeliest class is no feature: by
what is seen, and by the upper end of its 95% interval, so that a few rows without an error tell nothing."""


class Point(Struct, frozen=True):
    """One point of the learning curve."""

    rows: int
    train_risk: float
    validation_risk: float


class Reading(Struct, frozen=True):
    """How the gap between train and validation risk reads, and why."""

    fit: Fit
    reason: str


class Scale(Struct, frozen=True):
    """What risks lie between: ``trivial`` of the best answer that is the same for all rows, ``least`` of no model.

    Both are of the rows that were fitted on; ``asked`` is the trivial risk of those that were asked about.
    """

    unit: str
    trivial: float
    least: float
    asked: float


def read(train_risk: float, validation_risk: float, losses: Array, curve: Sequence[Point], scale: Scale) -> Reading:
    """Read the risks of the chosen candidate; ``losses`` are of each validation row.

    Overfit: the validation risk is above the train risk by two standard errors, and by more than half of what the
    model gains over the trivial answer. Underfit: on the very rows it was fitted on, the model gains less than half of
    what there is to gain.
    """
    error = float(losses.std()) / len(losses) ** 0.5
    gap, gain = validation_risk - train_risk, scale.trivial - train_risk
    figures = f"train {1000 * train_risk:.0f}, validation {1000 * validation_risk:.0f}, one answer for all "
    figures += f"{1000 * scale.trivial:.0f} and {1000 * scale.asked:.0f} {scale.unit} per 1,000 rows"
    more = ""
    if len(curve) > 1 and curve[-2].validation_risk - curve[-1].validation_risk > error:
        more = "; with more rows it still gets better"
    if gap > 2 * error and gap > gain / 2:
        return Reading(
            "overfit",
            f"it has learned its rows rather than what is behind them, or the stream has moved ({figures}){more}",
        )
    if gain < (scale.trivial - scale.least) / 2:
        return Reading(
            "underfit",
            f"it cannot even answer the rows it was fitted on: too simple, or nothing tells more ({figures}){more}",
        )
    return Reading("balanced", f"{figures}{more}")


def leaks(features: Features, frame: pd.DataFrame, labels: Array, asked: pd.DataFrame, answers: Array) -> list[str]:
    """Columns of which each alone gives the label away: a stump of eight leaves on it makes next to no errors.

    Fitted on the first rows, asked about the others. A column that is known only after the label would look so.
    """
    likeliest = int(np.bincount(labels).argmax())
    trivial = int((answers != likeliest).sum())
    if not trivial:
        return []
    found = []
    for name in (*features.numbers, *features.categorical, *features.onehot):
        both = codes(pd.concat([frame[[name]], asked[[name]]]), features, [name])
        stump = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(both[: len(frame)], labels)
        wrong = min(trivial, int((stump.predict(both[len(frame) :]) != answers).sum()))
        # Of the rows that one answer for all gets wrong: where a class is rare, there are few that tell anything.
        alone = risk(np.arange(trivial) < wrong)
        if alone.mean <= LEAK and alone.high <= SURELY:
            found.append(name)
    return found
