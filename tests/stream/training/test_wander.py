import numpy as np
import pytest

from stream.reference import Wander
from stream.training.wander import wander


def binned(values):
    return np.searchsorted(np.quantile(values, np.linspace(0.05, 0.95, 19)), values)


def test_independent_rows_wander_hardly():
    chance = np.random.default_rng(1)
    made = [wander(binned(chance.normal(size=5_000)), 20) for _ in range(50)]
    assert np.mean([each.shape for each in made]) < 1.15
    assert np.mean([each.place for each in made]) < 1.6


def test_rows_that_resemble_their_neighbours_wander_as_far_as_theory_says():
    chance = np.random.default_rng(2)
    values = chance.normal(size=100_000) * np.sqrt(1 - 0.9**2)
    for at in range(1, len(values)):
        values[at] += 0.9 * values[at - 1]
    # The variance of a mean is (1 + .9) / (1 - .9) times that of as many independent values; ranks: nearly.
    assert wander(binned(values), 20).place == pytest.approx(19, rel=0.25)


def test_missing_rows_are_left_out():
    bins = np.tile([-1, 0, 1, 1], 1_000)
    assert wander(bins, 2) == Wander()


def test_few_rows_or_one_bin_say_nothing():
    assert wander(np.arange(399) % 5, 5) == Wander()
    assert wander(np.zeros(5_000, dtype=int), 1) == Wander()
    assert wander(np.full(5_000, -1), 3) == Wander()
