"""How far estimates without labels are to be believed, and what an online model becomes that learns from chosen labels.

Warm-up 2,500 rows, which both models learn; then both are tested on each row, and the online model learns it. Mail: as
in bench/mail_worlds.py. Tables: standardised numbers, in front of a logistic regression (insects: a forest of 30 trees)
and of a Hoeffding adaptive tree (SEA: a logistic regression). Profiles of 100 events.
"""

from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from river import compose, linear_model, multiclass, optim, preprocessing, tree
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench import online_models
from bench.report import DATA, Figure, at_most
from bench.worlds import Array
from consumers.settings import load
from stream.drift.requests import Requests
from stream.drift.rot import DETECTORS, PAIRED, Limits, Reference, begin
from stream.drift.unlabelled import DisagreementEstimate, OnlineAsJudgeEstimate
from stream.online import logistic

WARM_UP, EVERY = 2_500, 100
SPAM_DRIFT = 4_994
N = 10_000.0
SEED = 1


class Answers(Struct, frozen=True):
    """What both models called after the warm-up, the truth, and 1 - p_online of what the baseline called."""

    truth: Array
    baseline: Array
    online: Array
    doubt: Array


class Case(Struct, frozen=True):
    """A stream with the row of its first true drift, and what ROT.md section 8 found: an alarm's delay, the error."""

    file: str
    drift: int | None
    delay: int | None
    off: float


TABLES = {
    "SEA": Case("sea_street_kim_50000.csv.gz", 12_500, 19_804, 0.045),
    "sine": Case("harvard_synth/sine_0123_abrupto.csv.gz", 10_000, 94, 0.017),
    "mixed": Case("harvard_synth/mixed_0101_abrupto.csv.gz", 10_000, 344, 0.092),
    "rt": Case("harvard_synth/rt_2563789698568873_abrupto.csv.gz", 10_000, 411, 0.078),
    "stagger": Case("harvard_synth/stagger_0120_abrupto.csv.gz", 10_000, 10_564, float("inf")),
    "insects": Case("insects_gradual_balanced_24150.csv.gz", None, None, 0.037),
    "elec2": Case("elec2_electricity.csv.gz", None, None, 0.023),
}


def unlabelled() -> list[Figure]:
    """Alarms of disagreement, and how far the online model's guess of the baseline's errors was off."""
    figures = []
    for name, case in TABLES.items():
        answers = table(case.file, name)
        drift = None if case.drift is None else case.drift - WARM_UP
        figures += [*_disagreement(name, answers, drift, case.delay), *_judge(name, answers, case.off)]
    mails = online_models.rows("enron_spam_stream.jsonl.gz")
    answers = mail(mails)
    figures += [
        *_disagreement("Enron", answers, SPAM_DRIFT - WARM_UP, 145),
        *_judge("Enron", answers, 0.015),
    ]
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(mails)).tolist()
        answers = mail([mails[at] for at in order])
        found = len(_alarms(answers))
        figures.append(at_most(f"Enron shuffled, seed {seed}: alarms of disagreement", found, 0))
        figures += _judge(f"Enron shuffled, seed {seed}", answers, 0.019)
    return figures


def _alarms(answers: Answers) -> list[int]:
    estimate = DisagreementEstimate(N)
    differ = answers.baseline != answers.online
    return [
        first + EVERY
        for first in range(0, len(differ) - EVERY + 1, EVERY)
        if estimate.update(int(differ[first : first + EVERY].sum()), EVERY) is not None
    ]


def _disagreement(name: str, answers: Answers, drift: int | None, delay: int | None) -> list[Figure]:
    """The bar is the study's delay, in whole profiles, and one more."""
    found = _alarms(answers)
    if drift is None:
        return [Figure(f"{name}: alarms of disagreement", len(found))]
    after = [at - drift for at in found if at > drift]
    figure = f"{name}: events from the drift to an alarm of disagreement"
    first = after[0] if after else float("inf")
    return [
        Figure(figure, first) if delay is None else at_most(figure, first, -(-delay // EVERY) * EVERY + EVERY),
        Figure(f"{name}: alarms of disagreement before it", len(found) - len(after)),
    ]


def _judge(name: str, answers: Answers, off: float) -> list[Figure]:
    estimate = OnlineAsJudgeEstimate()
    for doubt, error in zip(answers.doubt.tolist(), (answers.baseline != answers.truth).tolist(), strict=True):
        estimate.labelled(doubt, float(error))
    assert estimate.off_by is not None
    assert estimate.corrected_off_by is not None
    what = f"{name}: distance of the guessed share of errors from the truth, blocks of 500"
    return [
        at_most(what, estimate.off_by, off) if off < 1 else Figure(what, estimate.off_by),
        Figure(f"{what}, corrected by labels", estimate.corrected_off_by),
    ]


# ------------------------------------------------------------------------------------------- models


def table(file: str, name: str) -> Answers:
    """Of a table whose last column is the class."""
    frame = pd.read_csv(DATA / file, header=None if name == "insects" else 0)
    if name == "elec2":
        frame = frame.drop(columns="date")
    values, labels = frame.iloc[:, :-1].to_numpy(dtype=float), pd.factorize(frame.iloc[:, -1])[0]
    learner: Any = RandomForestClassifier(30, random_state=SEED) if name == "insects" else LogisticRegression()
    fitted = make_pipeline(StandardScaler(), learner).fit(values[:WARM_UP], labels[:WARM_UP])
    baseline = fitted.predict(values[WARM_UP:])
    if name == "SEA":
        model: Any = multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    else:
        model = tree.HoeffdingAdaptiveTreeClassifier(grace_period=50, seed=SEED)
    online = compose.Pipeline(preprocessing.StandardScaler(), model)
    called, doubts = [], []
    classes = range(int(labels.max()) + 1)
    for at, (row, label) in enumerate(zip(values.tolist(), labels.tolist(), strict=True)):
        x = dict(enumerate(row))
        if at >= WARM_UP:
            said = online.predict_proba_one(x)
            called.append(max(classes, key=lambda each: said.get(each, 0.0)))
            doubts.append(1.0 - said.get(int(baseline[at - WARM_UP]), 0.0))
        online.learn_one(x, label)
    return Answers(labels[WARM_UP:], baseline, np.array(called), np.clip(doubts, 0.0, 1.0))


def mail(mails: list[online_models.Mail]) -> Answers:
    """Of mails, with the online model in use."""
    settings = load(None).streams["spam"]
    inputs = online_models.project(settings.features)
    found = online_models.run(inputs, {"online": logistic(settings)}, mails, WARM_UP)["online"].scores
    truth, baseline = _mail_baseline(mails)
    return Answers(truth, baseline, found >= 0.5, np.where(baseline, 1 - found, found))


def _mail_baseline(mails: list[online_models.Mail]) -> tuple[Array, Array]:
    texts = [each["text"] for each in online_models.cut(mails)]
    labels = np.array([each["label"] == "spam" for each in mails])
    words = TfidfVectorizer()
    model = LogisticRegression(C=10, max_iter=1_000).fit(words.fit_transform(texts[:WARM_UP]), labels[:WARM_UP])
    return labels[WARM_UP:], np.asarray(model.predict(words.transform(texts[WARM_UP:])))


# ------------------------------------------------------------------------------------------- label requests

POLICIES = {
    "all labels": None,
    "only disagreements": Requests(0.0, disagreements=True),
    "1% at random": Requests(0.01),
    "1% at random, and disagreements": Requests(0.01, disagreements=True),
    "20% at random": Requests(0.2),
}


def requests() -> list[Figure]:
    """What becomes on Enron of an online model that learns from the labels asked for, and when rot is then found.

    The study's online model: gradient descent with rate 2 on words as 0/1, of length 1. The evidence is given every
    event on which the models disagree; where they agree it is no gap, whatever the label.
    """
    mails = online_models.rows("enron_spam_stream.jsonl.gz")
    truth, baseline = _mail_baseline(mails)
    inputs = online_models.hashed(binary=True, norm="l2")
    models = {name: linear_model.LogisticRegression(optim.SGD(2.0)) for name in POLICIES}
    for x, each in zip(inputs(mails[:WARM_UP]), mails[:WARM_UP], strict=True):
        for model in models.values():
            model.learn_one(x, each["label"] == "spam")
    rots = {name: begin(Limits(int(N / DETECTORS)), Reference(), Reference()) for name in POLICIES}
    errors, labels = dict.fromkeys(POLICIES, 0), dict.fromkeys(POLICIES, 0)
    alarms: dict[str, list[int]] = {name: [] for name in POLICIES}
    for first in range(WARM_UP, len(mails), online_models.BATCH):
        ready = inputs(mails[first : first + online_models.BATCH])
        for at, x in enumerate(ready, first):
            label, ours = bool(truth[at - WARM_UP]), bool(baseline[at - WARM_UP])
            for name, policy in POLICIES.items():
                model = models[name]
                called = model.predict_proba_one(x).get(True, 0.5) >= 0.5
                errors[name] += called != label
                if any(
                    one.detector == PAIRED for one in rots[name].update(float(ours != label), float(called != label))
                ):
                    alarms[name].append(at)
                if policy is None or policy.wanted(str(at), disagree=called != ours) is not None:
                    labels[name] += 1
                    model.learn_one(x, label)
    figures = [Figure("Enron errors of the baseline", float((baseline != truth).sum()))]
    for name in POLICIES:
        after = [at - SPAM_DRIFT for at in alarms[name] if at >= SPAM_DRIFT]
        figures += [
            Figure(f"Enron, online model learns from {name}: its errors", errors[name]),
            Figure(f"Enron, online model learns from {name}: labels", labels[name]),
            Figure(
                f"Enron, online model learns from {name}: events from the drift to the paired alarm",
                after[0] if after else float("inf"),
            ),
            Figure(f"Enron, online model learns from {name}: paired alarms before it", len(alarms[name]) - len(after)),
        ]
    return figures
