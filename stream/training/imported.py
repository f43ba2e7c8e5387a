"""The card of a baseline that was trained elsewhere, by labelled rows that it has not been trained on."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from stream.baseline import Baseline, load, version
from stream.errors import ModelError, TrainingError
from stream.factories import guarded
from stream.risk import LEAST_JUDGED, risk
from stream.training.calibration import brier, calibration_error, reliability
from stream.training.card import Calibration, Card
from stream.training.diagnosis import leaks
from stream.training.reference import reference
from stream.training.scores import Array, answers, positive, probabilities
from stream.training.train import Order, Trained, fingerprint
from stream.training.trials import Data

IMPORTED = "imported"
"""What the card says in place of a recipe."""


def needs_values(baseline: Baseline, data: Data) -> str:
    """What the baseline raises for a row whose numbers and categories are all missing; empty where it scores it."""
    columns = [*data.features.numbers, *data.features.categorical, *data.features.onehot]
    row = data.frame.iloc[:1].copy()
    for name in columns:
        row[name] = np.nan if name in data.features.numbers else pd.Series([None], dtype=object, index=row.index)
    try:
        baseline.score(row)
    except ModelError as error:
        return str(error)
    return ""


def judge_imported(
    artifact: bytes,
    data: Data,
    times: Array | None,
    order: Order,
    packages: Mapping[str, str],
    left_out: Mapping[str, int],
) -> Trained:
    """Judge a skops file on rows in the order of time; ``order`` says for which aim.

    Where the aim has a threshold, the older half of the rows sets it and the newer half judges. Raises StateError for a
    file that is not trusted, TrainingError for an estimator that cannot score these rows, or of other classes.
    """
    judging = data.judging(np.arange(len(data.labels)))
    if not judging.all():
        # Nothing is fitted: rows that may not judge are of no use.
        times = None if times is None else times[judging]
        data = Data(data.frame[judging], data.labels[judging], data.classes, data.features)
    with guarded("the baseline's file"):
        estimator = load(artifact, order.kind, "").estimator
    known = [str(name) for name in getattr(estimator, "classes_", [])]
    if known not in ([str(index) for index in range(data.classes)], order.classes):
        raise TrainingError(
            f"the baseline's classes are {known}, in this order, and the stream's {order.classes}: is it a fitted "
            "classifier? Train it on the places of the classes: 0 for the first, 1 for the second, ..."
        )
    with guarded("the baseline, on the rows of its card,"):
        Baseline(estimator, order.kind, IMPORTED).score(data.frame.iloc[:8])  # as a stream will ask it
        made = probabilities(estimator, data.frame)
    threshold, first = 0.5, 0
    if not order.aim.plain:
        first = len(data.labels) // 2
        threshold = order.aim.threshold(data.labels[:first], positive(made)[:first])
    judged, truth = made[first:], data.labels[first:]
    measured = risk(order.aim.losses(truth, answers(judged, threshold)))
    with guarded("the baseline's file"):
        baseline = load(artifact, order.kind, version(estimator))
    error, score, bins = calibration_error(truth, judged), brier(truth, judged), reliability(truth, judged)
    half = len(data.labels) // 2
    card = Card(
        stream=order.stream,
        kind=order.kind,
        features=data.features,
        version=baseline.version,
        chosen=IMPORTED,
        plain="",
        scheme=IMPORTED,
        folds=[],
        rows=len(data.labels),
        fitted=0,
        first=None if times is None else float(times[0]),
        last=None if times is None else float(times[-1]),
        classes={name: int((data.labels == index).sum()) for index, name in enumerate(order.classes)},
        left_out=dict(left_out),
        aim=order.aim,
        threshold=threshold,
        flagged=None if order.aim.alert_budget is None else risk(answers(judged, threshold).astype(float)),
        risk=measured,
        absolute=measured.rows >= LEAST_JUDGED,
        trivial_risk=float(order.aim.trivial(truth, data.classes).mean()),
        against_plain=None,
        reading=None,
        leaks=leaks(
            data.features,
            data.frame.iloc[:half],
            data.labels[:half],
            data.frame.iloc[half:],
            data.labels[half:],
        ),
        calibration=Calibration(False, error, error, score, score, bins, bins),
        tried=[],
        lookbacks=None,
        cut_short=False,
        learning_curve=[],
        stopping_curve=[],
        elimination_curve=[],
        kept=data.features.columns,
        reference=reference(data.features, data.frame, positive(made)),
        fingerprint=fingerprint(data, order.classes),
        packages=dict(packages),
        seed=order.seed,
        seconds=0.0,
    )
    return Trained(baseline, artifact, card)
