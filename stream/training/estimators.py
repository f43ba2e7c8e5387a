"""From a candidate to its scikit-learn estimator, in two steps: what makes numbers of columns, and what learns.

The first step is the same for many candidates, so a search fits it once for all of them.
"""

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, chi2
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

from stream.config import Features
from stream.detectors import DETECTORS, detector
from stream.features import TEXT
from stream.training.families import Candidate

Array = np.ndarray[Any, np.dtype[Any]]

MOST_TREES = 300
"""Trees of gradient boosting at most; early stopping says how many of them are used."""

CATEGORIES = 200
"""Categories of a column that are told apart; the rarer ones count as one."""


def numbers(candidate: Candidate, features: Features, keep: list[str]) -> ColumnTransformer:
    """What makes numbers of the columns to ``keep``: TF-IDF, scaled or plain numbers, categories.

    Without text they are dense where a detector takes them: most detectors take no others.
    """
    steps: list[tuple[str, Any, Any]] = []
    if features.text:
        words = TfidfVectorizer(sublinear_tf=True, min_df=2)
        chars = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, min_df=3, max_features=100_000
        )
        steps += [("text", words, TEXT)] if candidate.text in ("words", "both") else []
        steps += [("chars", chars, TEXT)] if candidate.text in ("chars", "both") else []
    numeric = [name for name in features.numbers if name in keep]
    categories = [name for name in (*features.categorical, *features.onehot) if name in keep]
    boosted = candidate.family == "gradient-boosting" and not features.text
    if numeric:
        scaled = Pipeline(
            [("fill", SimpleImputer(add_indicator=True, keep_empty_features=True)), ("scale", StandardScaler())]
        )
        steps.append(("numbers", "passthrough" if boosted else scaled, numeric))
    if categories:
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1, max_categories=CATEGORIES
        )
        onehot = OneHotEncoder(handle_unknown="ignore", max_categories=CATEGORIES)
        steps.append(("categories", ordinal if boosted else onehot, categories))
    dense = candidate.family in DETECTORS and not features.text
    return ColumnTransformer(steps, sparse_threshold=0.0 if dense else 0.3)


def learner(
    candidate: Candidate, features: Features, keep: list[str], width: int, seed: int, trees: int = MOST_TREES
) -> Pipeline:
    """What learns from the numbers, ``width`` columns of them: selection or reduction, then the model."""
    steps: list[tuple[str, Any]] = []
    how, _, size = candidate.select.partition(":")
    if how == "chi2":
        steps.append(("select", SelectKBest(chi2, k=min(width, int(size)))))
    elif how == "l1":
        steps.append(("select", SelectFromModel(LinearSVC(penalty="l1", dual=False, random_state=seed))))
    elif how == "svd":
        steps.append(("reduce", TruncatedSVD(min(width - 1, int(size)), random_state=seed)))
    elif how == "pca":
        steps.append(("reduce", PCA(min(width, int(size)), random_state=seed)))
    settings = dict(candidate.settings)
    if candidate.family == "logistic":
        ratio = settings.get("l1_ratio", 0.0)
        solver = "saga" if ratio else "lbfgs"
        model: Any = LogisticRegression(max_iter=1_000, solver=solver, random_state=seed, **settings)
    elif candidate.family == "linear-svm":
        model = LinearSVC(random_state=seed, **settings)
    elif candidate.family == "complement-nb":
        model = ComplementNB(**settings)
    elif candidate.family in DETECTORS:
        model = detector(candidate.family, seed, **settings)
    elif candidate.family == "random-forest":
        model = RandomForestClassifier(n_estimators=100, random_state=seed, **settings)
    else:
        kept = [name for name in features.numbers if name in keep]
        columns = [name for name in features.columns if name in keep]
        marks = None if features.text else np.array([False] * len(kept) + [True] * (len(columns) - len(kept)))
        model = HistGradientBoostingClassifier(
            max_iter=trees, early_stopping=False, categorical_features=marks, random_state=seed, **settings
        )
    return Pipeline([*steps, ("model", model)])
