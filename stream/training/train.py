"""Training a baseline: split, search, calibrate, judge, and fit the chosen settings anew on all rows."""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from pandas.util import hash_pandas_object

from stream.baseline import Baseline, dump, load, version
from stream.config import Kind
from stream.digest import digest
from stream.retraining import Scheme
from stream.risk import LEAST_JUDGED, difference, risk
from stream.training.aims import Aim
from stream.training.card import Card, Part, Tried
from stream.training.diagnosis import Point, Scale, leaks, read
from stream.training.families import candidates
from stream.training.judging import judge
from stream.training.keeping import LOOKED_AT, Eliminated, eliminate
from stream.training.lookback import Looks
from stream.training.reference import reference
from stream.training.scores import Array
from stream.training.search import Budget, Told, search, unheard
from stream.training.splits import Plan, plan
from stream.training.trials import NEWEST, Data, Trials

CURVE = (0.125, 0.25, 0.5)
"""Shares of the rows at which the learning curve is drawn, beside all of them."""


class Order(Struct, frozen=True):
    """What to train: for which aim, by which scheme, with which seed.

    ``classes``: of two the positive one is the last. ``alarmed``: when the last alarm was, seconds since the epoch.
    ``novelty``: detectors of anomalies are fitted on rows that are not labelled positive.
    """

    stream: str
    kind: Kind
    classes: list[str]
    aim: Aim = Aim()
    scheme: Scheme = "auto"
    seed: int = 1
    alarmed: float | None = None
    novelty: bool = False


class Trained(Struct):
    """A baseline, its skops file and its card."""

    baseline: Baseline
    artifact: bytes
    card: Card


def train(
    data: Data,
    times: Array | None,
    order: Order,
    budget: Budget,
    packages: Mapping[str, str],
    left_out: Mapping[str, int],
    told: Told = unheard,
) -> Trained:
    """Train a baseline on rows that are in the order of time.

    ``times``: of each row, seconds since the epoch; ``left_out``: rows that could not be used, by the reason; ``told``
    hears of each trial. Raises TrainingError for rows that cannot be trained on.
    """
    made = plan(len(data.labels), order.scheme, order.seed)
    trials = Trials(data, made, order.aim, order.seed)
    recipes = candidates(data.features, len(made.folds[-1].fit), order.seed)
    found = search(trials, recipes, budget, told)
    chosen = found.chosen
    alarmed = None
    if times is not None and order.alarmed is not None:
        alarmed = int(np.searchsorted(times, order.alarmed))
    looks = Looks(trials, chosen, np.concatenate([made.chosen_on, made.judge]), budget, alarmed)
    judged = judge(trials, looks, found.plain, order.aim)
    artifact = dump(judged.estimator)
    baseline = load(artifact, order.kind, version(judged.estimator))
    curve = [
        Point(trial.rows, trial.train_risk, trial.risk)
        for share in CURVE
        if (trial := trials.attempt(chosen.candidate, share)) is not None
    ]
    curve.append(Point(chosen.rows, chosen.train_risk, chosen.risk))
    measured = risk(judged.losses)
    fit = made.folds[-1].fit
    # A diagnosis chooses nothing, so that all that come later may be asked.
    rest = np.setdiff1d(np.arange(len(data.labels)), fit)
    rows = len(data.labels)
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
        fitted=judged.fitted,
        first=None if times is None else float(times[0]),
        last=None if times is None else float(times[-1]),
        classes={name: int((data.sample[1] == index).sum()) for index, name in enumerate(order.classes)},
        left_out=dict(left_out),
        aim=order.aim,
        threshold=judged.threshold,
        flagged=None if order.aim.alert_budget is None else risk(judged.flagged.astype(float)),
        risk=measured,
        absolute=measured.rows >= LEAST_JUDGED,
        trivial_risk=float(judged.trivial.mean()),
        against_plain=difference(judged.plain, judged.losses),
        reading=read(chosen.train_risk, chosen.risk, chosen.losses, curve, _scale(data, made, order.aim)),
        leaks=leaks(data.features, data.frame.iloc[fit], data.labels[fit], data.frame.iloc[rest], data.labels[rest]),
        calibration=judged.calibration,
        tried=[
            Tried(str(t.candidate), t.rows, t.train_risk, t.risk, t.brier)
            for t in sorted(found.trials, key=lambda t: (-t.share, t.risk, t.brier))
        ],
        lookbacks=judged.lookbacks,
        cut_short=found.cut_short,
        learning_curve=curve,
        stopping_curve=chosen.curve,
        elimination_curve=_elimination(data, fit, order.seed),
        kept=judged.kept,
        reference=reference(data.features, data.sample[0], judged.scores),
        fingerprint=fingerprint(data, order.classes),
        packages=dict(packages),
        seed=order.seed,
        seconds=budget.spent(),
        judged=measured.rows,
    )
    return Trained(baseline, artifact, card)


def fingerprint(data: Data, classes: list[str]) -> str:
    """A digest of what is trained on: columns, classes, rows in their order."""
    return digest([data.features.columns, classes, hash_pandas_object(data.frame).to_numpy(), data.labels])


def parts(made: Plan, rows: int) -> list[Part]:
    """Folds as spans of the rows; none where they are no spans."""
    if made.scheme == "k-fold":
        return []

    def span(at: Array) -> tuple[float, float]:
        return int(at[0]) / rows, (int(at[-1]) + 1) / rows

    return [Part(span(fold.fit), span(fold.predict)) for fold in made.folds]


def _scale(data: Data, made: Plan, aim: Aim) -> Scale:
    """What the risks on the rows that fit and on those that choose lie between."""
    fitted = np.concatenate([data.labels[fold.fit[-NEWEST:]] for fold in made.folds])
    asked = np.concatenate([data.labels[fold.predict] for fold in made.folds])
    trivial, other = (float(aim.trivial(labels, data.classes).mean()) for labels in (fitted, asked))
    return Scale(aim.unit, trivial, aim.least(fitted), other)


def _elimination(data: Data, fit: Array, seed: int) -> list[Eliminated]:
    if data.features.text or len(data.features.columns) < 2:
        return []
    at = fit[-LOOKED_AT:]
    return eliminate(data.features, data.features.columns, data.frame.iloc[at], data.labels[at], seed)[1]
