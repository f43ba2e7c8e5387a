"""Training a baseline of an anomaly stream: a detector, or where labels say that it is better a classifier.

As ``stream.training.train``: search, judge on rows that nobody has looked at, fit on all rows. There is no sigmoid, as
scores are no probabilities, and all rows fit: how far back to look is told by errors, of which there are too few.
"""

from collections.abc import Mapping

import numpy as np

from stream.baseline import dump, load, version
from stream.missed import missed
from stream.risk import LEAST_POSITIVES, difference, risk
from stream.training.card import Card, Tried
from stream.training.diagnosis import leaks
from stream.training.families import anomaly_candidates
from stream.training.judging import columns
from stream.training.rankings import Rankings, anomaly_scores
from stream.training.reference import reference
from stream.training.scores import Array
from stream.training.search import Budget, Told, search, unheard
from stream.training.splits import Plan, plan
from stream.training.train import Order, Trained, fingerprint, parts
from stream.training.trials import Data, Trial


def train_anomalies(
    data: Data,
    times: Array | None,
    order: Order,
    budget: Budget,
    packages: Mapping[str, str],
    left_out: Mapping[str, int],
    told: Told = unheard,
) -> Trained:
    """Train on rows that are in the order of time, of which some or all may lack a label (-1); else as ``train``.

    The aim is a budget of alerts, which sets the threshold by the judged rows. Raises TrainingError for rows that
    cannot be trained on.
    """
    rows = len(data.labels)
    made = plan(rows, order.scheme, order.seed, leave_one_out=0)
    trials = Rankings(data, made, order.aim, order.seed, novelty=order.novelty)
    labels = trials.by == "average precision"
    recipes = anomaly_candidates(data.features, len(made.folds[-1].fit), order.seed, labels=labels)
    found = search(trials, recipes, budget, told)
    chosen = found.chosen
    judge = np.sort(made.judge)
    judge = judge[data.judging(judge)]
    scores = _judged(trials, chosen, made, judge)
    lost = _missed(scores, data.labels[judge])
    estimator = trials.fit(chosen.candidate, np.arange(rows), chosen.iterations)
    artifact = dump(estimator)
    baseline = load(artifact, order.kind, version(estimator))
    measured = risk(lost)
    card = Card(
        stream=order.stream,
        kind=order.kind,
        features=data.features,
        version=baseline.version,
        chosen=str(chosen.candidate),
        plain=str(found.plain.candidate),
        scheme=made.scheme,
        folds=parts(made, rows),
        rows=rows,
        fitted=len(trials.learns_from(chosen.candidate, np.arange(rows))),
        first=None if times is None else float(times[0]),
        last=None if times is None else float(times[-1]),
        classes={name: int((data.sample[1] == index).sum()) for index, name in enumerate(order.classes)},
        left_out=dict(left_out),
        aim=order.aim,
        threshold=order.aim.threshold(data.labels[judge], scores),
        flagged=None,
        risk=measured,
        absolute=measured.rows >= LEAST_POSITIVES,
        trivial_risk=1.0,
        against_plain=_beside(lost, _missed(_judged(trials, found.plain, made, judge), data.labels[judge])),
        reading=None,
        leaks=_leaks(data, made) if labels else [],
        calibration=None,
        tried=[
            Tried(str(t.candidate), t.rows, None, t.risk, t.brier, t.average_precision)
            for t in sorted(found.trials, key=lambda t: (-t.share, t.risk))
        ],
        lookbacks=None,
        cut_short=found.cut_short,
        learning_curve=[],
        stopping_curve=chosen.curve,
        elimination_curve=[],
        kept=columns(estimator, data.features),
        reference=reference(data.features, data.sample[0], scores),
        fingerprint=fingerprint(data, order.classes),
        packages=dict(packages),
        seed=order.seed,
        seconds=budget.spent(),
        chosen_by=trials.by,
        judged=len(judge),
    )
    return Trained(baseline, artifact, card)


def _judged(trials: Rankings, trial: Trial, made: Plan, judge: Array) -> Array:
    """Scores of the judged rows by a fit on those that chose."""
    estimator = trials.fit(trial.candidate, made.chosen_on, trial.iterations)
    return anomaly_scores(estimator, trials.data.frame.iloc[judge])


def _missed(scores: Array, labels: Array) -> Array:
    return np.array(missed(scores.tolist(), (labels == 1).tolist()))


def _beside(ours: Array, plain: Array) -> tuple[float, float, float] | None:
    return difference(plain, ours) if len(ours) else None


def _leaks(data: Data, made: Plan) -> list[str]:
    fit = made.folds[-1].fit
    rest = np.setdiff1d(np.arange(len(data.labels)), fit)
    known, asked = (at[data.labels[at] >= 0] for at in (fit, rest))
    return leaks(data.features, data.frame.iloc[known], data.labels[known], data.frame.iloc[asked], data.labels[asked])
