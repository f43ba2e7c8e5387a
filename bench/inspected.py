"""Alerted events are inspected, others rarely: how soon rot is found by a draw of the labels, and by weights.

Labels of inspection probability p are drawn with p0 / p (stream/sample.py), or weigh p0 / p in the bets, or count as
they come, which they should not. The absolute detector alone, on losses that are drawn independently. Of rare
positives those that are found are all inspected, those missed with probability p0; of ordinary streams a tenth of the
events is flagged, all of that inspected. Weighted evidence has a clock of its own: each label adds what a drawn one
would, on average, so that the bound on false alarms is one and the same in events. The change comes after HEALTHY
events that would be drawn. Delays are in events (of rare streams: positives), labelled or not.
"""

import sys
from collections.abc import Callable
from typing import Literal

import numpy as np
from msgspec import Struct

from bench.report import Figure, at_most, publish
from stream.drift.bounded import Null
from stream.drift.rot import DETECTORS

How = Literal["drawn", "weighted", "as they come"]

RUNS = 200
HEALTHY = 200
LONGEST = 4_000
"""Events that would be drawn behind the change, after which no alarm is waited for."""

BLOCK = 2_000


class Case(Struct, frozen=True):
    """Shares of events: flagged, and of all those lost and flagged, lost and not; before the change and behind it."""

    name: str
    bound: float
    every: float
    before: tuple[float, float, float]
    after: tuple[float, float, float]


RARE = Case("positives, .3 missed -> .6", 0.38, 1_000.0, (0.7, 0.0, 0.3), (0.4, 0.0, 0.6))
CASES = [
    Case("errors .03 -> .10, of flagged and others", 0.05, 10_000.0, (0.1, 0.015, 0.015), (0.1, 0.05, 0.05)),
    Case("errors .03 -> .10, among others", 0.05, 10_000.0, (0.1, 0.015, 0.015), (0.1, 0.015, 0.085)),
    Case("errors .03 -> .10, among flagged", 0.05, 10_000.0, (0.1, 0.015, 0.015), (0.1, 0.085, 0.015)),
]


def inspected() -> list[Figure]:
    """Delays and false alarms of each way, and what weights would save."""
    figures = []
    for least in (0.02, 0.05, 0.1):
        figures += _compared(RARE, least)
        worst = (1 - RARE.bound, 0.0, RARE.bound)
        for how in ("drawn", "weighted"):
            early, _ = _run(Case("", RARE.bound, RARE.every / DETECTORS, worst, worst), least, how, 50 * HEALTHY)
            name = f"p0 = {least}, {how}: alarms in 1,000 drawn positives, .38 missed (the bound), N = 1,000"
            figures.append(at_most(name, float(early.mean()) / 10, 1.0))
    for case in CASES:
        figures += _compared(case, 0.05)
    return figures


def _compared(case: Case, least: float) -> list[Figure]:
    figures, medians = [], {}
    for how in ("drawn", "weighted", "as they come"):
        early, late = _run(case, least, how, HEALTHY)
        name = f"{case.name}, p0 = {least}, {how}"
        medians[how] = float(np.median(late))
        figures.append(Figure(f"{name}: median delay", medians[how]))
        figures.append(Figure(f"{name}: alarms before the change, a run", float(early.mean())))
    figures.append(Figure(f"{case.name}, p0 = {least}: drawn / weighted", medians["drawn"] / medians["weighted"]))
    return figures


def _run(case: Case, least: float, how: How, healthy: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each run the alarms before the change, and events from it to the first behind it; infinite for none."""
    chance = np.random.default_rng(5)
    null = Null("loss", 0.0, 1.0, case.bound)
    stakes, every = np.array(null.stakes()), DETECTORS * case.every
    levels, early, late = np.zeros((RUNS, len(stakes))), np.zeros(RUNS), np.full(RUNS, np.inf)
    change = -(-round(healthy / least) // BLOCK) * BLOCK
    behind = round(LONGEST / least) if healthy == HEALTHY else 0
    flagged = case.before[0]
    step = least / (flagged + (1 - flagged) * least) if how == "weighted" else 1.0
    draw = _events(case, least, how, chance)
    for begin in range(0, change + behind, BLOCK):
        for at, (counts, gain) in enumerate(draw(behind=begin >= change), start=begin):
            levels[counts] = (levels[counts] + step) * (1.0 + stakes * gain[counts, None])
            alarms = counts & (levels.mean(axis=1) >= every)
            if at < change:
                early += alarms
            else:
                late[alarms & np.isinf(late)] = at - change + 1
            levels[alarms] = 0.0
        if np.isfinite(late).all():
            break
    return early, late


def _events(case: Case, least: float, how: How, chance: np.random.Generator) -> Callable[..., zip]:  # type: ignore[type-arg]
    def draw(*, behind: bool) -> zip:  # type: ignore[type-arg]
        flags, lost_flagged, lost_other = case.after if behind else case.before
        flagged = chance.random((BLOCK, RUNS)) < flags
        lost = chance.random((BLOCK, RUNS)) < np.where(flagged, lost_flagged / flags, lost_other / (1 - flags))
        probability = np.where(flagged, 1.0, least)
        counts = chance.random((BLOCK, RUNS)) < (least if how == "drawn" else probability)
        weights = least / probability if how == "weighted" else np.ones((BLOCK, RUNS))
        return zip(counts, weights * (lost - case.bound), strict=True)

    return draw


if __name__ == "__main__":
    publish("inspected", inspected())
    sys.exit(0)
