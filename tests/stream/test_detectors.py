"""Every detector: finite scores on one scale whatever the rows are, and a file that runs no code."""

import numpy as np
import pandas as pd
import pytest

from stream import baseline
from stream.config import Features, Stream
from stream.config import Training as TrainingSettings
from stream.detectors import DETECTORS, MOST_NEIGHBOURS, MOST_ROWS, Autoencoder, Mixture, Neighbours, Squashed
from stream.errors import ModelError, SettingError, TrainingError
from stream.factories import make_baseline

FEATURES = Features(numeric=["a", "b", "c"])
OURS = DETECTORS[1:]


def frame(rows: int, seed: int = 1) -> pd.DataFrame:
    """Two columns that go together, and one by itself."""
    chance = np.random.default_rng(seed)
    a = chance.normal(size=rows)
    return pd.DataFrame({"a": a, "b": 2 * a + 0.1 * chance.normal(size=rows), "c": chance.normal(size=rows)})


def made(name, pca=None, **training):
    stream = Stream(kind="anomaly", baseline=name, features=FEATURES, training=TrainingSettings(pca=pca, **training))
    return make_baseline("streams.s", stream)


def scores(estimator, rows):
    return np.array(baseline.Baseline(estimator, "anomaly", "v").score(rows))


@pytest.fixture(scope="module", params=[(name, pca) for name in DETECTORS for pca in (None, 0.9)], ids=str)
def fitted(request):
    estimator = made(*request.param)
    baseline.fit(estimator, frame(400), [0] * 400, "anomaly", 2)
    return estimator


def test_what_lies_outside_scores_above_all_but_few_of_the_training_rows(fitted):
    outside = pd.DataFrame({"a": [4.0], "b": [-8.0], "c": [5.0]})
    assert scores(fitted, outside)[0] > np.quantile(scores(fitted, frame(400)), 0.98)


@pytest.mark.parametrize("value", [np.nan, 1e30, -1e30, 0.0])
def test_any_value_that_a_row_may_have_gives_a_score_in_the_unit_interval(fitted, value):
    rows = pd.concat([frame(3), pd.DataFrame({name: [value] for name in "abc"})])
    found = scores(fitted, rows)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_a_file_gives_the_same_scores_and_version(fitted):
    again = baseline.load(baseline.dump(fitted), "anomaly", "v")
    assert again.score(frame(50, 2)) == scores(fitted, frame(50, 2)).tolist()
    assert baseline.version(again.estimator) == baseline.version(fitted)


@pytest.mark.parametrize("name", DETECTORS)
def test_the_same_rows_and_seed_give_the_same_version(name):
    versions = set()
    for _ in range(2):
        estimator = made(name)
        baseline.fit(estimator, frame(150), [0] * 150, "anomaly", 2)
        versions.add(baseline.version(estimator))
    assert len(versions) == 1


@pytest.mark.parametrize("name", OURS)
def test_the_farther_outside_the_higher_the_score_without_ties_at_the_top(name):
    estimator = made(name)
    baseline.fit(estimator, frame(400), [0] * 400, "anomaly", 2)
    far = np.geomspace(10, 1e12, 60)
    found = scores(estimator, pd.DataFrame({"a": far, "b": -far, "c": far}))
    raw = -estimator[-1].model.score_samples(estimator[0].transform(pd.DataFrame({"a": far, "b": -far, "c": far})))
    order = np.argsort(raw)
    assert (np.diff(found[order])[np.diff(raw[order]) > 0] > 0).all()
    assert len(np.unique(found)) == len(np.unique(raw))
    assert len(np.unique(raw)) > 50


class Says:
    """A detector that says its rows."""

    def fit(self, rows):
        return self

    def score_samples(self, rows):
        return -rows


def test_squashing_keeps_the_order_of_any_raw_scores_and_puts_the_median_in_the_middle():
    raw = np.concatenate([-np.geomspace(1e-9, 1e100, 200)[::-1], [0.0], np.geomspace(1e-9, 1e100, 200)])
    squashed = Squashed(Says()).fit(np.random.default_rng(1).normal(size=999))
    found = -squashed.score_samples(raw)
    assert (np.diff(found) > 0).all()
    assert 0 < found[0] < found[-1] < 1
    assert -squashed.score_samples(np.array([squashed.middle_])) == 0.5


@pytest.mark.parametrize("rows", [[7.0] * 40, [7.0] * 39 + [8.0]])
def test_rows_that_are_the_same_row_have_a_scale_all_the_same(rows):
    found = -Squashed(Says()).fit(np.array(rows)).score_samples(np.array([7.0, 8.0]))
    assert found[0] == 0.5 < found[1] < 1


@pytest.mark.parametrize("pca", [None, 0.9])
@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("rows", [2, 3, 5, 150])
@pytest.mark.parametrize("kind", ["constant", "missing", "duplicates"])
def test_few_rows_constant_columns_and_columns_without_a_value_can_be_fitted(kind, rows, name, pca):
    table = frame(rows)
    if kind == "constant":
        table[:] = 3.0
    elif kind == "missing":
        table["b"] = np.nan
        table.loc[::3, "a"] = np.nan
    else:
        table.iloc[rows // 5 :] = table.iloc[0].to_numpy()
    estimator = made(name, pca)
    baseline.fit(estimator, table, [0] * rows, "anomaly", 2)
    assert np.isfinite(scores(estimator, frame(20))).all()


@pytest.mark.parametrize("name", ["gaussian-mixture", "local-outlier-factor"])
def test_one_row_is_one_clear_error(name):
    with pytest.raises(TrainingError, match="cannot be fitted on 1 warm-up rows"):
        baseline.fit(made(name), frame(1), [0], "anomaly", 2)


def test_the_number_of_components_follows_the_rows():
    chance = np.random.default_rng(1)
    clouds = [(0.0, 0.0), (20.0, 0.0), (0.0, 20.0), (20.0, 20.0)]
    one = chance.normal(size=(600, 2))
    four = np.concatenate([chance.normal(at, 1.0, size=(150, 2)) for at in clouds])
    assert [Mixture().fit(rows).model_.n_components for rows in (one, four)] == [1, 4]


def test_an_autoencoder_finds_what_breaks_the_rule_inside_the_range_of_each_column():
    estimator = made("autoencoder")
    baseline.fit(estimator, frame(2_000), [0] * 2_000, "anomaly", 2)
    keeps, breaks = scores(estimator, pd.DataFrame({"a": [1.5, 1.5], "b": [3.0, -3.0], "c": [0.0, 0.0]}))
    assert breaks > keeps + 0.2


def test_memory_and_time_are_bounded_by_samples():
    rows = np.random.default_rng(1).normal(size=(MOST_ROWS + 5_000, 2))
    assert len(Neighbours().fit(rows).model_._fit_X) == MOST_NEIGHBOURS
    assert Mixture().fit(rows).model_.n_features_in_ == 2
    network = Autoencoder().fit(rows).network_
    assert not {"_optimizer", "_random_state"} & vars(network).keys()


def test_novelty_leaves_the_rows_out_that_are_labelled_positive_and_keeps_those_without_a_label():
    table = frame(300)
    labels = [0, 1, -1] * 100
    clean = table[np.array(labels) != 1]
    versions = []
    for rows, of, novelty in ((table, labels, True), (clean, [0] * len(clean), False), (table, labels, False)):
        estimator = made("isolation-forest")
        baseline.fit(estimator, rows, of, "anomaly", 2, novelty=novelty)
        versions.append(baseline.version(estimator))
    assert versions[0] == versions[1] != versions[2]


def test_a_supervised_baseline_of_an_anomaly_stream_answers_with_the_positive_class():
    table = frame(300)
    labels = (table["a"] > 0).astype(int).tolist()
    estimator = baseline.logistic(Stream(features=FEATURES))
    baseline.fit(estimator, table, labels, "binary", 2)
    assert ((scores(estimator, table) > 0.5) == np.array(labels)).mean() > 0.95


BREAKS = {
    "gaussian-mixture": lambda model: vars(model.model_).update(means_=np.zeros((7, 9))),
    "autoencoder": lambda model: vars(model.network_).update(coefs_=[np.zeros((2, 2))] * 4),
    "local-outlier-factor": lambda model: vars(model.model_).update(_lrd=np.zeros(2), n_neighbors_=10**6),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_file_whose_numbers_do_not_fit_together_is_an_error_and_no_crash(name):
    estimator = made(name)
    baseline.fit(estimator, frame(100), [0] * 100, "anomaly", 2)
    BREAKS[name](estimator[-1].model)
    loaded = baseline.load(baseline.dump(estimator), "anomaly", "v")
    with pytest.raises(ModelError, match="cannot score"):
        loaded.score(frame(5))


@pytest.mark.parametrize(("name", "pca"), [(name, None) for name in OURS] + [("isolation-forest", 0.9)])
def test_words_are_refused_where_only_numbers_are_taken(name, pca):
    stream = Stream(
        kind="anomaly", baseline=name, features=Features(numeric=["a"], text=["t"]), training=TrainingSettings(pca=pca)
    )
    with pytest.raises(SettingError, match=r"features\.text.*takes no words"):
        make_baseline("streams.s", stream)
