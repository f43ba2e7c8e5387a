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
    chosen: Any,
    baseline: Any,
    online: Any,
    delays: Any,
    health: LabelHealth | None = None,
    begin: int = 0,
    partitions: int = 1,
) -> Iterator[tuple[int, LabelHealth]]:
    """Feed all events, one a second, to each partition in turn; yields labels so far and the health, every EVERY."""
    health = LabelHealth() if health is None else health
    places = np.flatnonzero(chosen)
    order = places[np.argsort(places + delays[places], kind="stable")].tolist()
    ours, others = ([NAMES[int(one)] for one in each] for each in (baseline, online))
    read = 0
    for first in range(0, len(chosen), EVERY):
        before = read
        while read < len(order) and order[read] + delays[order[read]] < first + EVERY:
            at = order[read]
            position, partition = divmod(begin + at, partitions)
            times = float(begin + at), float(begin + at + delays[at])
            health.labelled(partition, position, *times, baseline=ours[at], online=others[at])
            read += 1
        health.passed(EVERY, read - before, float(begin + first + EVERY))
        for partition in range(partitions):
            pairs: dict[str, dict[str, int]] = {}
            mine = [at for at in range(first, first + EVERY) if (begin + at) % partitions == partition]
            for at in mine:
                of = pairs.setdefault(ours[at], {})
                of[others[at]] = of.get(others[at], 0) + 1
            health.scored(partition, (begin + mine[0]) // partitions, (begin + mine[-1]) // partitions, pairs)
        yield read, health
