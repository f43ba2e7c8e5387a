"""The baseline: a scikit-learn model fitted on the warm-up, frozen, and scored in batches.

A factory takes the stream's settings and gives an unfitted scikit-learn estimator over the frame that
``FeatureExtractor.frame`` makes. Settings name one of FACTORIES, or ``module:function``.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree._tree import Tree

from stream.config import Features, Stream
from stream.detectors import DETECTORS, detector
from stream.digest import digest
from stream.errors import ModelError, StateError, TrainingError
from stream.features import TEXT
from stream.records import Score

Factory = Callable[[Stream], Any]

TRUSTED = [
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.frozen._frozen.FrozenEstimator",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "stream.detectors.Autoencoder",
    "stream.detectors.Mixture",
    "stream.detectors.Neighbours",
    "stream.detectors.Squashed",
]
"""Types beyond skops's own list that a baseline file may hold; fixed in code, since loading them runs theirs."""

DEEPEST = 30
"""An estimator nested deeper than this is not one that somebody fitted."""


def columns(features: Features) -> ColumnTransformer:
    """The frame as numbers: TF-IDF of the text, scaled numbers with a mark where missing, one-hot categories.

    Without text they are dense: most detectors take no others.
    """
    steps: list[tuple[str, Any, Any]] = []
    if features.text:
        steps.append(("text", TfidfVectorizer(sublinear_tf=True, min_df=2), TEXT))
    if features.numbers:
        numbers = Pipeline(
            [("fill", SimpleImputer(add_indicator=True, keep_empty_features=True)), ("scale", StandardScaler())]
        )
        steps.append(("numbers", numbers, features.numbers))
    categories = [*features.categorical, *features.onehot]
    if categories:
        steps.append(("categories", OneHotEncoder(handle_unknown="ignore", max_categories=1000), categories))
    return ColumnTransformer(steps, sparse_threshold=0.3 if features.text else 0.0)


def logistic(stream: Stream) -> Any:
    """TF-IDF and scaled columns, then logistic regression."""
    model = LogisticRegression(C=10.0, max_iter=1000, random_state=stream.seed)
    return Pipeline([("columns", columns(stream.features)), ("model", model)])


def unsupervised(name: str, stream: Stream) -> Any:
    """Scaled columns, PCA where ``training.pca`` says so, then the detector of this name."""
    share = stream.training.pca
    reduced = [("reduce", PCA(share, random_state=stream.seed))] if share is not None else []
    return Pipeline([("columns", columns(stream.features)), *reduced, ("model", detector(name, stream.seed))])


FACTORIES: dict[str, Factory] = {
    "logistic": logistic,
    **{name: partial(unsupervised, name) for name in DETECTORS},
}


class Baseline:
    """A fitted, frozen estimator under its version."""

    def __init__(self, estimator: Any, kind: str, version: str) -> None:
        self.estimator = estimator
        self.kind = kind
        self.version = version

    def score(self, frame: pd.DataFrame) -> Sequence[Score]:
        """Score a batch in one call; raises ModelError where that cannot be done, or an answer is no score."""
        try:
            if self.kind == "anomaly" and hasattr(self.estimator, "score_samples"):
                # Minus scikit-learn's score: higher is more anomalous. Those of stream.detectors need no clip.
                scores = np.clip(-self.estimator.score_samples(frame), 0.0, 1.0)
            else:
                scores = self.estimator.predict_proba(frame)
        except Exception as error:
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelError(f"baseline {self.version} cannot score: {line}") from error
        if not np.isfinite(scores).all():
            raise ModelError(f"baseline {self.version} scored a batch with something that is no number")
        if self.kind != "multiclass" and scores.ndim > 1:
            scores = scores[:, 1]
        answer: list[Score] = scores.tolist()
        return answer


def fit(
    estimator: Any, frame: pd.DataFrame, labels: Sequence[int], kind: str, classes: int, *, novelty: bool = False
) -> None:
    """Fit in place; raises TrainingError, which says what the rows lack.

    A detector of anomalies takes no labels; with ``novelty`` it is fitted on the rows that are not labelled positive. A
    classifier is fitted on those that have a label, which is not -1.
    """
    if not len(frame):
        raise TrainingError("no labelled rows to train on")
    detects = kind == "anomaly" and hasattr(estimator, "score_samples")
    if kind == "anomaly" and not detects:
        labelled = [at for at, label in enumerate(labels) if label >= 0]
        frame, labels = frame.iloc[labelled], [labels[at] for at in labelled]
    seen = sorted(set(labels))
    if not detects and seen != list(range(classes)):
        raise TrainingError(
            f"the {len(frame)} labelled warm-up rows hold only {len(seen)} of {classes} classes: take a longer warm-up"
        )
    try:
        if detects:
            clean = [at for at, label in enumerate(labels) if label != 1] if novelty else slice(None)
            with np.errstate(invalid="ignore"):  # PCA of columns that never vary: shares of nothing
                estimator.fit(frame.iloc[clean])
        else:
            estimator.fit(frame, np.asarray(labels))
    except ValueError as error:
        raise TrainingError(f"the baseline cannot be fitted on {len(frame)} warm-up rows: {error}") from error


def dump(estimator: Any) -> bytes:
    """The estimator as a skops file."""
    # A vocabulary takes 400 bytes a word as it is, and 20 packed.
    data: bytes = skops.io.dumps(estimator, compression=ZIP_DEFLATED, compresslevel=6)
    return data


def load(data: bytes, kind: str, version: str) -> Baseline:
    """Read a skops file; runs no code of its own. Raises StateError for one that holds other types or broken trees."""
    unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - set(TRUSTED))
    if unknown:
        raise StateError(f"the baseline's file holds types that are not trusted: {', '.join(unknown)}")
    estimator = skops.io.loads(data, trusted=TRUSTED)
    for part in _parts(estimator):
        _check_trees(part)
    return Baseline(estimator, kind, version)


def _parts(whole: Any) -> Iterator[Any]:
    """Whatever an estimator holds, itself first: attributes, and members of containers."""
    seen: set[int] = set()
    waiting = [(whole, 0)]
    while waiting:
        part, depth = waiting.pop()
        if id(part) in seen:
            continue
        if depth > DEEPEST:
            raise StateError(f"the baseline's file is nested more than {DEEPEST} deep")
        seen.add(id(part))
        yield part
        inner: list[Any] = list(getattr(part, "__dict__", {}).values())
        if isinstance(part, dict):
            inner += [*part, *part.values()]
        elif isinstance(part, (list, tuple, set, frozenset)):
            inner += part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            inner += list(part.flat)
        waiting += [(held, depth + 1) for held in inner if not isinstance(held, (str, bytes, float, int, type))]


def _check_trees(part: Any) -> None:
    """Check a tree, and that whoever hands rows to trees hands them rows that are wide enough.

    Scoring follows a tree's numbers through memory without looking: a wrong one would end the process.
    """
    if isinstance(part, Tree):
        _check_tree(part)
    holds = getattr(part, "__dict__", {})
    width = getattr(part, "n_features_in_", 0)
    if isinstance(holds.get("tree_"), Tree) and holds["tree_"].n_features != width:
        raise StateError("the baseline's file holds a tree for rows of another width")
    inner = holds.get("estimators_", [])
    inner = list(inner.flat if isinstance(inner, np.ndarray) else inner)
    # An isolation forest hands each tree only the columns drawn for it.
    drawn = holds.get("estimators_features_") or [range(width)] * len(inner)
    for index, one in enumerate(inner):
        tree = getattr(one, "tree_", None)
        if isinstance(tree, Tree) and (index >= len(drawn) or tree.n_features > min(len(drawn[index]), width)):
            raise StateError("the baseline's file holds a forest whose trees are for rows of another width")


def _check_tree(tree: Any) -> None:
    if tree.node_count < 1:
        raise StateError("the baseline's file holds a tree without nodes")
    left, right = tree.children_left, tree.children_right
    leaf = left == -1
    own = np.arange(tree.node_count)
    sound = leaf == (right == -1)
    for child in (left, right):
        sound &= leaf | ((child > own) & (child < tree.node_count))
    sound &= leaf | ((tree.feature >= 0) & (tree.feature < tree.n_features))
    # A split of missing from present numbers has the threshold +inf.
    sound &= np.isfinite(tree.threshold) | (~leaf & (tree.threshold == np.inf))
    if not sound.all():
        raise StateError(f"the baseline's file holds a broken tree: its node {int(np.argmin(sound))} points outside")


def version(estimator: Any) -> str:
    """A fitted estimator's version: the head of its canonical digest, since two files of one estimator differ."""
    return f"baseline-{digest(estimator)[:12]}"
