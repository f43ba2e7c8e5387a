"""Labels that were chosen are found, labels that are late or come of other shares pass, and silence is noticed."""

import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from stream.drift.label_health import LabelHealth
from stream.drift.selection import EARLY, STRETCHES, Selection
from tests.stream.drift.labelling import called, choices, watch

NONE = np.zeros(20_000)


def first_choice(chosen, baseline, online, delays, partitions=1):
    """Labelled events when a choice is first declared, with it; None where none is."""
    for labels, health in watch(chosen, baseline, online, delays, partitions=partitions):
        if health.selected is not None:
            return labels, health.selected
    return None


def delays_by(chance, truth, slow, fast=50.0):
    """Exponential ones: of some 1,000 events for one class."""
    return np.where(truth == slow, chance.exponential(1_000.0, len(truth)), chance.exponential(fast, len(truth)))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("drift", [False, True])
@pytest.mark.parametrize("late", ["at once", "the rare class late", "the frequent class late"])
@pytest.mark.parametrize("partitions", [1, 7])
def test_labels_by_chance_are_never_declared_as_chosen(seed, drift, late, partitions):
    chance = np.random.default_rng(seed)
    share = np.where(np.arange(20_000) < 10_000, 0.1, 0.3) if drift else 0.1
    truth, baseline, online = called(chance, 20_000, share)
    delays = NONE if late == "at once" else delays_by(chance, truth, late == "the rare class late")
    chosen = choices(chance, baseline, online)["random"]
    assert first_choice(chosen, baseline, online, delays, partitions) is None


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("partitions", [1, 7])
@pytest.mark.parametrize(
    ("how", "by"),
    [
        ("flagged", "baseline"),
        ("flagged by the online model", "online"),
        ("disagreements", "disagreement"),
        ("disagreements on top", "disagreement"),
    ],
)
def test_labels_by_choice_are_declared_within_1000_of_them_and_by_what_they_were_chosen(how, by, late, partitions):
    for seed in range(3):
        chance = np.random.default_rng(seed)
        truth, baseline, online = called(chance, 20_000)
        delays = delays_by(chance, truth, slow=True) if late else NONE
        chosen = choices(chance, baseline, online)[how]
        labels, found = first_choice(chosen, baseline, online, delays, partitions)
        assert labels <= 1_000
        assert found.by == by


def test_what_is_declared_is_said_with_figures():
    chance = np.random.default_rng(1)
    _, baseline, online = called(chance, 10_000)
    health = [each for _, each in watch(baseline, baseline, online, NONE)][-1]
    assert health.selected.sentence == (
        "labels were chosen by what the baseline called, 0% of what it called 'ham' have one and 100% of the rest"
    )


def test_shares_are_told_by_answer_once_labels_had_time_to_come():
    chance = np.random.default_rng(2)
    _, baseline, online = called(chance, 20_000)
    states = [(health.share, health) for _, health in watch(chance.random(20_000) < 0.2, baseline, online, NONE)]
    assert states[0][0] is None
    share, health = states[-1]
    assert share == pytest.approx(0.2, abs=0.02)
    assert health.shares.baseline.keys() == health.shares.online.keys() == {"ham", "spam"}
    assert health.shares.agreement == pytest.approx({"agree": 0.2, "disagree": 0.2}, abs=0.05)


def test_silence_is_noticed_and_over_with_the_next_label():
    chance = np.random.default_rng(3)
    _, baseline, online = called(chance, 20_000)
    chosen = (chance.random(20_000) < 0.2) & (np.arange(20_000) < 10_000)
    delays = chance.exponential(100.0, 20_000)
    silent = [health.silent(100.0 * at) for at, (_, health) in enumerate(watch(chosen, baseline, online, delays), 1)]
    begun = silent.index(True) * 100
    assert 10_000 < begun < 11_500
    assert all(silent[begun // 100 :])
    *_, (_, health) = watch(chosen, baseline, online, delays)
    assert health.age(20_000.0) > 9_000
    health.passed(100, 1, 20_100.0)
    assert not health.silent(20_100.0)


def test_a_stream_without_events_is_not_silent_for_lack_of_labels():
    health = LabelHealth()
    assert not health.silent(1e9)
    assert health.age(1e9) is None
    for at in range(100):
        health.passed(1, 1, float(at))
        health.labelled(0, at, float(at), float(at), baseline="ham", online="ham")
    assert not health.silent(1e9)


def test_labels_that_silence_implies_are_labels_but_nobody_reports_them():
    health = LabelHealth()
    health.scored(0, 0, 99, {"ham": {"ham": 100}})
    health.labelled(0, 5, 5.0, 605.0, baseline="ham", online="ham", implied=True)
    assert health.age(1_000.0) is None
    assert health.delays.quantile(0.5) is None
    assert health.labels == 1


def test_the_time_until_so_many_labels_is_by_their_rate_and_delay():
    health = LabelHealth()
    assert health.until(10.0) == math.inf
    for at in range(3_000):
        health.labelled(0, at, 60.0 * at, 60.0 * at + 600.0, baseline=None, online="ham")
        health.passed(10, 1, 60.0 * at)
    assert health.until(100.0) == pytest.approx(6_600.0, rel=0.02)
    assert health.delays.quantile(0.5) == pytest.approx(600.0, rel=0.05)


def test_stretches_that_wait_are_bounded_and_none_of_their_events_is_lost():
    selection = Selection()
    for _ in range(2_000):
        selection.lags.update(50_000.0)
    for at in range(0, 60_000, 100):
        selection.scored(0, at, at + 99, {"ham": {"ham": 90, "spam": 10}})
        assert len(selection.lanes[0].waiting) <= STRETCHES
    assert selection.lanes[0].waiting[0].first == 0
    scored = [sum(stretch.scored["ham"].values()) for stretch in selection.lanes[0].waiting]
    assert sum(scored) == 60_000
    selection.labelled(0, 12_345, "ham", "spam")
    assert sum("ham" in stretch.labelled for stretch in selection.lanes[0].waiting) == 1
    assert all(a.last + 1 == b.first for a, b in pairwise(selection.lanes[0].waiting))


def test_labels_that_come_before_their_profile_wait_for_it_and_are_bounded():
    selection = Selection()
    for at in range(2 * EARLY):
        selection.labelled(0, at, "ham", "ham")
    assert len(selection.lanes[0].early) == EARLY
    selection.scored(0, 0, 2 * EARLY - 101, {"ham": {"ham": 2 * EARLY - 100}})
    assert selection.lanes[0].waiting[0].labelled == {"ham": {"ham": EARLY - 100}}
    assert len(selection.lanes[0].early) == 100


@pytest.mark.parametrize("cut", [0, 2_300, 5_000])
def test_a_state_that_goes_through_json_anywhere_is_bit_equal_to_one_pass(cut):
    chance = np.random.default_rng(4)
    _, baseline, online = called(chance, 8_000)
    chosen = choices(chance, baseline, online)["flagged"]
    delays = np.zeros(8_000)
    *_, (_, whole) = watch(chosen, baseline, online, delays)
    parts = LabelHealth()
    for begin, end in ((0, cut), (cut, 8_000)):
        parts = msgspec.json.decode(msgspec.json.encode(parts), type=LabelHealth)
        for _ in watch(chosen[begin:end], baseline[begin:end], online[begin:end], delays[begin:end], parts, begin):
            pass
    assert msgspec.json.encode(parts) == msgspec.json.encode(whole)
    assert parts.selected == whole.selected
