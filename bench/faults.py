"""Fields that break upstream: how soon the verdict names them, that nothing is retrained on them, how soon it is over.

The whole of what a replay runs: scorer, monitor, retraining by alarm. A logistic regression of each kind, a warm-up of
5,000 rows of 24 numbers and 6 categories, labels at once; then 3,000 events as in the warm-up, FAULT with the fault,
AFTER as before. Parts by name (``python -m bench.faults x100``), all without one.
"""

import sys
from statistics import median

import numpy as np
from msgspec import Struct

from bench.report import Figure, at_least, at_most, publish
from bench.watched import FEATURES, Change, World
from stream.chain import Chain
from stream.config import Stream
from stream.features import Row
from stream.monitoring import MonitoringTask
from stream.records import Event, Label
from stream.refitting import Refitting
from stream.scoring import ScoringTask
from stream.warmup import warm_up

RUNS = 50
WARM_UP, BEFORE, FAULT, AFTER = 5_000, 3_000, 5_000, 1_500
NOISE = 0.04
"""Of the labels, so many are the other one."""

STREAM = Stream(classes=["no", "yes"], features=FEATURES, warm_up=WARM_UP)

FAULTS: dict[str, tuple[str, Change]] = {
    "x100": ("normal0", lambda row: {**row, "normal0": 100 * row["normal0"]}),
    "gone": ("normal0", lambda row: {**row, "normal0": None}),
    "renamed": ("four", lambda row: {**row, "four": "C0" if row["four"] == "c0" else row["four"]}),
}
"""The field that breaks, on which the labels depend most, or some; and how."""


class Story(Struct):
    """Of one run: events from the fault to its verdict, from the repair to another and to a healthy one, None: never.

    ``refits``: baselines fitted while the fault lasted. ``early``: alarms before it. ``verdicts``: all while it lasted.
    """

    named: int | None
    over: int | None
    healthy: int | None
    refits: int
    early: int
    verdicts: list[str]


class Labelled:
    """A world whose rows have labels: of two numbers and a category, with noise."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.chance = np.random.default_rng(1_000 + seed)
        self.sent = 0

    def rows(self, count: int) -> list[tuple[Row, str]]:
        """So many rows, and their labels."""
        made = []
        for row in self.world.rows(count):
            inside = 2 * row["normal0"] + row["uniform0"] + (1.0 if row["four"] == "c0" else -1.0)
            made.append((row, STREAM.classes[(inside > 0) != (self.chance.random() < NOISE)]))
        return made

    def inputs(self, count: int, change: Change | None) -> list[Event | Label]:
        """Events, each with its label behind it; labels are of the row as it was."""
        made: list[Event | Label] = []
        for row, label in self.rows(count):
            time, name = float(self.sent), f"e{self.sent}"
            made += [Event(name, time, change(row) if change else row, self.sent), Label(name, time, label, self.sent)]
            self.sent += 1
        return made


def run(seed: int, fault: str) -> Story:
    """One stream with one fault."""
    field, change = FAULTS[fault]
    world = Labelled(seed)
    before = world.rows(WARM_UP)
    made = warm_up("streams.s", STREAM, before)
    refitting = Refitting("s", made.stream, "on-alarm", WARM_UP)
    refitting.begin((f"w{at}", row, STREAM.classes.index(label), True) for at, (row, label) in enumerate(before))
    task = Chain(ScoringTask("s", made.stream, made.models), MonitoringTask("s", made.stream), None, refitting)
    monitor = task.monitoring
    assert monitor is not None
    early = len(task.feed(world.inputs(BEFORE, None)).alarms)
    named, verdicts = None, []
    for at in range(0, FAULT, 10):
        task.feed(world.inputs(10, change))
        verdicts.append(monitor.verdict)
        if named is None and monitor.verdict == "data_quality" and monitor.reason.startswith(f"{field}:"):
            named = at + 10
    refits = len(refitting.done)
    over = healthy = None
    for at in range(0, AFTER, 10):
        task.feed(world.inputs(10, None))
        if over is None and monitor.verdict != "data_quality":
            over = at + 10
        if healthy is None and monitor.verdict == "healthy":
            healthy = at + 10
        elif monitor.verdict != "healthy":
            healthy = None  # it has to stay so
    return Story(named, over, healthy, refits, early, sorted(set(verdicts)))


def measure(fault: str) -> list[Figure]:
    """RUNS runs of one fault."""
    stories = [run(seed, fault) for seed in range(RUNS)]
    for seed, story in enumerate(stories):
        print(fault, seed, story, flush=True)
    named = [FAULT if story.named is None else story.named for story in stories]
    over = [AFTER if story.over is None else story.over for story in stories]
    healthy = [AFTER if story.healthy is None else story.healthy for story in stories]
    return [
        at_least(f"{fault}: share named as data_quality within 300 events", _share(named, 300), 1.0),
        Figure(f"{fault}: events until named, median", median(named)),
        Figure(f"{fault}: events until named, most", max(named)),
        at_most(f"{fault}: baselines fitted in the {FAULT:,} events of the fault", sum(s.refits for s in stories), 0),
        at_least(f"{fault}: share no longer data_quality within 500 events of the repair", _share(over, 500), 1.0),
        at_least(f"{fault}: share healthy for good within 500 events of the repair", _share(healthy, 500), 1.0),
        Figure(f"{fault}: events until healthy, median", median(healthy)),
        Figure(f"{fault}: events until healthy, most", max(healthy)),
        Figure(f"{fault}: alarms and verdicts before the fault", sum(story.early for story in stories)),
    ]


def _share(events: list[int], within: int) -> float:
    return sum(each <= within for each in events) / len(events)


def main() -> None:
    """Measure the parts that are named, or all."""
    chosen = sys.argv[1:] or list(FAULTS)
    publish("faults", [figure for fault in chosen for figure in measure(fault)])


if __name__ == "__main__":
    main()
