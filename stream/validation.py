"""What models did with rows that they had not learned from: what rot and drift are measured against.

The baseline: fitted on what lies before each block of the newest rows, as it is in use it has learned from all of them
(Dawid 1984, "prequential"). The online model: tested on each row before it learned from it, on the newer half, as it
had learned next to nothing before.

Where some rows are likelier to be labelled than others, those that are drawn judge: ``counts`` says which rows do.
"""

from collections.abc import Callable, Sequence
from itertools import compress, pairwise
from typing import Any

import numpy as np

from stream import baseline as batch
from stream.baseline import Baseline
from stream.config import Kind, Stream
from stream.errors import TrainingError
from stream.missed import missed
from stream.records import Score
from stream.reference import Expected
from stream.risk import LEAST_JUDGED, LEAST_POSITIVES, risk
from stream.training.reference import reference, watched

SHARE = 5
"""One in so many rows, the newest, is a block; as many blocks as LEAST_JUDGED rows take."""


def online_risk(scores: Sequence[Score], labels: Sequence[int], counts: Sequence[bool]) -> float | None:
    """As ``upper``, on the newer half of the rows."""
    return upper(*_newest(len(labels) - len(labels) // 2, counts, scores, labels))


def online_missed(scores: Sequence[Score], labels: Sequence[int], counts: Sequence[bool]) -> float | None:
    """As ``upper_missed``, on the newer half of the rows."""
    newer = _newest(len(labels) - len(labels) // 2, counts, scores, labels)
    return upper_missed(np.array(newer[0], dtype=float), newer[1])


def baseline_scores(
    make: Callable[[], Any], frame: Any, labels: Sequence[int], kind: Kind, classes: int, *, novelty: bool = False
) -> Sequence[Score]:
    """What ``make`` gives says of the newest rows, each fitted on those before its block.

    Nothing with fewer than LEAST_JUDGED rows to judge it by, or where the rows before a block lack a class.
    """
    rows = len(labels)
    judged = max(LEAST_JUDGED, rows // SHARE)
    if judged > rows // 2:
        return []
    edges = [*range(rows - judged, rows, max(1, rows // SHARE)), rows]
    scores: list[Score] = []
    try:
        for begin, end in pairwise(edges):
            estimator = make()
            batch.fit(estimator, frame.iloc[:begin], labels[:begin], kind, classes, novelty=novelty)
            scores += Baseline(estimator, kind, "").score(frame.iloc[begin:end])
    except TrainingError:
        return []
    return scores


def missed_risk(scores: Sequence[Score], labels: Sequence[int], counts: Sequence[bool]) -> float | None:
    """As ``upper_missed``; ``scores`` are of the newest rows, by what had not learned from them."""
    told, judged = _newest(len(scores), counts, scores, labels)
    return upper_missed(np.asarray(told, dtype=float), judged)


def upper_missed(scores: np.ndarray, labels: Sequence[int]) -> float | None:
    """The same of rows in the order of time that have been scored by what had not learned from them."""
    lost = missed(scores.tolist(), [label == 1 for label in labels])
    return risk(np.array(lost)).high if len(lost) >= LEAST_POSITIVES else None


def upper(scores: Sequence[Score], labels: Sequence[int]) -> float | None:
    """The upper end of the interval of the risk; None with fewer than LEAST_JUDGED rows to judge it by."""
    if len(labels) < LEAST_JUDGED:
        return None
    told = np.asarray(scores, dtype=float)
    answers = told.argmax(axis=1) if told.ndim > 1 else (told >= 0.5).astype(int)
    return risk((answers != np.asarray(labels)).astype(float)).high


def _newest(rows: int, counts: Sequence[bool], *columns: Sequence[Any]) -> list[list[Any]]:
    """Of the newest so many rows those that count, of each column; a column may have the newest rows only."""
    return [list(compress(of[max(0, len(of) - rows) :], counts[max(0, len(counts) - rows) :])) for of in columns]


def expected(
    stream: Stream,
    frame: Any,
    labels: Sequence[int],
    scores: Sequence[Score],
    counts: Sequence[bool],
    missing: float | None = None,
) -> Expected:
    """What a baseline does where nothing changes; ``scores`` are of the newest rows, as many as there are.

    Rows of an anomaly detector have -1 for the label that they lack, and its risk is ``missing``.
    """
    if not any(counts):
        return Expected()
    scores, judged = _newest(len(scores), counts, scores, labels)
    labels = list(compress(labels, counts))
    if len(frame):  # where all scores are given there are no columns, and so no rows of them
        frame = frame[np.array(counts)]
    likeliest = np.array([max(score) if isinstance(score, list) else score for score in scores], dtype=float)
    counts = np.bincount([label for label in labels if label >= 0], minlength=len(stream.classes)).tolist()
    return Expected(
        upper(scores, judged) if stream.kind != "anomaly" else missing,
        watched(reference(stream.features.logged, frame, likeliest)),
        dict(zip(stream.classes, counts, strict=True)) if any(counts) else {},
    )
