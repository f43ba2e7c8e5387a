"""How well online models rank anomalies: each row is scored, then learned; what counts is behind the warm-up.

The rows of bench/detectors_batch.py; of KDD http a stretch with its greatest burst of anomalies, as all of its half a
million rows would take an hour. Detectors learn every row, or spare the 1% that they would alert. Classifiers learn
each row's label, at once or LATE rows later. The text of the result is docs/online-models.md, "Anomalies".
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from msgspec.structs import replace
from rich import box
from rich.console import Console
from rich.table import Table
from river import anomaly, base, preprocessing
from sklearn.metrics import average_precision_score, roc_auc_score

from bench.detectors_batch import BARS, CARD, HTTP, SHUTTLE, Rows, sets
from bench.report import Figure, at_least, publish
from stream.config import Features, Stream
from stream.factories import make_online
from stream.online import OnlineModel
from stream.pooled import Pooled
from stream.scaling import FillNumbers, ScaleToUnit, ToUnit

BURST = slice(290_000, 330_000)
"""Of KDD http: 2,004 of its 2,211 anomalies come here within 25,000 rows."""

LATE = 1_000
"""Rows, where labels are late."""

SUBSET = 500
"""Rows behind the warm-up that a local outlier factor scores: it takes 10 to 60 milliseconds a row."""

RIVER, OURS, POOLED = "river's half-space trees", "half-space-trees", "half-space-trees+recursive-logistic"

DEFAULT = "recursive-logistic"
"""The fraud stream's online model."""

ALERTS = 0.01


class EachColumn(base.Estimator):
    """River's detectors of one number, one a column; the mean of their scores."""

    def __init__(self, make: Callable[[], Any], columns: list[str]) -> None:
        self.members = {name: make() for name in columns}

    def score_one(self, x: dict[str, float]) -> float:
        """The mean score; 0 before a detector has one."""
        scores = (float(each.score_one({}, x[name])) for name, each in self.members.items())
        return sum(score for score in scores if math.isfinite(score)) / len(self.members)

    def learn_one(self, x: dict[str, float]) -> None:
        """Have each detector learn its column."""
        for name, each in self.members.items():
            each.learn_one({}, x[name])


def detectors(stream: Stream) -> Iterator[tuple[str, Any]]:
    """Detectors that need no labels, by name: river's own, and those that settings name."""
    names = stream.features.numbers
    yield RIVER, preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=stream.seed)
    for name in (OURS, "gaussian", "one-class-svm", "loda"):
        [made] = make_online("bench", replace(stream, online=name)).detectors.values()
        yield name, made
    scaled = ScaleToUnit(names)
    yield "half-space-trees, 25 of them", scaled | anomaly.HalfSpaceTrees(n_trees=25, height=8, seed=stream.seed)
    scaled = ScaleToUnit(names)
    yield "half-space-trees, windows of 1,000", scaled | anomaly.HalfSpaceTrees(window_size=1_000, seed=stream.seed)
    yield "river's GaussianScorer a column", EachColumn(anomaly.GaussianScorer, names)
    yield "StandardAbsoluteDeviation a column", EachColumn(anomaly.StandardAbsoluteDeviation, names)
    yield f"LocalOutlierFactor, {SUBSET} rows", FillNumbers(names) | ToUnit(anomaly.LocalOutlierFactor(20))


def inputs(rows: Rows) -> tuple[list[Any], list[int], int]:
    """The rows to go through, their labels, and how many are the warm-up."""
    part = BURST if rows.name == HTTP else slice(None)
    frame = rows.frame.iloc[part].set_axis([str(name) for name in rows.frame], axis=1)
    return frame.to_dict("records"), rows.labels.iloc[part].tolist(), rows.warm_up


def prequential(
    model: OnlineModel, rows: Rows, *, late: int = 0, most: int | None = None
) -> tuple[float, float, float]:
    """ROC AUC, average precision behind the warm-up, and CPU microseconds a row."""
    given, labels, warm_up = inputs(rows)
    end = len(given) if most is None else min(len(given), warm_up + most)
    # The rows before those that are measured: a detector of a subset has no need of all the warm-up.
    begin = 0 if most is None else max(0, warm_up - 1_000)
    if most is not None and len(set(labels[warm_up:end])) < 2:
        return math.nan, math.nan, math.nan
    scores: list[Any] = []
    waiting: deque[tuple[Any, int]] = deque()
    began = time.process_time()
    for at in range(begin, end):
        x: Any = given[at]
        scores.append(model.score(x))
        model.learn(x, None)
        if not model.from_labels:
            continue
        waiting.append((x, labels[at]))
        if len(waiting) > late:
            model.learn(*waiting.popleft())
    micros = (time.process_time() - began) * 1e6 / (end - begin)
    truth, told = np.array(labels[warm_up:end]), np.array(scores[warm_up - begin :], dtype=float)
    return float(roc_auc_score(truth, told)), float(average_precision_score(truth, told)), micros


def runs(rows: Rows) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Each model's name, and what it makes of the rows."""
    stream = Stream(
        kind="anomaly", classes=["no", "yes"], features=Features(numeric=[str(name) for name in rows.frame])
    )
    for spared in (0.0, ALERTS):
        for name, detector in detectors(stream):
            slow = "LocalOutlierFactor" in name
            if spared and slow:
                continue
            model = OnlineModel(Raw({name: detector}, {}, spared), "anomaly", 2)
            model.from_labels = False
            words = f"{name}, {'spares alerts' if spared else 'learns all'}"
            yield words, prequential(model, rows, most=SUBSET if slow else None)
    for late in (0, LATE):
        for name in (DEFAULT, POOLED):
            model = OnlineModel(make_online("bench", replace(stream, online=name)), "anomaly", 2)
            yield f"{name}, labels {f'{late:,} rows late' if late else 'at once'}", prequential(model, rows, late=late)


class Raw(Pooled):
    """One detector and what it spares; its scores keep their order, and come to lie in (0, 1), as ranks want them."""

    def _scores(self, x: dict[Any, Any]) -> list[float]:
        return [0.5 + 0.5 * score / (1.0 + abs(score)) for score in super()._scores(x)]


def main() -> list[Figure]:
    """Measure all, show the table and publish the figures."""
    console = Console(width=160)
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    figures = []
    for rows in sets():
        for words, (auc, precision, micros) in runs(rows):
            found.setdefault(words, {})[rows.name] = auc, precision, micros
            print(f"{rows.name}: {words}: {auc:.3f}, {precision:.3f} ({micros:.0f})", flush=True)
            bars = BARS.get(rows.name, (None, None)) if words.startswith((f"{OURS},", DEFAULT)) else (None, None)
            for what, value, bar in zip(("ROC AUC", "average precision"), (auc, precision), bars, strict=True):
                told = f"{rows.name}: {what}, {words}"
                figures.append(at_least(told, value, bar) if bar else Figure(told, value))
            figures.append(Figure(f"{rows.name}: microseconds a row, {words}", micros))
    table = Table(title="ROC AUC, average precision (CPU microseconds a row)", title_justify="left", box=box.SIMPLE)
    for column in ("", CARD, HTTP, SHUTTLE):
        table.add_column(column)
    for words, by in found.items():
        table.add_row(words, *("{:.3f}, {:.3f} ({:.0f})".format(*by[name]) for name in (CARD, HTTP, SHUTTLE)))
    console.print(table)
    return figures


if __name__ == "__main__":
    publish("fraud-detectors", main())
