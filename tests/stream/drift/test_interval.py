"""The interval of a mean holds at every event at once, also where means move."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.bounded import Bounded
from stream.drift.interval import Interval
from stream.errors import RecordError

GAP = Bounded("gap", -1.0, 1.0)
values = st.lists(st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1.0, 1.0)), max_size=60)


def fed(xs, of=GAP) -> Interval:
    interval = Interval(of)
    for x in xs:
        interval.update(x)
    return interval


@given(values)
def test_the_mean_is_inside_and_the_ends_are_in_the_range(xs):
    interval = fed(xs)
    low, high = interval.bounds()
    assert -1.0 <= low <= interval.mean + 1e-12
    assert interval.mean - 1e-12 <= high <= 1.0
    assert interval.bounds(0.99)[0] <= low
    assert interval.bounds(0.99)[1] >= high


@given(values, st.floats(-1.0, 1.0))
def test_to_be_below_a_value_is_to_have_the_upper_end_below_it(xs, value):
    interval = fed(xs * 40)
    end = interval.bounds()[1]
    if abs(end - value) > 1e-9 and end < 1.0:
        assert interval.below(value) == (end < value)


@given(values.filter(len))
def test_the_ends_are_where_the_evidence_against_a_mean_is_40(xs):
    xs = np.array(xs * 40)
    before = np.concatenate([[0.0], xs.cumsum()[:-1] / np.arange(1, len(xs))])  # what is guessed before each event
    variation = ((xs - before) ** 2).sum()
    low, high = fed(xs.tolist()).bounds()
    for end in (low, high):
        if abs(end) < 1.0:
            rates = np.geomspace(0.9, 1e-3, 24) / 2.0
            price = (-np.log1p(-2.0 * rates) - 2.0 * rates) / 4.0
            distance = abs(xs.sum() - len(xs) * end)
            assert np.exp(rates * distance - price * variation).mean() == pytest.approx(40.0, rel=1e-6)


@given(values, values)
def test_a_state_that_goes_through_json_is_bit_equal_to_one_pass(before, after):
    parts = msgspec.json.decode(msgspec.json.encode(fed(before)), type=Interval)
    for x in after:
        parts.update(x)
    assert parts == fed(before + after)


@pytest.mark.parametrize("x", [math.nan, 1.1, -math.inf])
def test_what_is_no_value_is_refused_by_name_and_range_and_changes_nothing(x):
    interval = fed([0.5])
    with pytest.raises(RecordError, match=rf"field 'gap': must be in \[-1, 1\], not {x!r}"):
        interval.update(x)
    assert interval == fed([0.5])


def test_before_any_event_everything_is_possible():
    assert Interval(Bounded("loss", 0.0, 1.0)).bounds() == (0.0, 1.0)
    assert not Interval(GAP).below(0.9)


def test_it_holds_the_average_of_a_moving_mean_at_all_times():
    held = 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        means = 0.05 * np.sin(np.arange(3_000) / 200)
        xs = np.where(chance.random(3_000) < 0.1, np.where(chance.random(3_000) < 0.5 + 5 * means, 1.0, -1.0), 0.0)
        averages = means.cumsum() / np.arange(1, 3_001)
        interval, inside = Interval(GAP), True
        for event, x in enumerate(xs.tolist()):
            interval.update(x)
            if event % 25 == 24:
                low, high = interval.bounds()
                inside = inside and low <= averages[event] <= high
        held += inside
    assert held >= 38


def test_it_is_at_most_2_2_times_as_wide_as_one_for_a_number_of_events_that_was_fixed():
    xs = np.random.default_rng(1).choice([1.0, -1.0, 0.0], 4_000, p=[0.03, 0.02, 0.95])
    low, high = fed(xs.tolist()).bounds()
    assert high - low <= 2.2 * 2 * 1.96 * xs.std() / math.sqrt(4_000)
