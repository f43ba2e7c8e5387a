import random

import pytest
from river import anomaly

from stream.gaussian import Gaussians
from stream.scaling import SETTLED


def test_a_column_is_scored_as_rivers_scorer_does_and_a_missing_one_says_nothing():
    chance = random.Random(1)
    ours, rivers = Gaussians(["a", "b"]), anomaly.GaussianScorer(grace_period=SETTLED)
    assert ours.score_one({"a": 1.0}) == ours.score_one({}) == 0.0
    for _ in range(500):
        value = chance.gauss(3.0, 2.0)
        ours.learn_one({"a": value})
        rivers.learn_one(None, value)
    for value in (-4.0, 2.0, 3.1, 9.0):
        # River divides by n - 1.
        assert ours.score_one({"a": value, "b": 1.0}) == pytest.approx(rivers.score_one(None, value) / 2, abs=2e-3)
        assert ours.score_one({"a": value}) == pytest.approx(rivers.score_one(None, value), abs=2e-3)


def test_one_absurd_value_does_not_hide_those_behind_it():
    chance = random.Random(2)
    scorer = Gaussians(["a"])
    for _ in range(1_000):
        scorer.learn_one({"a": chance.gauss(0.0, 1.0)})
    scorer.learn_one({"a": 1e30})
    assert scorer.score_one({"a": 4.0}) > 0.99


def test_a_column_that_never_varied_scores_nothing():
    scorer = Gaussians(["a"])
    for _ in range(100):
        scorer.learn_one({"a": 5.0})
    assert scorer.score_one({"a": 5.0}) == scorer.score_one({"a": 6.0}) == 0.0
