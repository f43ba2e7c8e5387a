"""Intervals of a risk cover it as often as they say."""

import numpy as np
import pytest

from stream.risk import risk


@pytest.mark.parametrize(("rows", "p"), [(40, 0.01), (500, 0.03), (500, 0.3), (3_000, 0.1)])
def test_the_interval_of_errors_covers_the_truth_95_times_in_100(rows, p):
    chance = np.random.default_rng(7)
    found = [risk((chance.random(rows) < p).astype(float)) for _ in range(1_000)]
    assert sum(r.low <= p <= r.high for r in found) >= 940
    assert {r.method for r in found} == {"Clopper-Pearson"}
    assert all(0 <= r.low <= r.mean <= r.high <= 1 for r in found)


def test_the_interval_of_costs_covers_the_truth_95_times_in_100():
    chance = np.random.default_rng(7)
    found = [risk(chance.choice([0.0, 0.1, 1.0], 500, p=[0.9, 0.06, 0.04])) for _ in range(500)]
    assert sum(r.low <= 0.046 <= r.high for r in found) >= 475
    assert {r.method for r in found} == {"empirical Bernstein"}


def test_no_error_at_all_still_has_an_upper_end():
    found = risk(np.zeros(500))
    assert (found.mean, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.00735, abs=1e-4)  # 1 - .025 ** (1 / 500)


def test_nothing_but_errors_has_a_lower_end():
    found = risk(np.ones(10))
    assert found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 10))
