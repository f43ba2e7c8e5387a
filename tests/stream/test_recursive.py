import math
import random

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stream.recursive import HALF_LIFE, INTERCEPT, MOST, PRIOR, RecursiveLogistic


def rows(count, seed=1, *, odds=-3.0, weights=(1.5, -1.0, 0.0)):
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        x = {name: chance.gauss(0, 1) for name in "abc"}
        p = 1 / (1 + math.exp(-odds - sum(w * x[n] for w, n in zip(weights, "abc", strict=True))))
        made.append((x, chance.random() < p))
    return made


def fed(model, made):
    for x, y in made:
        model.learn_one(x, y)
    return model


def test_one_pass_finds_the_weights_that_a_batch_fit_finds():
    made = rows(8_000)
    model = fed(RecursiveLogistic(), made)
    batch = LogisticRegression(C=1.0).fit([[x[n] for n in "abc"] for x, _ in made], [y for _, y in made])
    expected = [batch.intercept_[0], *batch.coef_[0]]
    assert model.weights == pytest.approx(expected, abs=0.15)


def test_what_was_true_long_ago_is_forgotten():
    model = fed(RecursiveLogistic(), rows(20_000))
    fed(model, rows(4 * HALF_LIFE, 2, weights=(-1.5, 1.0, 0.0)))
    assert model.weights[model.places["a"]] == pytest.approx(-1.5, abs=0.4)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_probabilities_are_those_of_the_whole_stream_however_many_negatives_are_left_out(share):
    made = rows(30_000, odds=-4.0)
    model = fed(RecursiveLogistic(negatives=share), made)
    positives = sum(y for _, y in made)
    assert model.learned == pytest.approx(positives + share * (len(made) - positives), rel=0.01)
    said = np.mean([model.predict_proba_one(x)[True] for x, _ in rows(20_000, 3, odds=-4.0)])
    assert said == pytest.approx(np.mean([y for _, y in rows(20_000, 3, odds=-4.0)]), rel=0.12)


def test_a_column_that_never_varies_is_not_forgotten_without_bound():
    model = RecursiveLogistic()
    for x, y in rows(3 * HALF_LIFE):
        model.learn_one({**x, "still": 0.0}, y)
    variances = model.covariance.diagonal()
    assert variances[1:].max() <= PRIOR * 1.05
    assert variances[0] <= INTERCEPT * 1.05
    assert np.linalg.eigvalsh(model.covariance).min() > 0


def test_columns_beyond_the_most_are_left_out_and_memory_is_bounded():
    model = RecursiveLogistic()
    for at in range(2 * MOST):
        model.learn_one({f"c{at}": 1.0}, at % 2 == 0)
    assert len(model.places) == MOST
    assert model.covariance.shape == (MOST, MOST)
    assert model.predict_proba_one({f"c{2 * MOST - 1}": 1.0}) == model.predict_proba_one({})


def test_a_covariance_that_rounding_has_broken_begins_anew_and_the_weights_stay():
    model = fed(RecursiveLogistic(), rows(500))
    model.covariance = -model.covariance
    before = model.weights.copy()
    model.learn_one({"a": 1.0}, True)
    assert (model.weights == before).all()
    assert model.covariance.diagonal().tolist() == [INTERCEPT, PRIOR, PRIOR, PRIOR]


def test_absurd_inputs_give_finite_probabilities():
    model = fed(RecursiveLogistic(), rows(500))
    for value in (1e30, -1e30):
        model.learn_one({"a": value, "b": 1.0, "c": 0.0}, True)
        p = model.predict_proba_one({"a": value, "b": 1.0, "c": 0.0})[True]
        assert 0.0 < p < 1.0 or p in (0.0, 1.0)
        assert math.isfinite(p)
