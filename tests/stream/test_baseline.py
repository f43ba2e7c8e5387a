"""The baseline: fitted, frozen, kept in a file that runs no code."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import GradientBoostingClassifier, IsolationForest, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from stream import baseline
from stream.config import Features, Stream
from stream.errors import ModelError, StateError, TrainingError
from stream.features import FeatureExtractor

FEATURES = Features(text=["body"], numeric=["size"], categorical=["city"], onehot={"day": ["mo", "tu"]})


def rows(n: int, classes: int = 2):
    extractor = FeatureExtractor(FEATURES)
    words = ["meeting report", "cash prize", "score match"]
    fields = [
        {
            "body": f"{words[i % classes]} hello {i % 7}",
            "size": None if i % 11 == 0 else float(i % classes) + i % 5 / 10,
            "city": None if i % 13 == 0 else f"c{i % 4}",
            "day": ["mo", "tu", "xx"][i % 3],
        }
        for i in range(n)
    ]
    return extractor.frame([extractor.row(row) for row in fields]), [i % classes for i in range(n)]


def fitted(kind: str, classes: int = 2, n: int = 240):
    name = "isolation-forest" if kind == "anomaly" else "logistic"
    stream = Stream(kind=kind, features=Features(numeric=["size"]) if kind == "anomaly" else FEATURES)
    estimator = baseline.FACTORIES[name](stream)
    frame, labels = rows(n, classes)
    baseline.fit(estimator, frame, labels, kind, classes)
    return estimator, frame, labels


@pytest.mark.parametrize(("kind", "classes"), [("binary", 2), ("multiclass", 3), ("anomaly", 2)])
def test_a_baseline_scores_the_same_after_a_trip_through_its_file(kind, classes):
    estimator, frame, _ = fitted(kind, classes)
    before = baseline.Baseline(estimator, kind, "v").score(frame)
    after = baseline.load(baseline.dump(estimator), kind, "v").score(frame)
    assert before == after
    flat = np.array(after)
    assert flat.min() >= 0
    assert flat.max() <= 1


def test_it_learned_something():
    estimator, frame, labels = fitted("binary")
    scores = np.array(baseline.Baseline(estimator, "binary", "v").score(frame))
    assert ((scores >= 0.5) == np.array(labels)).mean() > 0.99


def test_versions_tell_models_apart_and_two_fits_on_the_same_rows_are_the_same():
    versions = [baseline.version(fitted("binary", n=n)[0]) for n in (240, 240, 239)]
    assert versions[0] == versions[1] != versions[2]


def test_a_version_survives_the_file():
    estimator, _, _ = fitted("binary")
    assert baseline.version(baseline.load(baseline.dump(estimator), "binary", "").estimator) == baseline.version(
        estimator
    )


def test_missing_and_unseen_values_are_scored():
    estimator, _, _ = fitted("binary")
    extractor = FeatureExtractor(FEATURES)
    frame = extractor.frame([extractor.row({}), extractor.row({"city": "nowhere", "day": "never", "body": "?"})])
    assert np.isfinite(baseline.Baseline(estimator, "binary", "v").score(frame)).all()


class Evil:
    def __init__(self) -> None:
        self.x = 1


def test_a_file_with_types_that_are_not_trusted_is_refused_before_it_is_loaded():
    with pytest.raises(StateError, match="not trusted: .*Evil"):
        baseline.load(skops.io.dumps({"model": LinearRegression(), "more": Evil()}), "binary", "v")


def test_a_warm_up_that_lacks_a_class_is_refused_with_what_to_do():
    frame, _ = rows(20)
    with pytest.raises(TrainingError, match="only 1 of 2 classes: take a longer warm-up"):
        baseline.fit(baseline.logistic(Stream(features=FEATURES)), frame, [1] * 20, "binary", 2)


@pytest.mark.parametrize("kind", ["binary", "anomaly"])
def test_rows_that_cannot_be_fitted_are_one_clear_error(kind):
    stream = Stream(kind=kind, features=Features(text=["body"]))
    frame = pd.DataFrame({"text": pd.Series([""] * 10, dtype=object)})
    make = baseline.FACTORIES["isolation-forest" if kind == "anomaly" else "logistic"]
    with pytest.raises(TrainingError, match="10"):
        baseline.fit(make(stream), frame, [0, 1] * 5, kind, 2)


def test_no_rows_are_refused():
    with pytest.raises(TrainingError, match="no labelled rows"):
        baseline.fit(None, pd.DataFrame(), [], "binary", 2)


class SaysNan:
    def predict_proba(self, frame):
        return np.full((len(frame), 2), np.nan)


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ModelError, match="no number"):
        baseline.Baseline(SaysNan(), "binary", "v7").score(pd.DataFrame({"a": [1.0]}))


def check(estimator):
    for part in baseline._parts(estimator):
        baseline._check_trees(part)


def tampered(tree, **changes):
    """A copy of a tree with other numbers in its nodes, or with another node_count."""
    make, (_, classes, outputs), state = tree.__reduce__()
    state = {**state, "nodes": state["nodes"].copy()}
    width = changes.pop("width", tree.n_features)
    state["node_count"] = changes.pop("node_count", state["node_count"])
    for name, (at, value) in changes.items():
        state["nodes"][name][at] = value
    copied = make(width, classes, outputs)
    copied.__setstate__(state)
    return copied


@pytest.mark.parametrize(
    "changes",
    [
        {"left_child": (0, 10**9)},
        {"right_child": (0, 10**9)},
        {"left_child": (0, -2)},
        {"right_child": (0, -1)},
        {"left_child": (1, 0)},
        {"left_child": (0, 0)},
        {"feature": (0, 2)},
        {"feature": (0, -2)},
        {"threshold": (0, np.nan)},
        {"threshold": (0, -np.inf)},
        {"node_count": 0},
        {"width": 7},
    ],
    ids=str,
)
def test_a_file_with_a_tree_that_points_outside_is_refused(changes):
    estimator, _, _ = fitted("anomaly")
    one = estimator[-1].estimators_[5]
    one.tree_ = tampered(one.tree_)
    baseline.load(baseline.dump(estimator), "anomaly", "v")
    one.tree_ = tampered(one.tree_, **changes)
    data = baseline.dump(estimator)
    with pytest.raises(StateError, match="broken tree|another width|without nodes"):
        baseline.load(data, "anomaly", "v")


def test_a_forest_that_takes_narrower_rows_than_its_trees_is_refused():
    x = np.random.default_rng(3).normal(size=(60, 4))
    forest = IsolationForest(n_estimators=3, random_state=1).fit(x)
    forest.n_features_in_ = 1
    with pytest.raises(StateError, match="another width"):
        baseline.load(baseline.dump(forest), "anomaly", "v")


@pytest.mark.parametrize(
    "make",
    [
        lambda: IsolationForest(n_estimators=3, max_features=2, random_state=1),
        lambda: RandomForestClassifier(n_estimators=3, random_state=1),
        lambda: VotingClassifier([(f"{i}", DecisionTreeClassifier(max_features=i)) for i in (1, 2, 3)]),
        lambda: GradientBoostingClassifier(n_estimators=3, random_state=1),
    ],
)
def test_forests_are_loaded_and_a_broken_tree_is_found_in_each(make):
    x = np.random.default_rng(3).normal(size=(60, 4))
    if not isinstance(make(), GradientBoostingClassifier):
        x[::7, 1] = np.nan
    forest = make().fit(x, np.isnan(x[:, 1]) | (x[:, 0] > 0))
    parts = [part for part in baseline._parts({"deep": [(forest,)]}) if isinstance(part, baseline.Tree)]
    assert len(parts) == 3
    check(forest)
    owner = next(part for part in baseline._parts(forest) if hasattr(part, "tree_"))
    owner.tree_ = tampered(owner.tree_, left_child=(0, 10**9))
    with pytest.raises(StateError, match="its node 0 points outside"):
        check(forest)


def test_what_is_nested_without_end_is_refused_and_a_circle_is_not():
    circle = []
    circle.append(circle)
    assert len(list(baseline._parts(circle))) == 1
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(StateError, match="deep"):
        list(baseline._parts(deep))
