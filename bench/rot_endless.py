"""Ten million events: the evidence stays finite, and an event costs at the end what it cost at the beginning.

The four detectors and the promotion test, with the losses of two models that err in 3 of 100 events, independently; in
the sixth million the baseline always errs, as after a change that nobody acts on.
"""

import math
import time

import numpy as np

from bench.report import Figure, at_most
from stream.drift.bounded import Null
from stream.drift.eprocess import EProcess
from stream.drift.rot import Limits, Reference, begin

MILLIONS, PIECE = 10, 1_000_000
WRONG = 5
"""The million, from 0, in which the baseline always errs."""


def endless() -> list[Figure]:
    """CPU microseconds an event of each million, and whether all is finite."""
    chance = np.random.default_rng(31)
    rot = begin(Limits(), Reference(0.05), Reference(0.05))
    process = EProcess(Null("gain", -1.0, 1.0, 0.0))
    spent, steps = [], []
    finite = True
    for piece in range(MILLIONS):
        drawn = (chance.random((PIECE, 2)) < [1.0 if piece == WRONG else 0.03, 0.03]).astype(float).tolist()
        began = time.process_time()
        for baseline, online in drawn:
            rot.update(baseline, online)
        spent.append((time.process_time() - began) / PIECE * 1e6)
        began = time.process_time()
        for baseline, online in drawn:
            process.update(baseline - online)
        steps.append((time.process_time() - began) / PIECE * 1e6)
        evidence = [each for detector in rot.detectors.values() for each in (detector.evidence, detector.odds)]
        finite &= all(map(math.isfinite, [*evidence, process.log_evidence]))
        print(piece, f"{spent[-1]:.2f} {steps[-1]:.2f}", [f"{each:.3g}" for each in evidence], flush=True)
    return [
        Figure("four detectors, microseconds an event: first million", spent[0]),
        Figure("four detectors, microseconds an event: last million", spent[-1]),
        at_most("four detectors: last million against the first", spent[-1] / spent[0], 1.25),
        Figure("promotion test, microseconds an event: first million", steps[0]),
        Figure("promotion test, microseconds an event: last million", steps[-1]),
        at_most("promotion test: last million against the first", steps[-1] / steps[0], 1.25),
        Figure("logarithm of the promotion test's evidence at the end", process.log_evidence),
        at_most("evidence that is not finite", float(not finite), 0),
    ]
