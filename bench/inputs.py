"""Input drift: false findings on streams that stand still, how soon what moves or breaks is found, and what it costs.

Parts by name (``python -m bench.inputs still delays``), all without one. References are of 5,000 rows where nothing
else is said, profiles of 100 events. An episode is a stretch in which anything is found.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from bench.report import Figure, at_most, publish
from bench.watched import EVERY, REFERENCE, Change, Watched, World, blocks, frame_of, mails, real_streams
from stream.config import Features
from stream.features import FeatureExtractor, Row
from stream.profile import Profile

RUNS, EVENTS = 200, 50_000
DEPENDENT_RUNS, DELAY_RUNS = 40, 50
AFTER = 3_000
"""Events after a change, in which it should be found."""

EVENT_COST = 100.0
"""Microseconds that a scorer takes an event, about."""

# ------------------------------------------------------------------------------------------- streams that stand still


def still() -> list[Figure]:
    """RUNS runs of EVENTS events that do not depend on one another."""
    return _false(f"{RUNS} runs of {EVENTS:,} events, 30 columns", RUNS, 0.0)


def dependent() -> list[Figure]:
    """Runs in which each number has a memory."""
    return [
        figure
        for memory in (0.5, 0.9)
        for figure in _false(
            f"{DEPENDENT_RUNS} runs, correlation {memory} with the event before", DEPENDENT_RUNS, memory
        )
    ]


def _false(what: str, runs: int, memory: float) -> list[Figure]:
    found, episodes, kinds = 0, 0, dict.fromkeys(("missing", "outside", "unseen", "psi", "wasserstein"), 0)
    for seed in range(runs):
        world = World(seed, memory)
        for _, each in world.live(EVENTS):
            found += 1
            kinds[each.measure] += 1
        episodes += world.watched.episodes
    tens = runs * EVENTS / 10_000
    print(what, kinds)
    return [
        at_most(f"{what}: false findings in 10,000 events", found / tens, 1.0),
        Figure(f"{what}: false episodes in 10,000 events", episodes / tens),
    ]


# ------------------------------------------------------------------------------------------- real streams


def real() -> list[Figure]:
    """Real streams in blocks that are shuffled: each block as it was, but no drift from the first to the last.

    A block of one row leaves no dependence. With longer ones what there is inside them stays; where whole stretches
    differ, as in elec2 and insects, a window of two blocks really is unlike the whole, for a while.
    """
    figures = []
    for name, (features, rows, warm_up) in real_streams().items():
        for size in (1, 50, 250):
            episodes, found, events = 0, 0, 0
            for seed in range(3):
                shuffled = blocks(rows, size, seed)
                watched = Watched(features, frame_of(features, shuffled[:warm_up]), np.linspace(0, 1, warm_up))
                live = shuffled[warm_up:]
                watched.see(live, [])
                episodes, found, events = episodes + watched.episodes, found + len(watched.found), events + len(live)
            what = f"{name}, blocks of {size} shuffled"
            value = 10_000 * found / events
            # Only where nothing is left but chance is any finding a false one.
            figures += [
                at_most(f"{what}: false findings in 10,000 events", value, 1.0)
                if size == 1
                else Figure(f"{what}: findings in 10,000 events", value),
                Figure(f"{what}: episodes in 10,000 events", 10_000 * episodes / events),
            ]
    return figures


# ------------------------------------------------------------------------------------------- what moves, what breaks


class Case(Struct):
    """A change, the column it should be found in, and within how many events; ``schema``: it is a break."""

    name: str
    change: Change
    feature: str
    within: int
    schema: bool


CASES = [
    Case(
        "shift by half a deviation",
        lambda row: {**row, "normal3": row["normal3"] + 0.5},
        "normal3",
        1_000,
        schema=False,
    ),
    Case("unit x100", lambda row: {**row, "long2": 100 * row["long2"]}, "long2", 300, schema=True),
    Case("field null", lambda row: {**row, "normal5": None}, "normal5", 300, schema=True),
    Case(
        "category renamed",
        lambda row: {**row, "ten": "C0" if row["ten"] == "c0" else row["ten"]},
        "ten",
        300,
        schema=True,
    ),
]


def delays() -> list[Figure]:
    """DELAY_RUNS runs of each case: 2,000 events healthy, AFTER changed, repaired; it changes within a profile."""
    figures = []
    for case in CASES:
        found, over, others = [], [], 0
        for seed in range(DELAY_RUNS):
            delay, repaired, wrong = _life(case, seed)
            found.append(delay)
            over.append(repaired)
            others += wrong
        worst = float(max(found))
        figures += [
            Figure(f"{case.name}: events until found, median", float(np.median(found))),
            at_most(f"{case.name}: events until found, most of {DELAY_RUNS} runs", worst, case.within),
            Figure(f"{case.name}: findings of anything else, in all runs", others),
        ]
        if case.schema:
            figures.append(at_most(f"{case.name}: events from the repair until healthy, most", float(max(over)), 500))
        else:
            figures.append(Figure(f"{case.name}: events from its end until healthy, most", float(max(over))))
    return figures


def _life(case: Case, seed: int) -> tuple[float, float, int]:
    """Events until found and until healthy again (infinite: never), and how often anything else was found."""
    world = World(1_000 + seed)
    world.live(2_000)
    early = seed * 37 % EVERY
    rows = world.rows(2 * EVERY + AFTER)
    changed = [case.change(row) if early <= at < early + AFTER else row for at, row in enumerate(rows)]
    delay, repaired, others = np.inf, np.inf, 0
    begun = world.watched.events
    for begin in range(0, len(changed), EVERY):
        known = len(world.watched.found)
        world.watched.see(changed[begin : begin + EVERY], world.scores(EVERY).tolist())
        for at, each in world.watched.found[known:]:
            right = each.feature == case.feature and each.schema == case.schema
            delay = min(delay, at - begun - early) if right else delay
            others += not right
    ended = begun + early + AFTER
    while repaired == np.inf and world.watched.events < ended + AFTER:
        if not world.watched.inputs.findings:
            repaired = world.watched.events - ended
        else:
            world.live(EVERY)
    return delay, repaired, others


# ------------------------------------------------------------------------------------------- what it costs


def costs() -> list[Figure]:
    """CPU microseconds an event: 30 columns, and 30 of numbers only."""
    figures = []
    world = World(1)
    rows, scores = world.rows(20_000), world.scores(20_000).tolist()
    names = [f"x{at}" for at in range(30)]
    plain = Features(numeric=names)
    drawn = world.chance.normal(size=(20_000, 30))
    numbers = [dict(zip(names, line, strict=True)) for line in drawn.tolist()]
    other = Watched(plain, pd.DataFrame(numbers[:REFERENCE]), world.scores(REFERENCE))
    for what, watched, given in (("30 numbers", other, numbers), ("24 numbers, 6 categories", world.watched, rows)):
        for batch in (10, 100, 500):
            micros = _micros(partial(_profiles, watched, given, scores, batch), len(given))
            figures.append(
                Figure(f"{what}: a profile of each batch of {batch}", micros)
                if batch == 10
                else at_most(f"{what}: a profile of each batch of {batch}", micros, 0.05 * EVENT_COST)
            )
        every = figures[-2].value
        made = _profiles(watched, given, scores, EVERY)
        sent = _encoded(made)
        encoding = _micros(partial(_encoded, made), len(given))
        monitor = _micros(partial(_watch, watched, sent), len(given))
        figures += [
            Figure(f"{what}: bytes of a profile", float(np.mean([len(each) for each in sent]))),
            Figure(f"{what}: monitor, decoding included", monitor),
            at_most(f"{what}: scorer and monitor, profiles every {EVERY}", every + encoding + monitor, 15.0),
        ]
    features, texts = mails()
    box = Watched(features, frame_of(features, texts[:2_500]), scores[:2_500])
    extractor, given = FeatureExtractor(features), texts[2_500:7_500]
    sent = _encoded(_profiles(box, given, scores, EVERY))
    return [
        *figures,
        Figure("mails: making the online model's inputs", _micros(partial(extractor.inputs, given), len(given))),
        Figure("mails: profiles", _micros(partial(_profiles, box, given, scores, EVERY), len(given))),
        Figure("mails: bytes of a profile", float(np.mean([len(each) for each in sent]))),
        Figure("mails: monitor, decoding included", _micros(partial(_watch, box, sent), len(given))),
    ]


def _profiles(watched: Watched, rows: list[Row], scores: list[float], batch: int) -> list[Profile]:
    made = []
    for begin in range(0, len(rows), batch):
        scored = scores[begin : begin + batch]
        made.append(watched.profiler.profile(begin, rows[begin : begin + batch], scored))
    return made


def _encoded(profiles: list[Profile]) -> list[bytes]:
    return [msgspec.json.encode(each) for each in profiles]


def _watch(watched: Watched, sent: list[bytes]) -> None:
    for each in sent:
        watched.inputs.update(msgspec.json.decode(each, type=Profile))


def _micros(work: Callable[[], object], events: int) -> float:
    """The least of five, in CPU microseconds an event."""
    made = []
    for _ in range(5):
        began = time.process_time()
        work()
        made.append(1e6 * (time.process_time() - began) / events)
    return min(made)


PARTS = {"still": still, "dependent": dependent, "real": real, "delays": delays, "costs": costs}


def main(words: Sequence[str]) -> None:
    """Run the parts that are named, all without a name."""
    publish("inputs", [figure for name in (words or PARTS) for figure in PARTS[name]()])


if __name__ == "__main__":
    main(sys.argv[1:])
