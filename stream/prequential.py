"""How well models do on events that they had not learned from when they scored them.

Everything here is updated from arrays, once a batch, and its memory does not grow. Losses are taken from labelled
records as these leave the scorer: labels that come early are no fair sample of all.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream.records import Labelled, Score
from stream.serving import EPSILON

MODELS = ("online", "baseline", "served")

ALERTS = ("alerted", "found", "missed")
"""What is counted beside losses where positives are rare."""

HALF_LIFE = 1_000
"""Labelled events after which a loss weighs half in the decayed mean."""

KEEP = 0.5 ** (1.0 / HALF_LIFE)

SETTLED = round(1.0 / (1.0 - KEEP))
"""Events after which a plain mean's weight would fall below a decayed one's."""

BINS = 8_192
"""Of scores, for ranking: average precision is then within .002 of the exact one where 1 event in 200 is positive."""

FAR = 32.0
"""Logits from which on bins widen faster: fewer scores lie there than doubles can tell apart."""


class Scored(Struct):
    """One model's answers to labelled events: arrays of length n (scores are (n, classes) when multiclass)."""

    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    scores: NDArray[np.float64]
    known: dict[str, NDArray[np.float64]] | None = None

    def losses(self, kind: str) -> dict[str, NDArray[np.float64]]:
        """Each event's 0/1 loss, log loss (nats) and Brier score; the last two only for probabilities.

        Of anomaly detectors 0/1, too: whether it was ``alerted``, and whether a positive was ``found`` or ``missed``.
        Two classes: Brier is (p - y)^2. More: the sum of that over the classes. Log loss is clipped at EPSILON.

        >>> batch = Scored(np.array([1, 0]), np.array([1, 1]), np.array([0.8, 0.6]))
        >>> {name: values.round(3).tolist() for name, values in batch.losses("binary").items()}
        {'error': [0.0, 1.0], 'log_loss': [0.223, 0.916], 'brier': [0.04, 0.36]}
        """
        if self.known is None:
            self.known = _losses(self, kind)
        return self.known


def scored(labelled: Sequence[Labelled], classes: dict[str, int]) -> dict[str, Scored]:
    """The answers of each of MODELS, without the events that it did not score."""
    labels = np.array([classes[record.label] for record in labelled], dtype=np.int64)
    return {
        "online": _scored(labels, classes, [r.online_label for r in labelled], [r.online for r in labelled]),
        "baseline": _scored(labels, classes, [r.baseline_label for r in labelled], [r.baseline for r in labelled]),
        "served": _scored(labels, classes, [r.served_label for r in labelled], [r.served for r in labelled]),
    }


def by_version(labelled: Sequence[Labelled], classes: dict[str, int]) -> dict[str, Scored]:
    """The answers of each baseline that scored some of the events: of the one in use then, and of its shadows."""
    labels = np.array([classes[record.label] for record in labelled], dtype=np.int64)
    found = {}
    for version in dict.fromkeys(v for r in labelled for v in (r.baseline_version, *r.shadows) if v is not None):
        own = [
            (r.baseline, r.baseline_label)
            if r.baseline_version == version
            else (r.shadows[version].score, r.shadows[version].label)
            if version in r.shadows
            else (None, None)
            for r in labelled
        ]
        found[version] = _scored(labels, classes, [label for _, label in own], [score for score, _ in own])
    return found


def _scored(
    labels: NDArray[np.int64], classes: dict[str, int], answers: Sequence[str | None], scores: Sequence[Score]
) -> Scored:
    if None in answers:
        there = [index for index, answer in enumerate(answers) if answer is not None]
        labels, answers, scores = labels[there], [answers[i] for i in there], [scores[i] for i in there]
    places = [classes[answer] for answer in answers]  # type: ignore[index] # None has just been left out
    return Scored(labels, np.array(places, dtype=np.int64), np.array(scores, dtype=float))


def _losses(batch: Scored, kind: str) -> dict[str, NDArray[np.float64]]:
    result = {"error": (batch.labels != batch.answers).astype(float)}
    if kind == "anomaly":
        positive, alerted = batch.labels == 1, batch.answers == 1
        counts = {"alerted": alerted, "found": positive & alerted, "missed": positive & ~alerted}
        return result | {name: those.astype(float) for name, those in counts.items()}
    p = np.clip(batch.scores, EPSILON, 1.0 - EPSILON)
    if kind == "binary":
        right = np.where(batch.labels == 1, p, 1.0 - p)
        result["brier"] = (batch.scores - batch.labels) ** 2
    else:
        rows = np.arange(len(batch.labels))
        right = (p / p.sum(axis=1, keepdims=True))[rows, batch.labels] if len(rows) else np.empty(0)
        truth = np.zeros_like(batch.scores)
        truth[rows, batch.labels] = 1.0
        result["brier"] = ((batch.scores - truth) ** 2).sum(axis=1) if len(rows) else np.empty(0)
    return {"error": result["error"], "log_loss": -np.log(right), "brier": result["brier"]}


class LossTotals:
    """Sums and decayed means of one model's losses."""

    def __init__(self) -> None:
        self.events = 0
        self.sums: dict[str, float] = {}
        self.decayed: dict[str, float] = {}

    def shown(self) -> tuple[int, dict[str, float], dict[str, float]]:
        """Events, sums and decayed means, as a copy."""
        return self.events, dict(self.sums), dict(self.decayed)

    def update(self, batch: dict[str, NDArray[np.float64]]) -> None:
        """Take in a batch of losses, in order."""
        n = len(batch["error"])
        if not n:
            return
        # The first events weigh alike, as in a plain mean; from there on each weighs 1 - KEEP.
        first = min(n, max(0, SETTLED - self.events))
        weights = (1.0 - KEEP) * KEEP ** np.arange(n - first - 1, -1, -1.0)
        for name, values in batch.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(values.sum())
            mean = self.decayed.get(name, 0.0)
            if first:
                mean = (mean * self.events + float(values[:first].sum())) / (self.events + first)
            self.decayed[name] = mean * KEEP ** (n - first) + float(values[first:] @ weights)
        self.events += n


def _bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins of scores in [0, 1] for ranking: fine in the middle, and still telling 1e-9 from 1e-10 at the ends.

    Their width is 1 + |logit| by logits, up to a factor, and beyond FAR the square of that.
    """
    with np.errstate(divide="ignore"):
        logits = np.log(scores) - np.log1p(-scores)
    nearness = 1.0 / (1.0 + np.abs(logits))  # 0 for scores of 0 and 1
    places = -np.sign(logits) * np.log(nearness + (1.0 - nearness) / FAR) / np.log(FAR)
    bins: NDArray[np.int64] = ((places + 1.0) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
    return bins


class Performance:
    """Figures of one model over a stretch of labelled events.

    ROC AUC and average precision come from histograms of the scores, BINS bins a class, so that memory is flat; scores
    that fall into one bin count as ties.
    """

    def __init__(self, kind: str, classes: int) -> None:
        self.kind = kind
        self.confusion = np.zeros((classes, classes), dtype=np.int64)
        self.sums = {"log_loss": 0.0, "brier": 0.0}
        self.scores = np.zeros((2, BINS), dtype=np.uint32)  # half the memory, which many segments multiply

    def update(self, batch: Scored) -> None:
        """Take in a batch."""
        if not len(batch.labels):
            return
        classes = len(self.confusion)
        cells = np.bincount(batch.labels * classes + batch.answers, minlength=classes * classes)
        self.confusion += cells.reshape(classes, classes)
        values = batch.losses(self.kind)
        for name in self.sums:
            if name in values:
                self.sums[name] += float(values[name].sum())
        if self.kind != "multiclass":
            bins = _bins(batch.scores)
            self.scores += (
                np.bincount(batch.labels * BINS + bins, minlength=2 * BINS).reshape(2, BINS).astype(np.uint32)
            )

    def figures(self) -> dict[str, Any]:
        """The figures of ``summary.json``; None where one does not apply or there is nothing to go by.

        Where positives are rare, a model that finds none is right nearly always: there are no errors and accuracies of
        anomaly detectors, but how many alerts they gave and how many positives these found.

        >>> performance = Performance("anomaly", 2)
        >>> performance.update(Scored(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.2])))
        >>> {name: performance.figures()[name] for name in ("alerted", "found", "missed", "precision", "recall")}
        {'alerted': 2, 'found': 1, 'missed': 1, 'precision': 0.5, 'recall': 0.5}
        """
        return {**(self._alerts() if self.kind == "anomaly" else self._answers()), **self._ranking()}

    def _alerts(self) -> dict[str, Any]:
        (_, false), (missed, found) = self.confusion.tolist()
        return {
            "alerted": found + false,
            "found": found,
            "missed": missed,
            "precision": found / (found + false) if found + false else None,
            "recall": found / (found + missed) if found + missed else None,
        }

    def _answers(self) -> dict[str, Any]:
        n = int(self.confusion.sum())
        right = self.confusion.diagonal()
        per_class = self.confusion.sum(axis=1)
        return {
            "errors": n - int(right.sum()),
            "accuracy": float(right.sum() / n) if n else None,
            "balanced_accuracy": float((right[per_class > 0] / per_class[per_class > 0]).mean()) if n else None,
            "log_loss": self.sums["log_loss"] / n if n else None,
            "brier": self.sums["brier"] / n if n else None,
        }

    def _ranking(self) -> dict[str, float | None]:
        negatives, positives = self.scores[:, ::-1].astype(float)
        if self.kind == "multiclass" or not negatives.sum() or not positives.sum():
            return {"roc_auc": None, "average_precision": None}
        found, alarms = positives.cumsum(), negatives.cumsum()
        above = found - positives / 2
        auc = float((above * negatives).sum() / (positives.sum() * negatives.sum()))
        some = positives > 0
        precision = found[some] / (found[some] + alarms[some])
        return {"roc_auc": auc, "average_precision": float((precision * positives[some]).sum() / positives.sum())}
