"""Streams that are labelled by chance or by choice, soon or late."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stream.drift.label_health import LabelHealth

EVERY = 100
NAMES = ["ham", "spam"]


def called(chance: np.random.Generator, events: int, flagged: Any = 0.1, errors: float = 0.05) -> tuple[Any, Any, Any]:
    """The truth and what both models call, of two classes; ``flagged`` is a share, or one an event."""
    truth = chance.random(events) < flagged
    baseline, online = (truth ^ (chance.random(events) < errors) for _ in range(2))
    return truth, baseline, online


def choices(chance: np.random.Generator, baseline: Any, online: Any) -> dict[str, Any]:
    """Who gets a label, by name."""
    events, disagree = len(baseline), baseline != online
    return {
        "random": chance.random(events) < 0.2,
        "flagged": baseline,
        "flagged by the online model": online,
        "disagreements": disagree,
        "disagreements on top": disagree | (chance.random(events) < 0.01),
        "flagged or disagreeing": disagree | baseline,
    }


def watch(
    chosen: Any, baseline: Any, online: Any, delays: Any, health: LabelHealth | None = None, begin: int = 0
) -> Iterator[tuple[int, LabelHealth]]:
    """Feed all events, one a second; yields labelled events so far and the health, every EVERY events."""
    health = LabelHealth() if health is None else health
    places = np.flatnonzero(chosen)
    order = places[np.argsort(places + delays[places], kind="stable")].tolist()
    ours, others = ([NAMES[int(one)] for one in each] for each in (baseline, online))
    read = 0
    for first in range(0, len(chosen), EVERY):
        pairs: dict[str, dict[str, int]] = {}
        for at in range(first, first + EVERY):
            of = pairs.setdefault(ours[at], {})
            of[others[at]] = of.get(others[at], 0) + 1
        before = read
        while read < len(order) and order[read] + delays[order[read]] < first + EVERY:
            at = order[read]
            time, label_time = float(begin + at), float(begin + at + delays[at])
            health.labelled(begin + at, time, label_time, baseline=ours[at], online=others[at])
            read += 1
        health.passed(EVERY, read - before, float(begin + first + EVERY))
        health.scored(begin + first, begin + first + EVERY - 1, pairs)
        yield read, health
