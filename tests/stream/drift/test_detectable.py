"""How long a doubling of the baseline's errors takes to be found is told before it happens."""

import math

import numpy as np
import pytest

from stream.drift.bounded import Null
from stream.drift.detectable import doubling
from stream.drift.evidence import Detector, Evidence
from stream.drift.outcomes import Outcomes
from stream.drift.rot import Limits

LIMITS = Limits(false_alarm_every=1_000)
RUNS, HEALTHY = 60, 500


def simulated(null, values, before, after, chance):
    """Mean events from the change to the alarm."""
    delays = []
    for _ in range(RUNS):
        detector = Detector("simulated", 4_000.0, [Evidence(null)])
        for x in chance.choice(values, HEALTHY, p=before).tolist():
            detector.update(x)
        events = 0
        while True:
            events += 1
            if detector.update(float(chance.choice(values, p=after))) is not None:
                break
        delays.append(events)
    return float(np.mean(delays))


@pytest.mark.parametrize("now", [Outcomes(0.05, 0.05, 0.05), Outcomes(0.15, 0.15, 0.05), Outcomes(0.04, 0.06, 0.06)])
def test_the_delays_are_within_30_percent_of_simulated_ones(now):
    chance = np.random.default_rng(1)
    errors, then = now.baseline, now.doubled(LIMITS.tolerance)
    delays = doubling(now, LIMITS, errors + 0.01)
    shares = [[each.baseline_alone, 1 - each.disagreement, each.online_alone] for each in (now, then)]
    paired = simulated(Null("gap", -1.0, 1.0, LIMITS.tolerance), [1.0, 0.0, -1.0], *shares, chance)
    assert delays.paired == pytest.approx(paired, rel=0.3)
    null = Null("loss", 0.0, 1.0, errors + 0.01 + LIMITS.absolute_tolerance)
    absolute = simulated(null, [1.0, 0.0], [errors, 1 - errors], [2 * errors, 1 - 2 * errors], chance)
    assert delays.absolute == pytest.approx(absolute, rel=0.3)
    assert delays.first == min(delays.paired, delays.absolute)


def test_twice_the_errors_are_twice_the_errors_and_the_online_model_keeps_its_own():
    now = Outcomes(0.02, 0.03, 0.01)
    then = now.doubled(LIMITS.tolerance)
    assert then.baseline == pytest.approx(0.06)
    assert then.online == pytest.approx(0.04)
    assert Outcomes(0.6, 0.0, 0.2).doubled(0.01) == Outcomes(pytest.approx(0.8), 0.0, 0.2)
    assert Outcomes(1.0, 0.0, 0.0).doubled(0.01) == Outcomes(1.0, 0.0, 0.0)


def test_of_few_errors_the_rise_is_one_that_is_not_tolerated():
    few = Outcomes(0.002, 0.01, 0.001)
    assert few.doubled(0.01).baseline == pytest.approx(0.003 + 0.03)
    delays = doubling(few, Limits(), 0.01)
    assert 500 < delays.first < 3_000
    assert doubling(few, Limits(), 0.5).absolute == math.inf


@pytest.mark.parametrize("reference", [None, 0.99])
def test_without_a_reference_the_paired_detector_alone_counts(reference):
    delays = doubling(Outcomes(0.1, 0.05, 0.05), Limits(), reference)
    assert delays.absolute is None
    assert delays.first == delays.paired


def test_where_the_gap_is_beyond_what_is_tolerated_already_it_is_found_soon():
    assert doubling(Outcomes(0.10, 0.02, 0.02), Limits(), None).paired < 130
