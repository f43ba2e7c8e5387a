"""The baseline: a scikit-learn model fitted on the warm-up, frozen, and scored in batches.

A factory takes the stream's settings and gives an unfitted scikit-learn estimator over the frame that
``FeatureExtractor.frame`` makes. Settings name one of FACTORIES, or ``module:function``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stream.config import Features, Stream
from stream.digest import digest
from stream.errors import ModelError, StateError, TrainingError
from stream.features import TEXT
from stream.records import Score

Factory = Callable[[Stream], Any]

TRUSTED = ["numpy.dtype", "sklearn.tree._tree.Tree"]
"""Types beyond skops's own list that a baseline file may hold; fixed in code, since loading them runs theirs."""


def columns(features: Features) -> ColumnTransformer:
    """The frame as numbers: TF-IDF of the text, scaled numbers with a mark where missing, one-hot categories."""
    steps: list[tuple[str, Any, Any]] = []
    if features.text:
        steps.append(("text", TfidfVectorizer(sublinear_tf=True, min_df=2), TEXT))
    if features.numeric:
        numbers = Pipeline([("fill", SimpleImputer(add_indicator=True)), ("scale", StandardScaler())])
        steps.append(("numbers", numbers, features.numeric))
    categories = [*features.categorical, *features.onehot]
    if categories:
        steps.append(("categories", OneHotEncoder(handle_unknown="ignore", max_categories=1000), categories))
    return ColumnTransformer(steps)


def logistic(stream: Stream) -> Any:
    """TF-IDF and scaled columns, then logistic regression."""
    model = LogisticRegression(C=10.0, max_iter=1000, random_state=stream.seed)
    return Pipeline([("columns", columns(stream.features)), ("model", model)])


def isolation_forest(stream: Stream) -> Any:
    """Scaled columns, then an isolation forest (Liu, Ting and Zhou 2008)."""
    model = IsolationForest(n_estimators=100, random_state=stream.seed)
    return Pipeline([("columns", columns(stream.features)), ("model", model)])


FACTORIES: dict[str, Factory] = {"logistic": logistic, "isolation-forest": isolation_forest}


class Baseline:
    """A fitted, frozen estimator under its version."""

    def __init__(self, estimator: Any, kind: str, version: str) -> None:
        self.estimator = estimator
        self.kind = kind
        self.version = version

    def score(self, frame: pd.DataFrame) -> Sequence[Score]:
        """Score a batch in one call; raises ModelError where an answer is no score."""
        if self.kind == "anomaly":
            # Minus scikit-learn's score: in (0, 1], higher is more anomalous, as in the paper.
            scores = np.clip(-self.estimator.score_samples(frame), 0.0, 1.0)
        else:
            scores = self.estimator.predict_proba(frame)
        if not np.isfinite(scores).all():
            raise ModelError(f"baseline {self.version} scored a batch with something that is no number")
        if self.kind == "binary":
            scores = scores[:, 1]
        answer: list[Score] = scores.tolist()
        return answer


def fit(estimator: Any, frame: pd.DataFrame, labels: Sequence[int], kind: str, classes: int) -> None:
    """Fit in place; raises TrainingError, which says what the rows lack."""
    if not len(frame):
        raise TrainingError("no labelled rows to train on")
    seen = sorted(set(labels))
    if kind != "anomaly" and seen != list(range(classes)):
        raise TrainingError(
            f"the {len(frame)} labelled warm-up rows hold only {len(seen)} of {classes} classes: take a longer warm-up"
        )
    try:
        if kind == "anomaly":
            estimator.fit(frame)
        else:
            estimator.fit(frame, np.asarray(labels))
    except ValueError as error:
        raise TrainingError(f"the baseline cannot be fitted on {len(frame)} warm-up rows: {error}") from error


def dump(estimator: Any) -> bytes:
    """The estimator as a skops file."""
    data: bytes = skops.io.dumps(estimator)
    return data


def load(data: bytes, kind: str, version: str) -> Baseline:
    """Read a skops file; runs no code of its own. Raises StateError for one that holds other types."""
    unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
    if unknown:
        raise StateError(f"the baseline's file holds types that are not trusted: {', '.join(unknown)}")
    return Baseline(skops.io.loads(data, trusted=TRUSTED), kind, version)


def version(estimator: Any) -> str:
    """A fitted estimator's version: the head of its canonical digest, since two files of one estimator differ."""
    return f"baseline-{digest(estimator)[:12]}"
