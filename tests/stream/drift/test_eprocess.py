"""The test of a challenger: what it promotes, how seldom wrongly, and that it stays finite."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.bounded import Null
from stream.drift.eprocess import EProcess, Promotion, compare, spend
from stream.errors import RecordError, SettingError

gains = st.lists(st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1.0, 1.0)), max_size=80)


def decided(champion, challenger, events, chance, **given):
    """The decision and the event at which it fell."""
    promotion = compare(**given)
    losses = chance.random((2, events)) < np.array([[champion], [challenger]])
    for event, gain in enumerate((losses[0].astype(float) - losses[1]).tolist(), start=1):
        if promotion.update(gain):
            return promotion.decision, event
    return None, events


@given(gains)
def test_the_evidence_is_the_mean_over_stakes_of_the_products(xs):
    process = EProcess(Null("gain", -1.0, 1.0, 0.0))
    for x in xs:
        process.update(x)
    products = (1.0 + np.outer(process.stakes, xs)).prod(axis=1) if xs else np.ones(6)
    assert process.log_evidence == pytest.approx(math.log(products.mean()), abs=1e-9)


@given(gains, gains)
def test_a_state_that_goes_through_json_is_bit_equal_to_one_pass(before, after):
    whole, parts = compare(0.3), compare(0.3)
    for x in before:
        parts.update(x)
    parts = msgspec.json.decode(msgspec.json.encode(parts), type=Promotion)
    for x in after:
        parts.update(x)
    for x in before + after:
        whole.update(x)
    assert parts == whole
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)


@pytest.mark.parametrize("x", [math.nan, 2.0, -math.inf])
def test_what_is_no_gain_is_refused_by_name_and_range_and_changes_nothing(x):
    promotion = compare()
    with pytest.raises(RecordError, match=rf"field 'gain': must be in \[-1, 1\], not {x!r}"):
        promotion.update(x)
    assert promotion == compare()


@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_a_million_events_leave_it_finite(x):
    process = EProcess(Null("gain", -1.0, 1.0, 0.01))
    for _ in range(1_000_000):
        process.update(x)
    assert math.isfinite(process.log_evidence)
    assert (process.log_evidence > 0) == (x > 0)


def test_a_challenger_that_is_better_is_promoted():
    chance = np.random.default_rng(1)
    for champion, soon in ((0.10, 250), (0.06, 1_500)):
        found = [decided(champion, 0.03, 8_000, chance) for _ in range(15)]
        assert {decision for decision, _ in found} == {"promote"}
        assert np.median([event for _, event in found]) <= soon


def test_one_that_is_no_better_is_promoted_no_more_often_than_alpha():
    chance = np.random.default_rng(2)  # 60 runs at .05: 3 are the bound
    found = [decided(0.05, 0.05, 3_000, chance, alpha=0.05)[0] for _ in range(60)]
    assert found.count("promote") <= 3


def test_one_that_is_worse_is_dropped():
    chance = np.random.default_rng(3)
    much = [decided(0.03, 0.10, 4_000, chance)[0] for _ in range(10)]
    little = [decided(0.03, 0.04, 15_000, chance)[0] for _ in range(10)]
    assert much == ["worse"] * 10
    assert set(little) <= {"worse", "futile"}


def test_one_that_answers_alike_is_futile():
    promotion = compare()
    decisions = [promotion.update(0.0) for _ in range(6_000)]
    assert decisions[0] is None
    assert decisions[-1] == "futile"


def test_the_first_decision_stays():
    promotion = compare(0.5)
    decisions = [promotion.update(x) for x in [1.0] * 10 + [-1.0] * 100]
    assert decisions[9] == decisions[-1] == "promote"
    assert promotion.gain.events < 10


def test_a_margin_that_is_asked_for_is_kept_to():
    chance = np.random.default_rng(4)
    found = [decided(0.05, 0.03, 6_000, chance, margin=0.02, alpha=0.05)[0] for _ in range(20)]
    assert found.count("promote") <= 3


def test_attempts_without_end_spend_no_more_than_alpha():
    parts = [spend(0.01, attempt) for attempt in range(1, 10_001)]
    assert parts[:2] == [0.005, pytest.approx(0.01 / 6)]
    assert 0.00999 < sum(parts) <= 0.01


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_an_alpha_that_is_no_chance_is_refused(alpha):
    with pytest.raises(SettingError, match="setting alpha = .*: must be between 0 and 1"):
        compare(alpha)
