"""What errors cost, and where the threshold belongs for that."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stream.training.aims import Aim

labels = arrays.arrays(int, 60, elements=st.integers(0, 1))
scores = arrays.arrays(float, 60, elements=st.integers(0, 20).map(lambda n: n / 20))


def cost(aim, y, p, threshold):
    return aim.losses(y, (p >= threshold).astype(int)).sum()


@given(labels, scores, st.floats(0.1, 50), st.floats(0.1, 50))
def test_no_threshold_costs_less_than_the_one_chosen(y, p, alarm, miss):
    aim = Aim(alarm, miss)
    if aim.plain:
        return
    chosen = cost(aim, y, p, aim.threshold(y, p))
    for other in [*np.unique(p), 2.0]:
        assert chosen <= cost(aim, y, p, other) + 1e-9


@given(labels, scores, st.floats(0.0, 1.0))
def test_no_more_is_flagged_than_the_budget_and_no_other_such_threshold_misses_less(y, p, budget):
    aim = Aim(alert_budget=budget)
    threshold = aim.threshold(y, p)
    assert (p >= threshold).mean() <= budget
    for other in np.unique(p):
        if (p >= other).mean() <= budget:
            assert cost(aim, y, p, threshold) <= cost(aim, y, p, other)


def test_where_every_error_costs_the_same_the_likelier_class_is_the_answer():
    aim = Aim()
    assert aim.threshold(np.array([0, 1]), np.array([0.9, 0.1])) == 0.5
    assert aim.losses(np.array([0, 1, 2]), np.array([0, 2, 2])).tolist() == [0, 1, 0]


def test_losses_are_shares_of_the_dearest_error():
    assert Aim(1, 10).losses(np.array([0, 1, 1]), np.array([1, 0, 1])).tolist() == [0.1, 1.0, 0.0]
    assert Aim(alert_budget=0.1).losses(np.array([0, 1]), np.array([1, 0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("miss", [2.0, 20.0])
def test_the_dearer_a_miss_the_lower_the_threshold(miss):
    chance = np.random.default_rng(1)
    p = chance.random(20_000)
    y = (chance.random(20_000) < p).astype(int)
    # Of true probabilities the best threshold is the share of a false alarm in both costs (Elkan 2001).
    assert Aim(1.0, miss).threshold(y, p) == pytest.approx(1 / (1 + miss), abs=0.05)
