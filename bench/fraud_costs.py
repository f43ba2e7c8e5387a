"""What fraud streams cost: throughput beside a bare loop, memory under many customers, snapshots of many entities.

Parts by name (``python -m bench.fraud_costs throughput memory snapshots``), all without one.

Throughput is of the built-in fraud stream with every label a week late, from where labels have begun to come. The bare
loop does the same model work on inputs made ready beforehand, and nothing else: recursive logistic regression, alone or
beside half-space trees, scores each event and learns each label, the trees learn each event; the baseline scores 4,096
events at a time. CPU seconds; both take turns, and the median of the ratios is given. The text of the result is
docs/fraud.md.
"""

import copy
import heapq
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from msgspec.structs import replace

from bench.report import DATA, Figure, at_least, at_most, publish
from consumers.settings import load
from stream.baseline import Baseline
from stream.config import Stream
from stream.derived import Derived
from stream.features import FeatureExtractor
from stream.given import GivenScore
from stream.models import Models
from stream.records import Event, Input, Label
from stream.scoring import ScoringTask
from stream.simulators.fraud import FraudSimulator
from stream.warmup import warm_up

DAY = 86_400.0
WEEK = 7 * DAY
HANDBOOK = DATA / "handbook_fraud_tx_d091_d160.csv.gz"

ROUNDS = 3
BATCH = 4_096
WARM_UP = 10_000
EVENTS = 10_000
"""That are measured, after a week in which no label comes."""

ALONE, POOLED = "recursive-logistic", "half-space-trees+recursive-logistic"

MILLION = 1_000_000
MILLIONS = 5
CUSTOMERS, CAPACITY = MILLION, 100_000
STEP = 6.048
"""Seconds between events: a hundred thousand wait for their labels, which is what the waiting room holds."""

Row = dict[str, Any]


def handbook() -> Iterator[Row]:
    """The handbook's transactions."""
    frame = pd.read_csv(HANDBOOK)
    columns = (
        frame[name].tolist() for name in ("transaction_id", "ts", "customer_id", "terminal_id", "amount", "fraud")
    )
    for number, time_, customer, terminal, amount, fraud in zip(*columns, strict=True):
        yield {
            "event_id": str(number),
            "time": float(time_),
            "customer_id": str(customer),
            "terminal_id": str(terminal),
            "amount": amount,
            "label": "fraud" if fraud else "legitimate",
        }


def simulated() -> Iterator[Row]:
    """The simulator's, of 2,000 customers, with the truth as labels."""
    for row in FraudSimulator(drift=False):
        yield {**{name: row[name] for name in FIELDS}, "label": row["truth"]}  # type: ignore[literal-required]


FIELDS = ("event_id", "time", "customer_id", "terminal_id", "amount")


def inputs(rows: Sequence[Row]) -> list[Input]:
    """Events and their labels, a week later, in the order of time, to the last event."""
    events: Iterator[tuple[float, int, Input]] = (
        (row["time"], 0, Event(row["event_id"], row["time"], row)) for row in rows
    )
    labels: Iterator[tuple[float, int, Input]] = (
        (row["time"] + WEEK, 1, Label(row["event_id"], row["time"] + WEEK, row["label"])) for row in rows
    )
    last = rows[-1]["time"]
    return [each for at, _, each in heapq.merge(events, labels, key=lambda one: one[:2]) if at <= last]


# ------------------------------------------------------------------------------------------- throughput


class Prepared(Struct):
    """A task in which labels have begun to come, what it is fed next, and the models' inputs of the same.

    ``steps``: an event's input and None, or the input of a label's event and whether it is positive.
    """

    task: ScoringTask
    records: list[Input]
    steps: list[tuple[Any, bool | None]]
    frame: pd.DataFrame


def prepared(stream: Stream, source: Iterator[Row]) -> Prepared:
    """Warm up, and feed a week; the models' inputs are made in a pass of their own."""
    first = list(islice(source, WARM_UP))
    times = [(row["time"], row["time"] + WEEK) for row in first]
    made = warm_up("streams.fraud", stream, [(row, row["label"]) for row in first], times)
    rest = list(islice(source, 200_000))
    week = sum(row["time"] < rest[0]["time"] + WEEK for row in rest)
    records = inputs(rest[: week + EVENTS])
    extractor, derived = FeatureExtractor(stream.features), copy.deepcopy(made.models.derived)
    rows, held, frame = {}, {}, []
    steps: list[tuple[Any, bool | None]] = []
    for record in records:
        derived.advance(record.time)  # type: ignore[union-attr] # events and labels have times
        if isinstance(record, Event):
            row = extractor.row(record.fields)
            derived.add(row, record.time)
            rows[record.event_id] = row
            [held[record.event_id]] = extractor.inputs([row])
            steps.append((held[record.event_id], None))
            frame.append(row)
        elif isinstance(record, Label):
            derived.label(rows[record.event_id], record.time, positive=record.label == stream.positive)
            steps.append((held[record.event_id], record.label == stream.positive))
    task = ScoringTask("fraud", made.stream, made.models)
    for begin in range(0, week, BATCH):
        task.feed(records[begin : min(begin + BATCH, week)])
    return Prepared(task, records[week:], steps[week:], extractor.frame(frame[week:]))


def whole(task: ScoringTask, records: Sequence[Input]) -> None:
    """Everything that a scorer does but for what comes and goes by Kafka."""
    for begin in range(0, len(records), BATCH):
        task.feed(records[begin : begin + BATCH])


def bare(models: Models, steps: Sequence[tuple[Any, bool | None]], frame: pd.DataFrame) -> None:
    """The models' work, and nothing else."""
    pool, baseline = models.online.estimator, models.baseline  # type: ignore[union-attr] # it is no given score
    assert isinstance(baseline, Baseline)
    detectors, (classifier,) = list(pool.detectors.values()), pool.classifiers.values()
    for begin in range(0, len(frame), BATCH):
        baseline.score(frame.iloc[begin : begin + BATCH])
    for x, positive in steps:
        if positive is None:
            classifier.predict_proba_one(x)
            for detector in detectors:
                detector.score_one(x)
                detector.learn_one(x)
        else:
            classifier.learn_one(x, positive)


def throughput() -> list[Figure]:
    """The figures of two sources, two online models and two baselines."""
    cases = ((ALONE, "logistic"), (ALONE, "isolation-forest"), (POOLED, "logistic"))
    return [
        figure
        for online, baseline in cases
        for what, source in (("handbook", handbook), ("simulated", simulated))
        for figure in _throughput(f"{what}, {online}, {baseline}", online, baseline, source())
    ]


def _throughput(what: str, online: str, baseline: str, source: Iterator[Row]) -> list[Figure]:
    ready = prepared(replace(load(None).streams["fraud"], online=online, baseline=baseline), source)
    times: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        task, models = copy.deepcopy(ready.task), copy.deepcopy(ready.task.models)
        times.append(
            (
                _cpu(partial(bare, models, ready.steps, ready.frame)),
                _cpu(partial(whole, task, ready.records)),
            )
        )
    ours, theirs = (1e6 * statistics.median(pair[side] for pair in times) / len(ready.frame) for side in (1, 0))
    ratio = statistics.median(least / most for least, most in times)
    print(f"{what}: {theirs:.0f} and {ours:.0f} microseconds an event, {ratio:.2f}", flush=True)
    return [
        Figure(f"{what}: inputs an event", len(ready.records) / len(ready.frame)),
        Figure(f"{what}: bare loop, microseconds an event", theirs),
        Figure(f"{what}: scoring task, microseconds an event", ours),
        at_least(f"{what}: throughput of the task over that of the bare loop", ratio, 0.6),
    ]


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


# ------------------------------------------------------------------------------------------- memory


def memory() -> list[Figure]:
    """Resident memory of a process of its own, million by million."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_grow, args=(theirs,))
    process.start()
    figures: list[Figure] = ours.recv()
    process.join()
    return figures


def _grow(connection: Connection) -> None:
    """Feed MILLIONS million transactions of CUSTOMERS customers; both models' scores are fields of the event."""
    stream = load(None).streams["fraud"]
    features = replace(stream.features, entity_capacity=CAPACITY)
    stream = replace(stream, features=features, online="field:a", baseline="field:b", warm_up=0)
    online, baseline = GivenScore("a", []), GivenScore("b", [])
    models = Models(online, "field:a", baseline, derived=Derived(features))
    task = ScoringTask("fraud", stream, models)
    chance = np.random.default_rng(1)
    found = []
    for begin in range(0, MILLIONS * MILLION, BATCH):
        task.feed(_batch(chance, begin))
        if begin // MILLION < (begin + BATCH) // MILLION:
            found.append(_resident())
            print(f"{len(found)} million: {found[-1]:,.0f} MiB", flush=True)
    counts = models.derived.counts()["customer_id"]
    connection.send(
        [
            *(Figure(f"resident MiB after {n} million transactions", mib) for n, mib in enumerate(found, 1)),
            Figure("customers remembered", counts[0]),
            Figure("customers that gave way", counts[1].evicted),
            at_most("growth of resident memory after the first million", found[-1] / found[0] - 1.0, 0.05),
        ]
    )


def _batch(chance: np.random.Generator, begin: int) -> list[Input]:
    """Events STEP apart and the labels of those a week before, in turns."""
    made: list[Input] = []
    customers, terminals = (chance.integers(0, many, BATCH).tolist() for many in (CUSTOMERS, 2 * CAPACITY))
    scores, amounts = chance.random(BATCH).tolist(), chance.gamma(2.0, 30.0, BATCH).tolist()
    for at in range(BATCH):
        number = begin + at
        now = STEP * number
        fields = {
            "customer_id": f"customer-{customers[at]}",
            "terminal_id": f"terminal-{terminals[at]}",
            "amount": amounts[at],
            "a": scores[at],
            "b": scores[-at],
        }
        made.append(Event(f"t{number}", now, fields))
        if number >= WEEK / STEP:
            made.append(Label(f"t{number - int(WEEK / STEP)}", now, "fraud" if number % 200 == 0 else "legitimate"))
    return made


def _resident() -> float:
    """MiB that the process has in memory now."""
    return int(Path("/proc/self/status").read_text("ascii").split("VmRSS:")[1].split()[0]) / 1024


# ------------------------------------------------------------------------------------------- snapshots


def snapshots() -> list[Figure]:
    """Tables of CAPACITY customers and as many terminals: what a snapshot of all takes, and of the pages of a batch."""
    features = replace(load(None).streams["fraud"].features, entity_capacity=CAPACITY)
    derived = Derived(features)
    chance = np.random.default_rng(1)
    for number in range(CAPACITY):
        derived.add({"customer_id": f"c{number}", "terminal_id": f"t{number}", "amount": 10.0}, float(number))
    before = set(derived.segments())
    began = time.perf_counter()
    sizes = {by: sum(len(made()) for n, made in table.segments().items()) for by, table in derived.tables.items()}
    took = time.perf_counter() - began
    for customer, terminal in chance.integers(0, CAPACITY, (BATCH, 2)).tolist():
        derived.add({"customer_id": f"c{customer}", "terminal_id": f"t{terminal}", "amount": 10.0}, float(CAPACITY))
    changed = {name: make for name, make in derived.segments().items() if name not in before}
    began = time.perf_counter()
    bytes_ = sum(len(make()) for make in changed.values())
    again = time.perf_counter() - began
    return [
        Figure("snapshot of 100,000 customers and 100,000 terminals, milliseconds", 1e3 * took),
        *(Figure(f"the same, MB of {by}", size / 1e6) for by, size in sizes.items()),
        Figure(f"after {BATCH:,} events more, milliseconds", 1e3 * again),
        Figure("the same, MB", bytes_ / 1e6),
        Figure("the same, share of the pages", len(changed) / len(derived.segments())),
    ]


PARTS: dict[str, Callable[[], list[Figure]]] = {"throughput": throughput, "memory": memory, "snapshots": snapshots}


def main(words: Sequence[str] = ()) -> list[Figure]:
    """Run the parts that are named, all without a name."""
    return [figure for name in (words or PARTS) for figure in PARTS[name]()]


if __name__ == "__main__":
    publish("fraud-costs", main(sys.argv[1:]))
