"""The e-detector: its recursion, its bound on false alarms, and what an alarm says."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.bounded import Null
from stream.drift.evidence import CAP, Detector, Evidence
from stream.errors import RecordError, SettingError

differences = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1.0, 1.0))


def paired(every=10_000.0, delta=0.01, parts=1) -> Detector:
    return Detector("paired", every, [Evidence(Null(f"gap {n}", -1.0, 1.0, delta)) for n in range(parts)])


def drawn(chance, size, worse, better):
    """Differences of 0/1 losses: 1 where only the baseline errs, -1 where only the online model does."""
    return chance.choice([1.0, -1.0, 0.0], size, p=[worse, better, 1 - worse - better]).tolist()


def alarms(detector, values) -> list[int]:
    return [crossing.event for x in values if (crossing := detector.update(x))]


@given(st.lists(differences, max_size=60))
def test_the_evidence_is_the_mean_over_stakes_and_starts_of_the_products_since(values):
    detector = paired(every=1e9)
    for x in values:
        detector.update(x)
    stakes = detector.parts[0].stakes
    factors = 1.0 + np.outer(stakes, np.array(values) - 0.01)
    products = [factors[:, start:].prod(axis=1) for start in range(len(values))]
    assert detector.evidence == pytest.approx(np.sum(products, axis=0).mean() if values else 0.0, rel=1e-9)
    if values:
        best = np.max(products, axis=0)
        assert detector.odds == pytest.approx(best.mean(), rel=1e-9)
        if best.max() > 1.0 + 1e-9:
            assert factors[:, detector.change - 1 :].prod(axis=1).max() == pytest.approx(best.max(), rel=1e-9)


@given(st.lists(differences, max_size=80), st.lists(st.integers(0, 80), max_size=5))
def test_a_state_that_goes_through_json_anywhere_is_bit_equal_to_one_pass(values, cuts):
    whole, parts = paired(30.0, parts=2), paired(30.0, parts=2)
    crossings = []
    for place, x in enumerate(values):
        if place in cuts:
            parts = msgspec.json.decode(msgspec.json.encode(parts), type=Detector)
        crossings.append((whole.update(x, -x), parts.update(x, -x)))
    assert parts == whole
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)
    assert all(one == other for one, other in crossings)


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 1.0000001, -1.5])
def test_what_is_no_value_is_refused_by_name_and_range_and_changes_nothing(x):
    detector = paired(parts=2)
    detector.update(1.0, 0.5)
    before = msgspec.json.encode(detector)
    with pytest.raises(RecordError, match=rf"field 'gap 1': must be in \[-1, 1\], not {x!r}"):
        detector.update(1.0, x)
    assert msgspec.json.encode(detector) == before


@pytest.mark.parametrize("bound", [-1.0, 1.0, 7.0, math.nan])
def test_a_bound_that_nothing_can_exceed_or_keep_is_refused_by_name(bound):
    with pytest.raises(SettingError, match="setting gap 0 = .*: must be between -1 and 1"):
        paired(delta=bound)


def test_40000_events_on_which_the_models_agree_raise_no_alarm_and_the_odds_stay_at_1_or_below():
    detector = paired()
    assert detector.odds == 1.0
    odds = []
    for _ in range(40_000):
        assert detector.update(0.0) is None
        odds.append(detector.odds)
    assert max(odds) <= 1.0
    assert detector.change is None
    assert detector.evidence == pytest.approx(854, abs=1)  # where it settles: 8.5% of the threshold


def test_an_alarm_says_what_led_to_it_and_the_detector_begins_anew():
    detector = paired()
    for _ in range(20_000):
        detector.update(0.0)
    crossing = next(found for _ in range(50) if (found := detector.update(1.0)))
    assert crossing.detector == "paired"
    assert crossing.event == 20_013
    assert crossing.change == 20_001
    assert crossing.evidence >= 10_000 > crossing.odds > 1
    assert (detector.evidence, detector.odds, detector.change) == (0.0, 1.0, None)
    assert (detector.alarms, detector.last_alarm, detector.events) == (1, 20_013, 20_013)


def test_25_errors_of_the_baseline_alone_in_a_row_are_the_fewest_that_alarm_after_a_start():
    assert alarms(paired(), [1.0] * 50) == [25, 50]


def test_the_change_is_found_near_where_it_was():
    chance = np.random.default_rng(1)
    found = []
    for _ in range(20):
        detector = paired()
        values = drawn(chance, 3_000, 0.02, 0.02) + drawn(chance, 2_000, 0.12, 0.02)
        found.append(next(c for x in values if (c := detector.update(x)) and c.event > 3_000).change)
    assert abs(np.median(found) - 3_000) <= 60


def test_the_evidence_of_an_alarm_is_capped():
    detector = Detector("absolute", 10.0, [Evidence(Null("loss", 0.0, 1.0, 1e-12))])
    assert detector.update(1.0).evidence == CAP * 10


def test_at_the_boundary_there_are_no_more_false_alarms_than_one_in_n_events():
    chance = np.random.default_rng(2)  # 12 runs of 20,000: 24 are the bound, some 20 the rule
    found = sum(len(alarms(paired(), drawn(chance, 20_000, 0.03, 0.02))) for _ in range(12))
    assert 8 <= found <= 30


@pytest.mark.parametrize(("worse", "better", "most"), [(0.029, 0.029, 1), (0.01, 0.04, 0), (0.1, 0.1, 8)])
def test_nulls_with_some_slack_raise_fewer(worse, better, most):
    chance = np.random.default_rng(3)
    assert sum(len(alarms(paired(), drawn(chance, 20_000, worse, better))) for _ in range(8)) <= most


def test_difficulty_that_is_common_to_both_models_raises_next_to_none():
    chance = np.random.default_rng(4)
    found = 0
    for _ in range(8):
        p = np.repeat(chance.choice([0.01, 0.09], 67), 300)[:20_000]
        losses = (chance.random((2, len(p))) < p).astype(float)
        found += len(alarms(paired(), (losses[0] - losses[1]).tolist()))
    assert found <= 3


@pytest.mark.parametrize(("error", "most"), [(0.05, 2_300), (0.10, 300), (0.25, 90)])
def test_a_rise_of_the_error_is_found_soon(error, most):
    chance = np.random.default_rng(5)
    delays = []
    for _ in range(25):
        base = chance.random(13_000) < np.where(np.arange(13_000) < 5_000, 0.03, error)
        online = chance.random(13_000) < 0.03
        found = alarms(paired(), (base.astype(float) - online).tolist())
        delays.append(next((event - 5_000 for event in found if event > 5_000), math.inf))
    assert np.median(delays) <= most


def test_a_long_time_in_which_the_baseline_was_better_does_not_hide_its_rot():
    chance = np.random.default_rng(6)
    delays = []
    for _ in range(25):
        values = drawn(chance, 5_000, 0.02, 0.05) + drawn(chance, 3_000, 0.09, 0.02)
        delays.append(alarms(paired(), values)[0] - 5_000)
    assert 0 < np.median(delays) <= 350


def test_the_same_class_watches_a_loss_against_what_is_normal():
    chance = np.random.default_rng(7)
    detector = Detector("absolute", 10_000.0, [Evidence(Null("loss", 0.0, 1.0, 0.05))])
    assert alarms(detector, (chance.random(20_000) < 0.04).astype(float).tolist()) == []
    assert alarms(detector, (chance.random(1_000) < 0.15).astype(float).tolist())[0] <= 20_300


def test_the_mean_of_two_is_tested_so_one_that_says_nothing_costs_little():
    one, two = paired(), paired(parts=2)
    for _ in range(60):
        one.update(1.0)
        two.update(1.0, 0.0)
    assert (one.last_alarm, two.last_alarm) == (50, 54)
