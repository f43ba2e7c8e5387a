"""What can be guessed without labels, and how far it was off."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.drift.bounded import Null
from stream.drift.evidence import Detector, Evidence
from stream.drift.unlabelled import BLOCK, REFERENCE, RISE, DisagreementEstimate, OnlineAsJudgeEstimate
from stream.errors import RecordError
from stream.risk import risk

EVERY = 10_000.0


def counts(chance, rates, size=100):
    """Disagreements in successive profiles."""
    return (chance.random(len(rates)) < rates).reshape(-1, size).sum(axis=1).tolist()


def alarms(estimate, disagreements, size=100):
    return [at * size for at, one in enumerate(disagreements, 1) if estimate.update(one, size) is not None]


def test_models_that_disagree_more_than_they_did_raise_an_alarm_soon():
    for seed in range(20):
        chance = np.random.default_rng(seed)
        rates = np.where(np.arange(8_000) < 5_000, 0.03, 0.15)
        first = alarms(DisagreementEstimate(EVERY), counts(chance, rates))[0]
        assert 5_000 < first <= 5_500


def test_models_that_disagree_as_they_did_raise_none():
    found = [
        alarms(DisagreementEstimate(EVERY), counts(np.random.default_rng(s), np.full(20_000, 0.1))) for s in range(20)
    ]
    assert sum(map(len, found)) <= 1


def test_the_bound_is_what_the_first_events_allow_and_a_margin():
    estimate = DisagreementEstimate(EVERY)
    for _ in range(REFERENCE // 100):
        assert estimate.bound is None
        estimate.update(5, 100)
    assert estimate.bound == risk(np.repeat([1.0, 0.0], [50, 950])).high + RISE


def test_models_that_always_disagreed_cannot_disagree_more():
    estimate = DisagreementEstimate(EVERY)
    assert alarms(estimate, [100] * 30) == []
    assert estimate.bound < 1.0


@given(st.lists(st.booleans(), min_size=50, max_size=50), st.randoms(use_true_random=False))
def test_a_profile_never_gives_more_evidence_than_its_events_one_by_one_in_any_order(events, chance):
    estimate = DisagreementEstimate(1e300)
    estimate.update(30, REFERENCE)
    one = Detector("one by one", 1e300, [Evidence(Null("disagreement", 0.0, 1.0, estimate.bound))])
    estimate.update(sum(events), len(events))
    chance.shuffle(events)
    for x in events:
        one.update(float(x))
    assert estimate.detector.evidence <= one.evidence * (1 + 1e-9)


def test_an_alarm_says_when_the_change_began_and_the_evidence_begins_anew():
    estimate = DisagreementEstimate(EVERY)
    for _ in range(50):
        estimate.update(3, 100)
    crossing = estimate.update(100, 100)
    assert crossing.detector == "disagreement"
    assert math.isfinite(crossing.evidence)
    assert crossing.evidence >= EVERY
    assert 4_000 < crossing.change + REFERENCE <= 5_001
    assert estimate.detector.evidence == 0.0
    assert (estimate.detector.alarms, estimate.detector.last_alarm) == (1, 4_100)


def test_a_very_large_profile_overflows_into_nothing_but_an_alarm():
    estimate = DisagreementEstimate(EVERY)
    estimate.update(0, REFERENCE)
    crossing = estimate.update(5_000, 5_000)
    assert math.isfinite(crossing.evidence)
    assert math.isfinite(crossing.odds)
    assert msgspec.json.decode(msgspec.json.encode(estimate), type=DisagreementEstimate) == estimate


@pytest.mark.parametrize("disagreements", [-1, 101])
def test_more_disagreements_than_events_are_refused_and_change_nothing(disagreements):
    estimate = DisagreementEstimate(EVERY)
    with pytest.raises(RecordError, match="must be from 0 to the 100 events"):
        estimate.update(disagreements, 100)
    assert estimate == DisagreementEstimate(EVERY)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 100), max_size=30), st.lists(st.integers(0, 100), max_size=30))
def test_disagreement_goes_through_json_bit_equal(before, after):
    parts, whole = DisagreementEstimate(EVERY), DisagreementEstimate(EVERY)
    alarms(parts, before)
    parts = msgspec.json.decode(msgspec.json.encode(parts), type=DisagreementEstimate)
    alarms(parts, after)
    alarms(whole, before + after)
    assert parts == whole


def judged(chance, events, error, bias=0.0):
    """Doubts of an online model that knows how often the baseline is wrong, but for a bias; and the truth."""
    doubts = np.clip(chance.beta(1, 1 / error - 1, events) + bias, 0.0, 1.0)
    errors = chance.random(events) < np.clip(doubts - bias, 0.0, 1.0)
    return doubts.tolist(), errors.astype(float).tolist()


def test_the_baselines_errors_are_estimated_without_a_label():
    chance = np.random.default_rng(1)
    estimate = OnlineAsJudgeEstimate()
    assert estimate.estimate is estimate.corrected is estimate.off_by is None
    for error in (0.05, 0.4):
        doubts, _ = judged(chance, 3_000, error)
        for begin in range(0, 3_000, 100):
            estimate.scored(sum(doubts[begin : begin + 100]), 100)
        assert estimate.estimate == pytest.approx(error, abs=0.03)
    assert estimate.corrected == estimate.estimate


def test_what_labels_show_it_to_be_off_by_is_taken_off_and_how_far_it_was_off_is_kept():
    chance = np.random.default_rng(2)
    estimate = OnlineAsJudgeEstimate()
    doubts, errors = judged(chance, 10_000, 0.1, bias=0.1)
    for doubt, error in zip(doubts, errors, strict=True):
        estimate.scored(doubt, 1)
        estimate.labelled(doubt, error)
    assert estimate.estimate == pytest.approx(0.2, abs=0.02)
    assert estimate.corrected == pytest.approx(0.1, abs=0.03)
    assert estimate.blocks == 10_000 // BLOCK
    assert estimate.off_by == pytest.approx(0.1, abs=0.01)
    assert estimate.corrected_off_by < 0.03


def test_both_wrong_together_it_is_blind_until_labels_come():
    estimate = OnlineAsJudgeEstimate()
    for _ in range(20):
        estimate.scored(1.0, 100)
    assert estimate.estimate == pytest.approx(0.01)
    for _ in range(BLOCK):
        estimate.labelled(0.01, 1.0)
    assert estimate.off_by == pytest.approx(0.99)
    assert estimate.corrected == pytest.approx(1.0)


def test_an_estimate_goes_through_json_bit_equal():
    chance = np.random.default_rng(3)
    doubts, errors = judged(chance, 2_000, 0.1)
    parts, whole = OnlineAsJudgeEstimate(), OnlineAsJudgeEstimate()
    for at, (doubt, error) in enumerate(zip(doubts, errors, strict=True)):
        if at % 333 == 0:
            parts = msgspec.json.decode(msgspec.json.encode(parts), type=OnlineAsJudgeEstimate)
        for each in (parts, whole):
            each.scored(doubt, 1)
            each.labelled(doubt, error)
    assert parts == whole


@pytest.mark.parametrize("doubt", [math.nan, -0.1, 101.0])
def test_a_doubt_that_is_none_is_refused_and_changes_nothing(doubt):
    estimate = OnlineAsJudgeEstimate()
    with pytest.raises(RecordError, match="field 'doubt': must be from 0 to"):
        estimate.scored(doubt, 100)
    with pytest.raises(RecordError, match="field 'doubt': must be from 0 to 1"):
        estimate.labelled(doubt, 0.0)
    with pytest.raises(RecordError, match="field 'doubt': must be from 0 to 1"):
        estimate.labelled(0.5, doubt)
    assert estimate == OnlineAsJudgeEstimate()


def test_a_sum_that_is_off_by_a_rounding_error_is_taken():
    estimate = OnlineAsJudgeEstimate()
    estimate.scored(100.00000000000001, 100)
    assert estimate.estimate == pytest.approx(1.0)
