"""How well batch detectors rank: fitted on a warm-up with its positives or without them, with PCA and without it.

Each is the baseline that settings make, and scores all rows behind the warm-up. Logistic regression and a random
forest, which see the warm-up's labels, are there for comparison, and so is what a training on the warm-up chooses, with
labels and without them. The text of the result is docs/baselines.md.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table
from river import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import Pipeline

from bench.report import DATA, Figure, at_least, publish
from stream.baseline import Baseline, columns, fit, logistic
from stream.config import Features, Stream, Training
from stream.detectors import DETECTORS
from stream.errors import TrainingError
from stream.factories import make_baseline
from stream.training.aims import Aim
from stream.training.anomalies import train_anomalies
from stream.training.search import Budget
from stream.training.train import Order
from stream.training.trials import Data

VARIANCE = 0.95
"""What PCA keeps."""

BATCH = 5_000
"""Rows that are scored at once."""

CARD, HTTP, SHUTTLE = "credit card", "KDD http", "Shuttle"

BARS = {CARD: (0.795, 0.32), SHUTTLE: (0.979, None)}
"""ROC AUC and average precision of river's half-space trees, as the issue states them."""

DEFAULT = "isolation-forest"

console = Console(width=120)


class Rows(Struct):
    """A data set: the columns to look at, whether each row is positive, and how many rows are the warm-up."""

    name: str
    frame: pd.DataFrame
    labels: pd.Series
    warm_up: int


def sets() -> Iterator[Rows]:
    """The data sets, in the order of their rows."""
    card, http = (DATA / f"{name}.csv.gz" for name in ("creditcard_undersampled_time_sorted", "kdd99_http"))
    for path in (card, http):
        if not path.exists():
            sys.exit(f"{path}: is not there, and this benchmark measures on it")
    read = pd.read_csv(card)
    yield Rows(CARD, read.drop(columns=["Time", "Class"]), read["Class"], 2_000)
    read = pd.read_csv(http)
    yield Rows(HTTP, read.drop(columns="service"), read["service"], 20_000)
    pairs = list(datasets.Shuttle())
    yield Rows(SHUTTLE, pd.DataFrame([x for x, _ in pairs], dtype=float), pd.Series([int(y) for _, y in pairs]), 10_000)


def ranked(rows: Rows, estimator: Any, *, novelty: bool) -> tuple[float, float] | None:
    """ROC AUC and average precision behind the warm-up; None where the warm-up does not allow a fit."""
    first, kind = rows.frame.iloc[: rows.warm_up], "binary" if hasattr(estimator, "predict_proba") else "anomaly"
    try:
        fit(estimator, first, rows.labels.iloc[: rows.warm_up].tolist(), kind, 2, novelty=novelty)
    except TrainingError:
        return None
    return behind(rows, Baseline(estimator, kind, ""))


def behind(rows: Rows, baseline: Baseline) -> tuple[float, float]:
    """ROC AUC and average precision behind the warm-up."""
    scores: list[Any] = []
    for begin in range(rows.warm_up, len(rows.frame), BATCH):
        scores += baseline.score(rows.frame.iloc[begin : begin + BATCH])
    truth = rows.labels.iloc[rows.warm_up :]
    return float(roc_auc_score(truth, scores)), float(average_precision_score(truth, scores))


def trained(rows: Rows, *, labels: bool) -> tuple[float, float]:
    """The same of what a training on the warm-up makes of all candidates; by novelty, where it has labels."""
    first, known = rows.frame.iloc[: rows.warm_up], rows.labels.to_numpy()[: rows.warm_up]
    data = Data(first, known if labels else np.full(len(first), -1), 2, Features(numeric=[str(n) for n in first]))
    order = Order("bench", "anomaly", ["usual", "odd"], Aim(alert_budget=0.01), novelty=labels)
    made = train_anomalies(data, None, order, Budget(1.0, lambda: 0.0), {}, {})
    console.print(
        f"{rows.name}, {'with' if labels else 'without'} labels: {made.card.chosen}, by {made.card.chosen_by}"
    )
    return behind(rows, made.baseline)


def made(rows: Rows) -> Iterator[tuple[str, Any, bool]]:
    """Each estimator's name, the estimator, and whether it is fitted on clean rows."""
    features = Features(numeric=[str(name) for name in rows.frame])
    for name in DETECTORS:
        for pca in (None, VARIANCE):
            for novelty in (False, True):
                stream = Stream(kind="anomaly", baseline=name, features=features, training=Training(pca=pca))
                words = f"{name}{', PCA' if pca else ''}, {'clean' if novelty else 'all'}"
                yield words, make_baseline("streams.bench", stream), novelty
    stream = Stream(features=features)
    forest = RandomForestClassifier(class_weight="balanced", random_state=stream.seed)
    yield "logistic, labels", logistic(stream), False
    yield "random forest, labels", Pipeline([("columns", columns(features)), ("model", forest)]), False


def main() -> None:
    """Measure all, and publish the figures."""
    table = Table(title="ROC AUC, average precision behind the warm-up", title_justify="left", box=box.SIMPLE)
    found: dict[str, dict[str, tuple[float, float] | None]] = {}
    figures = []
    for rows in sets():
        for words, estimator, novelty in made(rows):
            found.setdefault(words, {})[rows.name] = ranked(rows, estimator, novelty=novelty)
        for labels in (False, True):
            words = f"chosen {'with' if labels else 'without'} labels"
            found.setdefault(words, {})[rows.name] = trained(rows, labels=labels)
    names = [CARD, HTTP, SHUTTLE]
    for column in ("", *names):
        table.add_column(column)
    for words, by in found.items():
        table.add_row(words, *("-" if (two := by[name]) is None else f"{two[0]:.3f}, {two[1]:.3f}" for name in names))
        for name in names:
            if (two := by[name]) is None:
                continue
            for what, value, bar in zip(
                ("ROC AUC", "average precision"), two, BARS.get(name, (None, None)), strict=True
            ):
                told = f"{name}: {what}, {words}"
                with_goal = bar is not None and words == f"{DEFAULT}, all"
                figures.append(at_least(told, value, bar or 0.0) if with_goal else Figure(told, value))
    console.print(table)
    publish("detectors-batch", figures)


if __name__ == "__main__":
    main()
