"""The simulation does what the rot monitor does, and draws what it was asked for."""

import numpy as np
import pytest

from stream.drift.outcomes import Outcomes
from stream.drift.rot import BASELINE, ONLINE, PAIRED, Limits, begin
from stream.drift.simulation import Monitors, delays, false_alarms, outcomes
from stream.errors import SettingError

LIMITS = Limits(false_alarm_every=500, tolerance=0.03)
UNEQUAL = Outcomes(0.2, 0.05, 0.02)


def test_simulated_monitors_alarm_at_the_same_events_as_the_real_ones(monkeypatch):
    made = []

    def kept(*settings):
        made.append(begin(*settings))
        return made[-1]

    monkeypatch.setattr("stream.drift.simulation.begin", kept)
    chance = np.random.default_rng(1)
    monitors = Monitors(LIMITS, chance, Outcomes(0.02, 0.02, 0.02), 5, 700)
    losses = [UNEQUAL.draw(chance, 5, 400) for _ in range(2)]
    found = np.concatenate([monitors.update(*piece) for piece in losses], axis=1)
    baseline, online = (np.concatenate(each, axis=1) for each in zip(*losses, strict=True))
    for run, rot in enumerate(made):
        assert set(rot.detectors) >= {PAIRED, BASELINE, ONLINE}
        real = [len(rot.update(*pair)) for pair in zip(baseline[run].tolist(), online[run].tolist(), strict=True)]
        assert found[run].tolist() == real
        assert sum(real) > 5


def test_without_enough_judged_rows_the_absolute_detectors_are_off():
    both = Outcomes(0.0, 0.0, 0.4)
    [worse] = (np.ones((1, 500)),)
    found = [
        Monitors(LIMITS, np.random.default_rng(1), both, 1, judged).update(worse, worse).sum() for judged in (0, 500)
    ]
    assert found[0] == 0
    assert found[1] > 0


@pytest.mark.parametrize("disagreement", [None, 0.05, 0.10, 0.12])
def test_shares_are_those_that_were_asked_for(disagreement):
    made = outcomes(0.08, 0.04, disagreement)
    assert (made.baseline, made.online) == pytest.approx((0.08, 0.04))
    assert made.disagreement == pytest.approx(disagreement or 0.08 * 0.96 + 0.04 * 0.92)
    baseline, online = made.draw(np.random.default_rng(1), 100, 5_000)
    assert baseline.mean() == pytest.approx(0.08, abs=0.002)
    assert online.mean() == pytest.approx(0.04, abs=0.002)
    assert (baseline != online).mean() == pytest.approx(made.disagreement, abs=0.002)
    assert made.rotten(3).baseline == pytest.approx(0.24)
    assert made.rotten(3).online == pytest.approx(0.04)
    assert (made.harder(2).baseline, made.harder(2).online) == pytest.approx((0.16, 0.08))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((0.0, 0.1, None), "--baseline-errors"),
        ((0.1, 0.6, None), "--online-errors"),
        ((float("nan"), 0.1, None), "--baseline-errors"),
        ((0.1, 0.05, 0.04), "--disagreement"),
        ((0.1, 0.05, 0.16), "--disagreement"),
    ],
)
def test_shares_that_cannot_be_are_named(words, named):
    with pytest.raises(SettingError) as error:
        outcomes(*words)
    assert error.value.key == named


def test_a_greater_rise_is_found_sooner_and_seeds_tell(monkeypatch):
    monkeypatch.setattr("stream.drift.simulation.RUNS", 20)
    healthy = outcomes(0.03, 0.03, None)
    late = [delays(Limits(), healthy, healthy.rotten(times), 500, 1) for times in (3, 6)]
    assert np.isfinite(late).all()
    assert np.median(late[1]) < np.median(late[0]) < 1_000
    assert delays(Limits(), healthy, healthy.rotten(3), 500, 1).tolist() == late[0].tolist()
    assert delays(Limits(), healthy, healthy.rotten(3), 500, 2).tolist() != late[0].tolist()


def test_that_the_online_model_is_worse_all_along_is_no_rise_of_the_baselines_errors(monkeypatch):
    monkeypatch.setattr("stream.drift.simulation.RUNS", 20)
    healthy = outcomes(0.03, 0.10, None)
    late = [np.median(delays(Limits(), healthy, healthy.rotten(times), 500, 1)) for times in (2, 3)]
    assert late[1] < late[0]


def test_false_alarms_are_no_more_than_the_bound(monkeypatch):
    monkeypatch.setattr("stream.drift.simulation.HEALTHY_RUNS", 40)
    monkeypatch.setattr("stream.drift.simulation.HEALTHY_EVENTS", 5_000)
    boundary = outcomes(0.13, 0.10, 0.15)
    found = false_alarms(LIMITS, boundary, 500, 1)
    assert 0 < found <= 40 * 5_000 / 500
