"""Evidence without end, and in random orders; bench/rot_endless.py and bench/rot_replayed.py have more of both."""

import math

import msgspec
import numpy as np

from stream.drift.bounded import Null
from stream.drift.eprocess import EProcess
from stream.drift.evidence import Detector, Evidence
from stream.drift.rot import Limits, Reference, begin


def test_after_200000_events_all_evidence_is_finite_and_no_larger_a_state_than_it_was():
    chance = np.random.default_rng(1)
    rot, process = begin(Limits(), Reference(0.05), Reference(0.05)), EProcess(Null("gain", -1.0, 1.0, 0.0))
    sizes = []
    for rate in (0.03, 0.03, 1.0, 0.03):
        for baseline, online in (chance.random((50_000, 2)) < [rate, 0.03]).astype(float).tolist():
            rot.update(baseline, online)
            process.update(baseline - online)
        for detector in rot.detectors.values():
            assert all(map(math.isfinite, (detector.evidence, detector.odds)))
            assert all(0 <= level < 6 * detector.every for part in detector.parts for level in part.levels)
        assert math.isfinite(process.log_evidence)
        sizes.append(len(msgspec.json.encode([rot, process])))
    assert max(sizes) - min(sizes) < 300  # numbers have more digits or fewer; nothing is appended
    assert rot.detectors["paired"].alarms > 1_000


def test_losses_in_random_orders_whose_mean_is_the_bound_raise_no_more_alarms_than_that_allows():
    chance = np.random.default_rng(2)
    gap = np.repeat([1.0, -1.0, 0.0], [250, 150, 4_600])
    found = 0
    for _ in range(20):
        detector = Detector("paired", 2_000.0, [Evidence(Null("gap", -1.0, 1.0, float(gap.mean())))])
        found += sum(detector.update(x) is not None for x in chance.permutation(gap).tolist())
    assert 10 <= found <= 20 * len(gap) / 2_000
