"""The four detectors side by side."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.drift.rot import Limits, Reference, Rot, begin
from stream.errors import RecordError, SettingError

BOTH = Limits(loss="errors+brier")
KNOWN = Reference(0.04, 0.03)

shares = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
events = st.lists(st.tuples(shares, shares, shares, shares), max_size=60)


def losses(chance, baseline, online, size):
    """0/1 losses of both models; the arguments are error rates, or one an event."""
    drawn = chance.random((2, size)) < np.stack([np.broadcast_to(baseline, size), np.broadcast_to(online, size)])
    return drawn.T.astype(float).tolist()


def alarmed(rot, rows) -> list[str]:
    return [alarm.detector for row in rows for alarm in rot.update(*row)]


@given(events, st.lists(st.integers(0, 60), max_size=5))
def test_a_state_that_goes_through_json_anywhere_is_bit_equal_to_one_pass(rows, cuts):
    limits = msgspec.structs.replace(BOTH, false_alarm_every=1_250)
    whole, parts = begin(limits, KNOWN, KNOWN), begin(limits, KNOWN, KNOWN)
    for place, row in enumerate(rows):
        if place in cuts:
            parts = msgspec.json.decode(msgspec.json.encode(parts), type=Rot)
        assert parts.update(*row) == whole.update(*row)
    assert parts == whole
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("x", [math.nan, 1.5, -0.1])
def test_a_loss_that_is_none_is_refused_by_name_and_range_and_changes_nothing(place, x):
    name = ["baseline loss", "online loss", "baseline Brier score", "online Brier score"][place]
    rot = begin(BOTH, KNOWN, KNOWN)
    row = [1.0, 0.0, 0.5, 0.5]
    row[place] = x
    with pytest.raises(RecordError, match=rf"field '{name}': must be in \[0, 1\], not {x!r}"):
        rot.update(*row)
    assert rot == begin(BOTH, KNOWN, KNOWN)


def test_a_brier_score_that_is_missing_is_refused_where_it_is_tested_only():
    with pytest.raises(RecordError, match="field 'online Brier score': is missing"):
        begin(BOTH, KNOWN, KNOWN).update(0.0, 0.0, 0.1)
    assert begin(Limits(), KNOWN, KNOWN).update(0.0, 0.0) == []


def test_one_bound_is_for_the_four_together():
    rot = begin(Limits(false_alarm_every=5_000), KNOWN, KNOWN)
    assert {detector.every for detector in rot.detectors.values()} == {20_000.0}
    assert list(rot.detectors) == ["paired", "reverse", "absolute_baseline", "absolute_online"]
    assert rot.off == {}


def test_without_a_reference_the_absolute_detector_is_off_and_says_why():
    rot = begin(BOTH, Reference(), Reference(0.985, 0.1))
    assert list(rot.detectors) == ["paired", "reverse"]
    assert rot.off == {
        "absolute_baseline": "no reference of its errors",
        "absolute_online": "its reference and what is tolerated reach 1, which no risk is above",
    }


def test_without_a_reference_of_brier_scores_the_absolute_detector_tests_errors_alone():
    rot = begin(BOTH, Reference(0.04), KNOWN)
    assert [len(detector.parts) for detector in rot.detectors.values()] == [2, 2, 1, 2]
    rot.update(1.0, 1.0, 0.1, 0.1)
    assert rot.detectors["absolute_baseline"].evidence > rot.detectors["absolute_online"].evidence > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tolerance": 0.0}, "setting tolerance = 0.0: must be at least 0.00125"),
        ({"tolerance": math.nan}, "setting tolerance = nan: must be at least 0.00125"),
        ({"tolerance": 1.0}, "setting paired_errors = 1.0: must be between -1 and 1"),
        ({"false_alarm_every": 0}, "setting tolerance = 0.01: must be at least inf"),
        ({"absolute_tolerance": -0.1}, "setting absolute_tolerance = -0.1: must be 0 or more"),
    ],
)
def test_limits_that_would_alarm_on_nothing_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        begin(Limits(**given), KNOWN, KNOWN)


def test_a_reference_that_is_no_risk_is_refused():
    with pytest.raises(SettingError, match="setting absolute_baseline_errors = nan"):
        begin(Limits(), Reference(math.nan), KNOWN)


def test_healthy_models_raise_nothing_at_all():
    chance = np.random.default_rng(1)
    rot = begin(BOTH, KNOWN, KNOWN)
    rows = losses(chance, 0.03, 0.03, 40_000)
    briers = (chance.random((40_000, 2)) ** 20).tolist()
    assert alarmed(rot, [row + brier for row, brier in zip(rows, briers, strict=True)]) == []
    assert rot.since_alarms() == {}
    assert rot.events == 40_000


@pytest.mark.parametrize(
    ("baseline", "online", "wanted"),
    [
        (0.12, 0.03, {"paired", "absolute_baseline"}),
        (0.15, 0.15, {"absolute_baseline", "absolute_online"}),
        (0.03, 0.12, {"reverse", "absolute_online"}),
    ],
)
def test_each_fault_alarms_the_detectors_that_it_should(baseline, online, wanted):
    chance = np.random.default_rng(2)
    rot = begin(Limits(), KNOWN, KNOWN)
    assert alarmed(rot, losses(chance, 0.03, 0.03, 3_000)) == []
    assert set(alarmed(rot, losses(chance, baseline, online, 600))) == wanted
    assert rot.since_alarms().keys() == wanted
    assert max(rot.since_alarms().values()) < 600


def test_an_alarm_says_when_the_change_began_and_how_long_ago_it_was_raised():
    chance = np.random.default_rng(3)
    rot = begin(Limits(), KNOWN, KNOWN)
    alarms = [alarm for p in (0.03, 0.20) for row in losses(chance, p, 0.03, 2_000) for alarm in rot.update(*row)]
    first = next(alarm for alarm in alarms if alarm.detector == "paired")
    last = [alarm for alarm in alarms if alarm.detector == "paired"][-1]
    assert abs(first.change - 2_000) <= 40
    assert 2_000 < first.event <= 2_200
    assert first.evidence >= 40_000 > first.odds > 1
    assert rot.since_alarms()["paired"] == 4_000 - last.event


def test_brier_scores_that_rise_without_errors_are_found_where_they_are_tested():
    rows = [[0.0, 0.0, 0.2, 0.02]] * 400
    assert "paired" in alarmed(begin(BOTH, KNOWN, KNOWN), rows)
    assert alarmed(begin(Limits(), KNOWN, KNOWN), rows) == []


def test_all_four_together_alarm_falsely_no_more_often_than_was_asked_for():
    # Every gap at its bound cannot be: the paired and the absolute one of the baseline are. 200,000 events: 20.
    chance = np.random.default_rng(4)
    found = 0
    for _ in range(10):
        rot = begin(Limits(absolute_tolerance=0.0), KNOWN, KNOWN)
        found += len(alarmed(rot, losses(chance, 0.04, 0.03, 20_000)))
    assert 1 <= found <= 20
