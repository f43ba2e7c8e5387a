"""Quantiles are off by 5% of themselves at most, in bounded space."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.quantiles import ACCURACY, Quantiles


def fed(values, remembered=10**6) -> Quantiles:
    made = Quantiles(remembered)
    for value in values:
        made.update(value)
    return made


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=60), st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_off_by_5_percent_at_most(values, share):
    exact = sorted(values)[max(0, math.ceil(share * len(values) - 1e-9) - 1)]
    assert fed(values).quantile(share) == pytest.approx(exact, rel=ACCURACY + 1e-9)


def test_whatever_comes_space_is_bounded_and_nothing_is_refused():
    made = fed([0.0, -5.0, math.nan, math.inf, 1e300, *[1.01**power for power in range(-5_000, 5_000)]])
    assert len(made.counts) < 310
    assert made.total == 10_005
    assert fed([0.0]).quantile(0.5) == pytest.approx(1e-3, rel=ACCURACY)


def test_the_newest_values_say_most():
    made = fed([1.0] * 5_000 + [100.0] * 3_000, remembered=1_000)
    assert made.quantile(0.3) == pytest.approx(100.0, rel=ACCURACY)
    assert made.total < 2_000


def test_nothing_is_said_before_any_value():
    assert Quantiles(10).quantile(0.5) is None


@given(st.lists(st.floats(0.0, 1e6), max_size=40), st.lists(st.floats(0.0, 1e6), max_size=40))
def test_a_state_that_goes_through_json_is_bit_equal_to_one_pass(before, after):
    parts = msgspec.json.decode(msgspec.json.encode(fed(before, 10)), type=Quantiles)
    for value in after:
        parts.update(value)
    assert parts == fed([*before, *after], 10)
