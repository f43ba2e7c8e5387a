"""The detectors, the interval and the promotion test, for many runs at once.

The real ones would take hours. In every call some runs are done by the real one too, and must end alike.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from bench.worlds import Array, Losses
from stream.drift.bounded import Bounded, Null
from stream.drift.contenders import WINDOW, window
from stream.drift.eprocess import compare
from stream.drift.evidence import Detector, Evidence
from stream.drift.interval import PRICES, RATES, Interval
from stream.drift.simulation import Many
from stream.risk import risk

COMPARED = 3
"""Runs of each call that the real class does too."""

JUDGED, TOLERATED = 1_000, 0.020
"""Rows that an absolute reference is taken from, and what is tolerated above its upper end."""


class Inputs(Struct, frozen=True):
    """Values of shape (runs, events), with the null of each run."""

    values: Array
    nulls: Sequence[Null]


def alarms(inputs: Inputs, every: float) -> Array:
    """Of shape (runs, events): where the detector alarms."""
    found = Many(inputs.nulls, every).update(inputs.values)
    for run, null in enumerate(inputs.nulls[:COMPARED]):
        detector = Detector("real", every, [Evidence(null)])
        real = [detector.update(x) is not None for x in inputs.values[run].tolist()]
        assert real == found[run].tolist(), f"run {run} of {null} differs from the real detector"
    return found


def paired(losses: Losses, delta: float = 0.010) -> Inputs:
    """What the paired detector takes."""
    gap = losses.baseline - losses.online
    return Inputs(gap, [Null("gap", -1.0, 1.0, delta)] * len(gap))


def reverse(losses: Losses, delta: float = 0.010) -> Inputs:
    """What the reverse detector takes."""
    return paired(Losses(losses.online, losses.baseline), delta)


def absolute(errors: Array, bounds: Array) -> Inputs:
    """What an absolute detector takes; a bound a run."""
    return Inputs(errors, [Null("loss", 0.0, 1.0, bound) for bound in bounds.tolist()])


def references(errors: Array) -> Array:
    """The upper end of each run's risk on the rows that are judged, which came before."""
    wrongs = errors.sum(axis=1).astype(int).tolist()
    rows = errors.shape[1]
    known = {wrong: risk(np.repeat([1.0, 0.0], [wrong, rows - wrong])).high for wrong in set(wrongs)}
    return np.array([known[wrong] for wrong in wrongs])


def windows(losses: Losses, bounds: Array, *, gap: bool) -> Array:
    """Of shape (runs, events): where a fixed window alarms; a bound a run."""
    values = losses.baseline - losses.online if gap else losses.baseline
    sums = np.concatenate([np.zeros((len(values), 1)), values.cumsum(axis=1)], axis=1)
    over = sums[:, WINDOW:] - sums[:, :-WINDOW] > (bounds * WINDOW)[:, None]
    found = np.zeros(values.shape, dtype=bool)
    for run, hits in enumerate(over):
        places = hits.nonzero()[0] + WINDOW - 1
        at = 0
        while at < len(places):
            found[run, places[at]] = True
            at = int(np.searchsorted(places, places[at] + WINDOW))
    for run in range(min(COMPARED, len(values))):
        step = window(float(bounds[run]), gap=gap)
        pairs = zip(losses.baseline[run].tolist(), losses.online[run].tolist(), strict=True)
        assert [step(*pair) for pair in pairs] == found[run].tolist(), f"run {run} differs from the real window"
    return found


def _log_mean(logs: Array) -> Array:
    """The logarithms of the means over the last axis of what these are the logarithms of."""
    largest = logs.max(axis=1)
    found: Array = largest + np.log(np.exp(logs - largest[:, None]).mean(axis=1))
    return found


class Held(Struct, frozen=True):
    """Whether an interval held the average mean at every event of its run, and its width at the end, of all runs."""

    always: Array
    widths: Array


def intervals(values: Array, means: Array) -> Held:
    """The interval of the gap for each run, against the true conditional means."""
    numbers = np.arange(1, values.shape[1] + 1)
    always, widths = [], []
    for xs, means_of_run in zip(values, means, strict=True):
        sums = xs.cumsum()
        before = np.concatenate([[0.0], sums[:-1] / numbers[:-1]])
        varied = ((xs - before) ** 2).cumsum() / 4
        far = np.abs(sums - means_of_run.cumsum()) / 2
        logs = far[:, None] * np.array(RATES) - varied[:, None] * np.array(PRICES)
        always.append(bool((_log_mean(logs) < math.log(40)).all()))
        interval = Interval(Bounded("gap", -1.0, 1.0))
        for x in xs.tolist():
            interval.update(x)
        low, high = interval.bounds()
        assert abs(interval.variation / 4 - varied[-1]) < 1e-6, "the real interval has another variation"
        inside = low <= means_of_run.mean() <= high
        assert inside == (_log_mean(logs)[-1] < math.log(40)), "the real one differs"
        widths.append(high - low)
    return Held(np.array(always), np.array(widths))


class Decided(Struct, frozen=True):
    """The decision of each run and the event at which it fell, which is one more than there are where none fell."""

    decisions: list[str | None]
    events: Array


def decisions(gains: Array, alpha: float, worth: float = 0.005) -> Decided:
    """The promotion test of each run."""
    stakes = np.array(compare(alpha).better.stakes)
    found: list[str | None] = []
    at = []
    for run, xs in enumerate(gains):
        n = len(xs)
        sums, numbers = xs.cumsum(), np.arange(1, n + 1)
        varied = ((xs - np.concatenate([[0.0], sums[:-1] / numbers[:-1]])) ** 2).cumsum() / 4
        far = (numbers * worth - sums) / 2
        logs = far[:, None] * np.array(RATES) - varied[:, None] * np.array(PRICES)
        futile = (far > 0) & (_log_mean(logs) >= math.log(40))
        better, worse = (
            _log_mean(np.log1p(sign * xs[:, None] * stakes).cumsum(axis=0)) >= -math.log(alpha) for sign in (1, -1)
        )
        first = {
            name: int(hits.argmax()) + 1 if hits.any() else n + 1
            for name, hits in (("promote", better), ("worse", worse), ("futile", futile))
        }
        name = min(first, key=lambda one: first[one])
        found.append(name if first[name] <= n else None)
        at.append(first[name])
        if run < COMPARED:
            promotion = compare(alpha, worth=worth)
            real = [promotion.update(x) for x in xs.tolist()]
            place = next((place for place, said in enumerate(real, start=1) if said), n + 1)
            assert (promotion.decision, place) == (found[-1], at[-1]), f"run {run} differs from the real test"
    return Decided(found, np.array(at))
