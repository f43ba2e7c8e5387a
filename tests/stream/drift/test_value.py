"""What a retrain might save, and what one did save."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.bounded import Bounded
from stream.drift.interval import Interval
from stream.drift.value import LET_ONLINE_SERVE, Value, realised
from stream.errors import RecordError

errors = st.sampled_from([0.0, 1.0])
events = st.lists(st.tuples(errors, errors, errors, st.integers(0, 100)), max_size=40)


def fed(rows, value=None) -> Value:
    value = Value() if value is None else value
    for baseline, online, served, disagreed in rows:
        value.update(baseline, online, served)
        value.scored(disagreed, 100)
    return value


def gaps(share, count, seed=1, wrong=0.02):
    """The gap's interval after so many events, on some of which the online model alone errs."""
    interval = Interval(Bounded("gap", -1.0, 1.0))
    for x in np.random.default_rng(seed).choice(
        [1.0, -1.0, 0.0], count, p=[wrong + share, wrong, 1 - 2 * wrong - share]
    ):
        interval.update(float(x))
    return interval


@given(events)
def test_what_the_served_answer_loses_and_wins_adds_up_to_the_gap(rows):
    value = fed(rows)
    gap = sum(baseline - online for baseline, online, _, _ in rows)
    assert value.served.total + value.replaced.total == pytest.approx(gap)
    assert value.served.bounds()[0] <= value.served.mean <= value.served.bounds()[1]


@given(events, events)
def test_a_state_that_goes_through_json_is_bit_equal_to_one_pass(before, after):
    parts = msgspec.json.decode(msgspec.json.encode(fed(before)), type=Value)
    assert fed(after, parts) == fed(before + after)


@pytest.mark.parametrize("losses", [(math.nan, 0.0, 0.0), (0.0, 0.0, 3.0), (3.0, 0.0, 0.0)])
def test_what_is_no_loss_is_refused_and_changes_nothing(losses):
    value = Value()
    with pytest.raises(RecordError, match="less"):
        value.update(*losses)
    assert value == Value()


@pytest.mark.parametrize("disagreed", [-1, 101])
def test_more_disagreements_than_events_are_refused_and_change_nothing(disagreed):
    value = Value()
    with pytest.raises(RecordError, match="must be from 0 to the 100 events"):
        value.scored(disagreed, 100)
    assert value == Value()


def test_the_ceiling_holds_the_gap_at_all_times_without_a_label():
    held = 0
    for seed in range(40):
        chance = np.random.default_rng(seed)
        rates = 0.05 + 0.04 * np.sin(np.arange(4_000) / 300)
        counts = (chance.random(4_000) < rates).reshape(-1, 100).sum(axis=1)
        averages = rates.cumsum() / np.arange(1, 4_001)
        value, above = Value(), True
        for at, count in enumerate(counts.tolist(), 1):
            value.scored(count, 100)
            above = above and averages[100 * at - 1] <= value.ceiling
        held += above
    assert held >= 38
    assert value.ceiling < 0.1


def test_counts_say_as_much_as_events_one_by_one():
    chance = np.random.default_rng(2)
    drawn = (chance.random(4_000) < 0.05).astype(int)
    one, many = Value(), Value()
    for x in drawn.tolist():
        one.scored(x, 1)
    for count in drawn.reshape(-1, 100).sum(axis=1).tolist():
        many.scored(count, 100)
    assert many.ceiling == pytest.approx(one.ceiling, rel=0.05)
    by_event = Interval(Bounded("disagreement", 0.0, 1.0))
    for x in drawn.tolist():
        by_event.update(float(x))
    assert one.disagreement == by_event


def test_before_anything_is_scored_everything_is_possible():
    assert Value().ceiling == 1.0


@pytest.mark.parametrize(
    ("before", "after", "closed", "said"),
    [
        (0.10, 0.00, "yes", "it has closed the gap"),
        (0.10, 0.015, "yes", "it has closed the gap"),
        (0.10, 0.10, "no", LET_ONLINE_SERVE),
        (0.10, 0.05, "open", "whether it closes the gap is still open"),
    ],
)
def test_a_retrain_is_held_against_what_it_was_expected_to_bring(before, after, closed, said):
    found = realised(gaps(before, 4_000), gaps(after, 8_000, seed=2), 0.01)
    assert found.closed == closed
    assert f"expected to save {1000 * found.expected:.0f} errors per 1,000 and saved" in found.sentence
    assert found.sentence.endswith(said)
    mean, low, high = found.brought
    assert low < before - after < high
    assert mean == pytest.approx(before - after, abs=0.02)
    assert found.left[1] < after < found.left[2]


def test_a_gap_within_what_is_tolerated_is_never_said_to_stay_open():
    assert realised(gaps(0.005, 50_000), gaps(0.005, 50_000, seed=3), 0.01).closed == "yes"


def test_soon_after_a_retrain_nothing_is_shown():
    assert realised(gaps(0.10, 2_000), gaps(0.10, 50), 0.01).closed == "open"
    assert realised(gaps(0.10, 2_000), gaps(0.0, 20), 0.01).closed == "open"
