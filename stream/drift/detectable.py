"""How many events it would take to find that the baseline errs twice as often: an estimate, not a guarantee."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from stream.drift.bounded import BETS, Null
from stream.drift.outcomes import Outcomes
from stream.drift.rot import DETECTORS, Limits

Array = np.ndarray[Any, np.dtype[Any]]

PLACES = 160
"""Levels of evidence between none and the threshold for which the time left is found."""

BEST = BETS / 2
"""The mean of the evidence of all stakes reaches the threshold about when the best one's is so many times as high."""

HEALTHY = 1 << 12
"""Events before the change, after which the evidence is as it usually is."""

NEVER = 1e7
"""Events after which nobody waits any longer."""


class Delays(Struct, frozen=True):
    """Labelled events, on average, until a doubling is found; infinite where it never is, None where a detector is off.

    Within 30% of what is simulated, where the models' errors do not depend on one another over time; counted from where
    evidence begins anew if the gap is beyond what is tolerated already.
    """

    paired: float
    absolute: float | None

    @property
    def first(self) -> float:
        """Of the one that finds it first."""
        return self.paired if self.absolute is None else min(self.paired, self.absolute)


def doubling(now: Outcomes, limits: Limits, reference: float | None) -> Delays:
    """The delays of the paired and of the baseline's absolute detector, by errors alone.

    ``reference``: the upper bound of the baseline's risk that its absolute detector has, None where it is off.

    >>> delays = doubling(Outcomes(0.05, 0.05, 0.05), Limits(), 0.11)
    >>> [round(delay) for delay in (delays.paired, delays.absolute)]
    [287, 356]
    """
    then, every = now.doubled(limits.tolerance), float(DETECTORS * limits.false_alarm_every)
    null = Null("gap", -1.0, 1.0, limits.tolerance)
    paired = delay(null, every, [1.0, 0.0, -1.0], _paired(now), _paired(then))
    if reference is None or reference + limits.absolute_tolerance >= 1.0:
        return Delays(paired, None)
    null = Null("loss", 0.0, 1.0, reference + limits.absolute_tolerance)
    errors, doubled = now.baseline, then.baseline
    return Delays(paired, delay(null, every, [1.0, 0.0], [errors, 1 - errors], [doubled, 1 - doubled]))


def delay(null: Null, every: float, values: Sequence[float], before: Sequence[float], after: Sequence[float]) -> float:
    """Events until a Detector alarms, on average, when x goes over from ``before`` to ``after``: shares of ``values``.

    The evidence of one stake is a Markov chain. Its mean time to the threshold solves a linear system over PLACES
    levels, evenly spaced in logarithms; the best stake counts.
    """
    times = []
    mean = float(np.dot(values, before))
    for stake in null.stakes():
        levels = np.linspace(0.0, math.log1p(BEST * every), PLACES)
        factors = [1.0 + stake * (value - null.bound) for value in values]
        start = np.zeros(PLACES)
        start[0] = 1.0
        if mean < null.bound:  # else it alarms again and again, and begins anew each time
            usual = _steps(levels, factors, before)
            usual /= usual.sum(axis=1, keepdims=True)
            start = np.linalg.matrix_power(usual, HEALTHY)[0]
        try:
            left = np.linalg.solve(np.eye(PLACES) - _steps(levels, factors, after), np.ones(PLACES))
        except np.linalg.LinAlgError:  # nothing ever leads to the threshold, as where nothing can rise
            times.append(math.inf)
            continue
        time = float(start @ left)
        times.append(time if 0.0 < time < NEVER else math.inf)
    return min(times)


def _steps(levels: Array, factors: Sequence[float], shares: Sequence[float]) -> Array:
    """How likely the evidence goes from each level to each other one; the rest is to the threshold."""
    made = np.zeros((PLACES, PLACES))
    for factor, share in zip(factors, shares, strict=True):
        reached = levels + math.log(factor)  # log((R + 1) factor), while levels are log(R + 1)
        reached = np.log1p(np.exp(reached))
        inside = reached < levels[-1]
        place = reached[inside] / levels[1]
        below = np.minimum(place.astype(int), PLACES - 2)
        rows = np.flatnonzero(inside)
        np.add.at(made, (rows, below), share * (1 - (place - below)))
        np.add.at(made, (rows, below + 1), share * (place - below))
    return made


def _paired(outcomes: Outcomes) -> list[float]:
    return [outcomes.baseline_alone, 1 - outcomes.disagreement, outcomes.online_alone]
