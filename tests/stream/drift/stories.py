"""Stories that have to end in a known verdict: labelled records of two models and, of some, profiles of inputs."""

from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from msgspec.structs import replace

from stream.config import Features, Stream
from stream.drift.profiler import Profiler
from stream.monitoring import MonitoringTask
from stream.records import Input, Labelled, References
from stream.reference import Expected, Reference
from stream.risk import risk
from stream.training.reference import reference

STREAM = Stream(classes=["no", "yes"])
HEALTHY = 3_000
JUDGED = 1_000
"""Rows that the references are the upper ends of."""

EVERY, TRAINED_ON = 100, 5_000
FEATURES = Features(numeric=["x0", "x1", "x2"])


class Story(Struct, frozen=True):
    """Error rates before the change, which comes after HEALTHY events, and behind it: the baseline's and the online's.

    ``back``: so many events after the change the online model errs as before, little by little. ``flipped``: so many
    labels are the other one then. ``moved``: an input moves by so many standard deviations; its profiles come at
    once, labels ``late`` events after their event.
    """

    right: str
    before: tuple[float, float] = (0.03, 0.03)
    behind: tuple[float, float] = (0.03, 0.03)
    events: int = 3_000
    back: int = 0
    flipped: float = 0.0
    moved: float = 0.0
    late: int = 0


STORIES = {
    "nothing": Story("healthy"),
    "both err a little more, .03 -> .04": Story("healthy", behind=(0.04, 0.04)),
    "the baseline rots, .03 -> .12": Story("baseline_rot", behind=(0.12, 0.03)),
    "both jump to .15; in 1,000 events the online model is back": Story(
        "baseline_rot", behind=(0.15, 0.15), back=1_000
    ),
    "the online model grows better, both .08 -> online .02": Story("outgrown", (0.08, 0.08), (0.08, 0.02)),
    "bad labels, both .03 -> .15": Story("hard_shift", flipped=0.12 / 0.94),
    "the online model fails, .03 -> .12": Story("online_fault", behind=(0.03, 0.12)),
    "inputs move and cost nothing": Story("benign_shift", events=8_000, moved=0.8, late=1_000),
    "inputs move and the baseline errs, .03 -> .12": Story(
        "baseline_rot", behind=(0.12, 0.03), events=4_000, moved=0.8, late=1_000
    ),
}


class Told(Struct, frozen=True):
    """What the monitor said: alarms and verdicts before the change, verdicts behind it, the last of all.

    ``turns`` begin with the first verdict that is not healthy; ``first``: events from the change to it, None: never.
    """

    early: int
    first: int | None
    turns: list[str]
    last: str


def told(story: Story, seed: int) -> Told:
    """Feed a story, drawn with a seed, to a monitor."""
    chance = np.random.default_rng(seed)
    known = [risk((chance.random(JUDGED) < rate).astype(float)).high for rate in story.before]
    inputs: list[Input] = []
    profiled = _Profiled(chance) if story.moved else None
    inputs.append(References("b", Expected(known[0], None if profiled is None else profiled.reference), known[1]))
    records = _records(story, chance)
    for first in range(0, len(records) + story.late, EVERY):
        if profiled is not None and first < len(records):
            inputs.append(profiled.profile(first, story.moved if first >= HEALTHY else 0.0))
        begin = first - story.late
        inputs += records[max(0, begin) : max(0, begin + EVERY)]
    monitor = MonitoringTask("s", STREAM)
    alarms = monitor.feed(inputs).alarms
    change = HEALTHY - 1 - story.late if story.moved else HEALTHY - 1
    early = sum(alarm.position <= change for alarm in alarms)
    behind = [alarm for alarm in alarms if alarm.position > change]
    while behind and behind[0].verdict == "healthy":
        behind.pop(0)
    turns = [alarm.verdict for alarm in behind]
    turns = [verdict for at, verdict in enumerate(turns) if at == 0 or verdict != turns[at - 1]]
    return Told(early, behind[0].position - change if behind else None, turns, monitor.verdict)


def _records(story: Story, chance: np.random.Generator) -> list[Labelled]:
    events = HEALTHY + story.events
    rates = np.repeat([story.before, story.behind], [HEALTHY, story.events], axis=0)
    if story.back:
        away = np.clip(1 - np.arange(story.events) / story.back, 0.0, 1.0)
        rates[HEALTHY:, 1] = story.before[1] + away * (story.behind[1] - story.before[1])
    wrong = chance.random((events, 2)) < rates
    flipped = (chance.random(events) < story.flipped) & (np.arange(events) >= HEALTHY)
    truth = chance.random(events) < 0.5
    called = wrong ^ truth[:, None]
    names = [[STREAM.classes[int(one)] for one in each] for each in (truth ^ flipped, *called.T)]
    scores = np.where(called, 0.9, 0.1).tolist()
    return [
        Labelled(
            f"e{at}", float(at), at, label, float(at + story.late), {},
            online_score, online_score, baseline_score, online, online, baseline, "o", "b",
        )
        for at, (label, baseline, online, (baseline_score, online_score)) in enumerate(
            zip(*names, scores, strict=True)
        )
    ]  # fmt: skip


class _Profiled:
    """Three normal numbers, the first of which may move, and a score."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance
        frame = pd.DataFrame(self._rows(TRAINED_ON, 0.0))
        self.reference: Reference = reference(FEATURES, frame, chance.beta(0.5, 3.0, TRAINED_ON))
        self.profiler = Profiler("b", FEATURES, self.reference)

    def _rows(self, count: int, moved: float) -> list[dict[str, Any]]:
        values = self.chance.normal(size=(count, len(FEATURES.numeric)))
        values[:, 0] += moved
        return [dict(zip(FEATURES.numeric, row, strict=True)) for row in values.tolist()]

    def profile(self, first: int, moved: float) -> Input:
        scores = self.chance.beta(0.5, 3.0, EVERY).tolist()
        made = self.profiler.profile(first, self._rows(EVERY, moved), scores)
        return replace(made, until=float(first + EVERY))
