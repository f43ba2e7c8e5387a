"""What the rot monitor would do on simulated events: how often it alarms falsely, and how soon it finds a rise.

Many runs at once, by the recursion of stream/drift/evidence.py, so that millions of events take seconds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stream.drift.bounded import Null
from stream.drift.outcomes import Outcomes
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE, Limits, Reference, begin
from stream.errors import SettingError
from stream.risk import LEAST_JUDGED, risk

Array = np.ndarray[Any, np.dtype[Any]]

HEALTHY_RUNS, HEALTHY_EVENTS = 200, 20_000
"""Runs in which nothing happens."""

RUNS, BEFORE, EVENTS = 200, 1_000, 20_000
"""Runs in which the errors rise, events before the rise, and events after it at most."""

PIECE = 1_000
"""Events drawn at once."""


def outcomes(baseline: float, online: float, disagreement: float | None) -> Outcomes:
    """By error shares, and by the share of events on which exactly one model errs; None: they err independently.

    Raises SettingError for shares that cannot be.
    """
    for name, share in (("--baseline-errors", baseline), ("--online-errors", online)):
        if not 0 < share <= 0.5:
            raise SettingError(name, share, "a share above 0, and at most 0.5")
    if disagreement is None:
        disagreement = baseline + online - 2 * baseline * online
    low, high = abs(baseline - online), baseline + online
    if not low <= disagreement <= high:
        wanted = f"from {low:g} to {high:g}, as the models err on {baseline:g} and {online:g} of the events"
        raise SettingError("--disagreement", disagreement, wanted)
    both = (high - disagreement) / 2
    return Outcomes(baseline - both, online - both, both)


NAMES = (PAIRED, REVERSE, BASELINE, ONLINE)


class Many:
    """Detectors side by side, one a null, each with the same threshold."""

    def __init__(self, nulls: Sequence[Null], every: float) -> None:
        self.every = every
        self._stakes = np.array([null.stakes() for null in nulls])
        self._bounds = np.array([null.bound for null in nulls])
        self._levels = np.zeros_like(self._stakes)

    def update(self, values: Array) -> Array:
        """Take in values of shape (detectors, events); where each alarms."""
        found = np.zeros(values.shape, dtype=bool)
        levels, stakes = self._levels, self._stakes
        for event, gain in enumerate(np.ascontiguousarray(values.T) - self._bounds):
            levels += 1.0
            levels *= 1.0 + stakes * gain[:, None]
            over = levels.mean(axis=1) >= self.every
            if over.any():
                found[over, event] = True
                levels[over] = 0.0
        return found


class Monitors:
    """So many rot monitors with the same limits, each with references of its own."""

    def __init__(self, limits: Limits, chance: np.random.Generator, healthy: Outcomes, runs: int, judged: int) -> None:
        self.runs = runs
        nulls = []
        places = []
        for run in range(runs):
            references = (Reference(_reference(chance, share, judged)) for share in (healthy.baseline, healthy.online))
            rot = begin(limits, *references)
            self.every = rot.detectors[PAIRED].every
            for place, name in enumerate(NAMES):
                if name in rot.detectors:
                    nulls.append(rot.detectors[name].parts[0].null)
                    places.append((place, run))
        self._places, self._of_runs = np.array(places).T
        self._many = Many(nulls, self.every)

    def update(self, baseline: Array, online: Array, *, reverse: bool = True) -> Array:
        """Take in losses of shape (runs, events); how many alarms each event raises; without ``reverse``, others."""
        values = np.stack([baseline - online, online - baseline, baseline, online])
        hits = self._many.update(values[self._places, self._of_runs])
        hits[self._places == NAMES.index(REVERSE)] &= reverse
        found = np.zeros(baseline.shape, dtype=int)
        np.add.at(found, self._of_runs, hits)
        return found


def _reference(chance: np.random.Generator, share: float, judged: int) -> float | None:
    if judged < LEAST_JUDGED:
        return None
    wrong = int(chance.binomial(judged, share))
    return risk(np.repeat([1.0, 0.0], [wrong, judged - wrong])).high


def false_alarms(limits: Limits, healthy: Outcomes, judged: int, seed: int) -> int:
    """Alarms in HEALTHY_RUNS runs of HEALTHY_EVENTS events in which nothing changes."""
    chance = np.random.default_rng(seed)
    monitors = Monitors(limits, chance, healthy, HEALTHY_RUNS, judged)
    pieces = (healthy.draw(chance, HEALTHY_RUNS, PIECE) for _ in range(HEALTHY_EVENTS // PIECE))
    return sum(int(monitors.update(*piece).sum()) for piece in pieces)


def delays(limits: Limits, healthy: Outcomes, after: Outcomes, judged: int, seed: int) -> Array:
    """Events from a change for the worse to the first alarm behind it, in each of RUNS runs; infinite beyond EVENTS.

    That the online model is the worse one, as it may have been before, is no such alarm.
    """
    chance = np.random.default_rng(seed)
    monitors = Monitors(limits, chance, healthy, RUNS, judged)
    monitors.update(*healthy.draw(chance, RUNS, BEFORE))
    late = np.full(RUNS, np.inf)
    for begin_at in range(0, EVENTS, PIECE):
        found = monitors.update(*after.draw(chance, RUNS, PIECE), reverse=False) > 0
        new = np.isinf(late) & found.any(axis=1)
        late[new] = begin_at + found[new].argmax(axis=1) + 1
        if np.isfinite(late).all():
            break
    return late
