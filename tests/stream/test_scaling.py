"""Numbers are standardised; one absurd value does no harm, and one in another unit is told from a world that moves."""

import numpy as np
import pytest

from stream.scaling import BLOCK, ScaleNumbers, ScaleToUnit


def test_numbers_are_scaled_among_all_the_rest():
    scale = ScaleNumbers(["size"])
    for size in (1.0, 2.0, 3.0):
        scale.learn_one({"size": size, 7: 1.0})
    x = scale.transform_one({"size": 2.0, 7: 1.0, "size?": 1.0})
    assert x == {"size": pytest.approx(0.0), 7: 1.0, "size?": 1.0}
    assert scale.transform_one({7: 1.0}) == {7: 1.0}


def test_one_absurd_number_neither_throws_the_scale_off_nor_widens_it_for_ever():
    scale = ScaleNumbers(["size"])
    for index in range(200):
        scale.learn_one({"size": float(index % 5)})
    before = scale.transform_one({"size": 4.0})["size"]
    scale.learn_one({"size": 1e30})
    assert scale.transform_one({"size": 1e30})["size"] <= 10.0
    assert abs(scale.transform_one({"size": 4.0})["size"] - before) < 0.5


def test_the_unit_scale_gives_every_column_and_clips():
    scale = ScaleToUnit(["a", "b"])
    for value in (0.0, 10.0):
        scale.learn_one({"a": value})
    assert [scale.transform_one({"a": value, "c": 1}) for value in (-5.0, 5.0, 99.0)] == [
        {"a": 0.0, "b": 0.5},
        {"a": 0.5, "b": 0.5},
        {"a": 1.0, "b": 0.5},
    ]


def standardised(values, scale):
    """What a model behind it would learn from."""
    made = []
    for value in values:
        scale.learn_one({"x": value})
        made.append(scale.transform_one({"x": value})["x"])
    return np.array(made)


@pytest.mark.parametrize("unit", [lambda x: 100 * x, lambda x: x - 1_000, lambda x: 100 * x + 5_000])
def test_a_number_in_another_unit_is_in_standard_units_within_a_block_or_two_and_so_it_is_when_that_is_over(unit):
    chance = np.random.default_rng(1)
    values, scale = chance.normal(3.0, 2.0, 9_000), ScaleNumbers(["x"])
    usual = standardised(values[:3_000], scale)[1_000:]
    fault = standardised([unit(value) for value in values[3_000:6_000]], scale)[2 * BLOCK :]
    after = standardised(values[6_000:], scale)[2 * BLOCK :]
    for part in (usual, fault, after):
        assert part.mean() == pytest.approx(0.0, abs=0.15)
        assert part.std() == pytest.approx(1.0, abs=0.15)
    assert scale.scales["x"].own.variance == pytest.approx(4.0, rel=0.25)


def test_a_number_that_moves_and_grows_is_followed_by_its_own_scale():
    chance = np.random.default_rng(2)
    values = chance.normal(0.0, 1.0, 6_000) * np.linspace(1.0, 5.0, 6_000) + np.linspace(0.0, 8.0, 6_000)
    scale = ScaleNumbers(["x"])
    standardised(values, scale)
    assert scale.scales["x"].other is None
    assert scale.scales["x"].own.mean == pytest.approx(values.mean())


@pytest.mark.parametrize("spread", [0.001, 0.0])
def test_a_number_that_begins_to_vary_was_in_no_other_unit(spread):
    chance, scale = np.random.default_rng(4), ScaleNumbers(["x"])
    standardised(0.4 + spread * chance.random(3_000), scale)
    after = standardised(chance.random(9_000), scale)
    assert scale.scales["x"].other is None
    assert after[:100].std() > 5
    assert after[-1_000:].std() < 2


def test_heavy_tails_are_no_other_unit():
    chance, scale = np.random.default_rng(3), ScaleNumbers(["x"])
    for value in chance.pareto(1.5, 50_000):
        scale.learn_one({"x": value})
        assert scale.scales["x"].other is None


def test_one_absurd_number_does_no_harm_in_another_unit_either():
    chance, scale = np.random.default_rng(5), ScaleNumbers(["x"])
    standardised(chance.normal(50, 10, 1_000), scale)
    standardised(chance.normal(5_000, 1_000, 300), scale)
    scale.learn_one({"x": 1e30})
    after = standardised(chance.normal(5_000, 1_000, 2_000), scale)[200:]
    assert after.std() == pytest.approx(1.0, abs=0.2)


def test_a_third_unit_is_told_from_the_second():
    chance, scale = np.random.default_rng(6), ScaleNumbers(["x"])
    for mean in (50, 5_000, 5e6):
        made = standardised(chance.normal(mean, mean / 5, 3_000), scale)[2 * BLOCK :]
        assert made.mean() == pytest.approx(0.0, abs=0.3)
        assert made.std() == pytest.approx(1.0, abs=0.3)


def test_a_world_that_goes_to_and_fro_is_followed_so_that_its_levels_stay_apart():
    chance, scale = np.random.default_rng(7), ScaleNumbers(["x"])
    standardised(chance.normal(1, 0.1, 200), scale)
    for _ in range(8):
        day, night = (standardised(chance.normal(*of, 300), scale) for of in ((50, 10), (1, 0.1)))
    assert day.mean() - night.mean() > 1


def test_one_absurd_value_does_not_press_all_others_into_one_spot():
    scale = ScaleToUnit(["n"])
    for at in range(200):
        scale.learn_one({"n": float(at % 10)})
    scale.learn_one({"n": 1e30})
    scale.learn_one({"n": -1e30})
    low, high, absurd = (scale.transform_one({"n": value})["n"] for value in (0.0, 9.0, 1e30))
    assert high - low > 0.1
    assert absurd == 1.0


def test_what_is_far_out_in_a_derived_column_is_told_from_what_is_not():
    """A risk that is 0 of nearly all: as a field of the event the few that are not would be held back."""
    scale = ScaleNumbers(["risk", "field"], ["risk"])
    for at in range(2_000):
        value = 0.9 if at % 100 == 99 else 0.0
        scale.learn_one({"risk": value, "field": value})
    low, high = (scale.transform_one({"risk": value})["risk"] for value in (0.0, 0.9))
    assert -0.2 < low < 0
    assert 9.5 < high <= 10
    assert scale.transform_one({"risk": 1e30})["risk"] == 10
