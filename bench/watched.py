"""Streams whose inputs are watched: simulated ones, and real ones in blocks."""

import gzip
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from bench.report import DATA
from stream.config import Features
from stream.drift.findings import Finding
from stream.drift.inputs import Inputs
from stream.drift.profiler import Profiler
from stream.features import TEXT, Row
from stream.training.reference import reference

Array = np.ndarray[Any, np.dtype[Any]]
Change = Callable[[Row], Row]

REFERENCE, EVERY = 5_000, 100

KINDS = {"normal": 12, "long": 6, "uniform": 4, "sparse": 2}
CATEGORIES = {"two": 2, "four": 4, "four_more": 4, "ten": 10, "thirty": 30, "many": 200}
NUMBERS = [f"{kind}{at}" for kind, count in KINDS.items() for at in range(count)]
FEATURES = Features(numeric=NUMBERS, categorical=list(CATEGORIES))


class Watched:
    """A reference and what watches over it."""

    def __init__(self, features: Features, frame: pd.DataFrame, scores: Array) -> None:
        made = reference(features, frame, scores)
        self.profiler = Profiler("v1", features, made)
        self.inputs = Inputs("v1", made)
        self.events = 0
        self.found: list[tuple[int, Finding]] = []
        self.episodes = 0

    def see(self, rows: Sequence[Row], scores: Sequence[float]) -> None:
        """Take rows in profiles of EVERY; what is left over at the end is not seen."""
        for begin in range(0, len(rows) - EVERY + 1, EVERY):
            scored = scores[begin : begin + EVERY]
            profile = self.profiler.profile(self.events, rows[begin : begin + EVERY], scored)
            self.events += EVERY
            healthy = not self.inputs.findings
            new = self.inputs.update(profile)
            self.episodes += bool(healthy and new)
            self.found += [(self.events, each) for each in new]


class World:
    """30 columns, 24 of numbers and 6 of categories; ``memory``: each number's correlation with the one before it."""

    def __init__(self, seed: int, memory: float = 0.0) -> None:
        self.chance = np.random.default_rng(seed)
        self.memory = memory
        self.last = self.chance.normal(size=len(NUMBERS))
        self.shares = {
            name: (weights := 1 / np.arange(1, count + 1)) / weights.sum() for name, count in CATEGORIES.items()
        }
        self.watched = Watched(FEATURES, pd.DataFrame(self.rows(REFERENCE)), self.scores(REFERENCE))

    def rows(self, count: int) -> list[Row]:
        """So many rows."""
        normal = self._normal(count)
        columns: dict[str, Any] = {}
        for at, name in enumerate(NUMBERS):
            column = normal[:, at]
            if name.startswith("long"):
                column = np.exp(1.5 * column)
            elif name.startswith("uniform"):
                column = np.clip(column, -1, 1)
            elif name.startswith("sparse"):
                column = np.where(column > 0.5, column, 0.0)
            listed: list[float | None] = column.tolist()
            if name.startswith("sparse"):
                gone = (self.chance.random(count) < 0.2).tolist()
                listed = [None if lost else value for value, lost in zip(listed, gone, strict=True)]
            columns[name] = listed
        for name, shares in self.shares.items():
            columns[name] = [f"c{at}" for at in self.chance.choice(len(shares), size=count, p=shares).tolist()]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def scores(self, count: int) -> Array:
        """So many scores."""
        return self.chance.beta(0.5, 3.0, size=count)

    def live(self, count: int, change: Change | None = None) -> list[tuple[int, Finding]]:
        """See so many events; what is found, with the events since the call began."""
        began, known = self.watched.events, len(self.watched.found)
        for begin in range(0, count, 5_000):
            rows = self.rows(min(5_000, count - begin))
            self.watched.see([change(row) for row in rows] if change else rows, self.scores(len(rows)).tolist())
        return [(at - began, found) for at, found in self.watched.found[known:]]

    def _normal(self, count: int) -> Array:
        drawn = self.chance.normal(size=(count, len(NUMBERS)))
        if self.memory:
            drawn *= np.sqrt(1 - self.memory**2)
            for at in range(count):
                drawn[at] += self.memory * self.last
                self.last = drawn[at]
        return drawn


def blocks(rows: list[Row], size: int, seed: int) -> list[Row]:
    """The rows in another order, but for blocks of so many, which stay as they are."""
    parts = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
    return [row for at in np.random.default_rng(seed).permutation(len(parts)).tolist() for row in parts[at]]


def frame_of(features: Features, rows: list[Row]) -> pd.DataFrame:
    """Rows as a training gets them."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in features.numbers}
    if features.text:
        columns[TEXT] = ["\n".join([row[name] for name in features.text]) for row in rows]
    return pd.DataFrame(columns)


def real_streams() -> dict[str, tuple[Features, list[Row], int]]:
    """Columns, rows, and how many of them are trained on, by name."""
    prices = ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "period"]
    made = {"elec2 from row 20,000": (*_table("elec2_electricity.csv.gz", prices, 20_000), REFERENCE)}
    made["insects"] = (*_table("insects_gradual_balanced_24150.csv.gz", None, 0), REFERENCE)
    made["card transactions"] = (
        *_table("creditcard_undersampled_time_sorted.csv.gz", [*(f"V{at}" for at in range(1, 29)), "Amount"], 0),
        3_000,
    )
    made["Enron"] = (*mails(), 2_500)
    return made


def mails() -> tuple[Features, list[Row]]:
    """Enron without duplicates."""
    with gzip.open(DATA / "enron_spam_stream.jsonl.gz", "rt", encoding="utf-8") as lines:
        read = [msgspec.json.decode(line) for line in lines]
    rows = [{"subject": each["subject"] or "", "body": each["body"] or ""} for each in read if not each["dup"]]
    return Features(text=["subject", "body"]), rows


def _table(file: str, columns: list[str] | None, begin: int) -> tuple[Features, list[Row]]:
    frame = pd.read_csv(DATA / file, header=0 if columns else None).iloc[begin:]
    numbers = frame[columns] if columns else frame.select_dtypes("number")
    numbers = numbers.set_axis([str(name) for name in numbers.columns], axis=1).astype(float)
    return Features(numeric=list(numbers.columns)), [
        {str(name): value for name, value in row.items()} for row in numbers.to_dict("records")
    ]
