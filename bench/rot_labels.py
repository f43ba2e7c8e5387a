"""Labels that were chosen: how soon that is declared, how often falsely; delays told beforehand; what it all costs.

Simulated streams of two classes, one in ten of the rarer one, on which both models err in 5 of 100 events,
independently. Profiles of 100 events. The tests' streams (tests/stream/drift/labelling.py).
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.many_runs import Inputs, alarms
from bench.report import Figure, at_most
from bench.watched import FEATURES, REFERENCE, World
from bench.worlds import Array, Chance
from stream.drift.bounded import Null
from stream.drift.detectable import doubling
from stream.drift.label_health import LabelHealth
from stream.drift.outcomes import Outcomes
from stream.drift.rot import DETECTORS, Limits
from stream.drift.selection import Chosen
from stream.drift.slices import Slices
from stream.drift.unlabelled import DisagreementEstimate, OnlineAsJudgeEstimate
from stream.drift.value import Value
from stream.features import Row
from stream.reference import Histogram
from stream.training.reference import reference
from tests.stream.drift.labelling import called, choices, watch

RUNS, EVENTS = 200, 20_000
FEW = 20
LATE = {
    "at once": None,
    "the rare class some 1,000 events late": True,
    "the frequent class some 1,000 events late": False,
}


def chosen() -> list[Figure]:
    """False declarations with 20% labelled at random; labels until a choice is declared, and by what."""
    figures = []
    for shares, flagged in (
        ("", 0.1),
        (", shares of classes x3 half-way", np.where(np.arange(EVENTS) < 10_000, 0.1, 0.3)),
    ):
        for late, slow in LATE.items():
            found = [_declared(seed, "random", slow, flagged) for seed in range(RUNS)]
            false = sum(one is not None for one in found)
            figures.append(at_most(f"{RUNS} runs labelled at random, {late}{shares}: false declarations", false, 0))
    for how, by in (
        ("flagged", "baseline"),
        ("flagged by the online model", "online"),
        ("disagreements", "disagreement"),
        ("disagreements on top", "disagreement"),
    ):
        for late, slow in list(LATE.items())[:2]:
            found = [_declared(seed, how, slow, 0.1) for seed in range(FEW)]
            labels = [one[0] if one is not None else float("inf") for one in found]
            figures += [
                at_most(f"{FEW} runs, labels for {how}, {late}: most labels until declared", max(labels), 1_000),
                at_most(
                    f"{FEW} runs, labels for {how}, {late}: declared as something else",
                    sum(one is None or one[1].by != by for one in found),
                    0,
                ),
            ]
    return figures


def _declared(seed: int, how: str, slow: bool | None, flagged: Any) -> tuple[int, Chosen] | None:
    chance = np.random.default_rng(seed)
    truth, baseline, online = called(chance, EVENTS, flagged)
    delays = np.zeros(EVENTS)
    if slow is not None:
        delays = np.where(truth == slow, chance.exponential(1_000.0, EVENTS), chance.exponential(50.0, EVENTS))
    for labels, health in watch(choices(chance, baseline, online)[how], baseline, online, delays):
        if (one := health.selected) is not None:
            return labels, one
    return None


# ------------------------------------------------------------------------------------------- delays told beforehand

NOW = {
    "errors .03 and .03, half shared": Outcomes(0.015, 0.015, 0.015),
    "errors .05 and .05, none shared": Outcomes(0.05, 0.05, 0.0),
    "errors .10 and .10, half shared": Outcomes(0.05, 0.05, 0.05),
    "errors .20 and .20, half shared": Outcomes(0.10, 0.10, 0.10),
    "errors .30 and .25, most shared": Outcomes(0.10, 0.05, 0.20),
    "errors .05 and .10, some shared": Outcomes(0.03, 0.08, 0.02),
    "errors .02 and .01, half shared": Outcomes(0.015, 0.005, 0.005),
}
SIMULATED, HEALTHY = 200, 4_000


def told() -> list[Figure]:
    """How far the delay of a doubling, as told beforehand, is from the mean of SIMULATED runs: shares of it.

    The reference is the errors and .01. What takes more than 20,000 events is not simulated.
    """
    chance = np.random.default_rng(1)
    limits, figures = Limits(), []
    every = float(DETECTORS * limits.false_alarm_every)
    for name, now in NOW.items():
        then, errors = now.doubled(limits.tolerance), now.baseline
        delays = doubling(now, limits, errors + 0.01)
        gap = Null("gap", -1.0, 1.0, limits.tolerance)
        loss = Null("loss", 0.0, 1.0, errors + 0.01 + limits.absolute_tolerance)
        assert delays.absolute is not None
        for detector, null, values, shares, told_ in (
            (
                "paired",
                gap,
                [1.0, 0.0, -1.0],
                [[o.baseline_alone, 1 - o.disagreement, o.online_alone] for o in (now, then)],
                delays.paired,
            ),
            ("absolute", loss, [1.0, 0.0], [[e, 1 - e] for e in (errors, 2 * errors)], delays.absolute),
        ):
            if told_ > 20_000:
                figures.append(Figure(f"{name}, {detector}: events told", told_))
                continue
            mean = _simulated(chance, null, every, values, shares, round(6 * told_))
            figures += [
                Figure(f"{name}, {detector}: events simulated", mean),
                at_most(f"{name}, {detector}: told, off by a share of", abs(told_ / mean - 1), 0.30),
            ]
    return figures


def _simulated(
    chance: Chance, null: Null, every: float, values: Sequence[float], shares: list[list[float]], events: int
) -> float:
    # Where it is beyond the bound already, alarms come and it begins anew: delays are from such a beginning.
    before = HEALTHY if np.dot(values, shares[0]) < null.bound else 0
    drawn = [chance.choice(values, (SIMULATED, size), p=p) for size, p in zip((before, events), shares, strict=True)]
    found: Array = alarms(Inputs(np.hstack(drawn), [null] * SIMULATED), every)[:, before:]
    return float(np.where(found.any(axis=1), found.argmax(axis=1) + 1.0, events).mean())


# ------------------------------------------------------------------------------------------- cost


def cost() -> list[Figure]:
    """CPU microseconds an event, best of five: slices of 30 columns, and all the rest."""
    rows = World(1).rows(EVENTS)
    known = reference(FEATURES, pd.DataFrame(rows[:REFERENCE]), np.random.default_rng(1).random(REFERENCE)).histograms
    losses = (np.random.default_rng(2).random((EVENTS, 2)) < [0.1, 0.05]).astype(float).tolist()
    spent = {
        "slices of 30 columns": _spent(lambda: _sliced(rows, known, losses)),
        "health of labels, every event labelled": _spent(_labelled),
        "served and replaced": _spent(lambda: _valued(losses)),
        "estimates without labels": _spent(lambda: _guessed(losses)),
    }
    return [
        at_most(f"microseconds an event, {name}", each, 5.0)
        if name.startswith("slices")
        else Figure(f"microseconds an event, {name}", each)
        for name, each in spent.items()
    ]


def _sliced(rows: list[Row], known: dict[str, Histogram], losses: list[list[float]]) -> None:
    slices = Slices(FEATURES, known)
    for row, (baseline, online) in zip(rows, losses, strict=True):
        slices.update(row, baseline, online)


def _labelled() -> None:
    health = LabelHealth()
    for at in range(EVENTS):
        if at % 100 == 0:
            health.scored(0, at, at + 99, {"ham": {"ham": 80, "spam": 5}, "spam": {"ham": 5, "spam": 10}})
            _ = health.selected
        health.labelled(0, at, float(at), float(at + 100), baseline="ham", online="spam" if at % 10 == 0 else "ham")


def _valued(losses: list[list[float]]) -> None:
    value = Value()
    for baseline, online in losses:
        value.update(baseline, online, online)


def _guessed(losses: list[list[float]]) -> None:
    disagreement, judge = DisagreementEstimate(40_000.0), OnlineAsJudgeEstimate()
    for at, (baseline, _) in enumerate(losses):
        if at % 100 == 0:
            disagreement.update(5, 100)
            judge.scored(7.0, 100)
        judge.labelled(0.07, baseline)


def _spent(run: Callable[[], None]) -> float:
    """Microseconds an event."""
    times = []
    for _ in range(5):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    return min(times) / EVENTS * 1e6
