"""Rare positives: how soon the detector on positives finds drift in card transactions, and that it stays quiet else.

Simulated transactions of the Fraud Detection Handbook (Le Borgne et al., 2022), days 91 to 160, without the compromised
terminals before day 126: they begin at row 333,439, and frauds go from .35% to .89%. The baseline is frozen after the
first TRAINED days: random forest (100 trees of 50 rows a leaf at least, seed 1), or logistic regression behind a
StandardScaler. Its features: amount, hour, weekday; the customer's number and mean of amounts over 1 and 7 days; the
terminal's number, and the share of frauds of 7 days that ended a week ago. Labels come after DELAY days.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.report import DATA, Figure, at_most
from bench.worlds import Array, Chance
from stream.drift.bounded import Null
from stream.drift.evidence import Crossing, Detector, Evidence
from stream.missed import Missed
from stream.risk import LEAST_JUDGED, risk

FILE = "handbook_fraud_tx_d091_d160.csv.gz"
FIRST, DRIFT = 91, 126
"""Days."""

TRAINED, JUDGED, DELAY = 8, 14, 7
RUNS = 20
"""Runs, each without a random tenth of the customers."""

TOLERANCE = 0.05
"""Of the frauds, so many more may be missed than the reference says."""

DAY = 86_400


class Scored(Struct, frozen=True):
    """What a frozen baseline says of the transactions behind its training, in their order."""

    day: Array
    customer: Array
    score: Array
    fraud: Array


def positives() -> list[Figure]:
    """Alarms before the drift, positives until one behind it, and alarms by a change of prevalence alone."""
    figures = []
    for name in MODELS:
        scored = frozen(name)
        figures += [
            Figure(f"{name}: average precision before the drift", _precision(scored, scored.day < DRIFT)),
            Figure(f"{name}: average precision behind it", _precision(scored, scored.day >= DRIFT)),
            *_drifted(name, [_found(scored)]),
        ]
        chance = np.random.default_rng(21)
        some = [chance.permutation(5_000)[500:] for _ in range(RUNS)]
        figures += _drifted(
            f"{name}, {RUNS} runs without a tenth of the customers",
            [_found(_of(scored, np.isin(scored.customer, kept))) for kept in some],
        )
        figures += _prevalence(name, scored)
    return figures


class Watched(Struct):
    """The absolute detector alone, on the positives that a model misses."""

    missed: Missed
    detector: Detector

    def update(self, score: float, *, positive: bool) -> Crossing | None:
        """Take in one event; the alarm that it raises."""
        loss = self.missed.update(score, positive=positive)
        return None if loss is None else self.detector.update(loss)


def watch(missed: Missed, reference: float, every: float = 1_000.0) -> Watched:
    """Begin where ``missed`` is; TOLERANCE above the reference is tolerated, and an alarm in so many frauds."""
    null = Null("missed positives", 0.0, 1.0, reference + TOLERANCE)
    return Watched(missed, Detector("absolute_positives", every, [Evidence(null)]))


# ------------------------------------------------------------------------------------------- the drift


class Found(Struct, frozen=True):
    """``judged``: positives by which the reference was found, and it. ``late``: None where nothing is found."""

    judged: int
    reference: float
    watched: int
    early: int
    late: int | None
    events: int | None
    days: float | None


def _drifted(name: str, found: list[Found]) -> list[Figure]:
    late = [float("inf") if one.late is None else float(one.late) for one in found]
    days = [float("inf") if one.days is None else one.days for one in found]
    events = [float("inf") if one.events is None else float(one.events) for one in found]
    return [
        Figure(f"{name}: positives of the reference, fewest", min(one.judged for one in found)),
        Figure(f"{name}: reference, median", float(np.median([one.reference for one in found]))),
        Figure(f"{name}: positives watched before the drift, fewest", min(one.watched for one in found)),
        at_most(f"{name}: alarms before the drift", sum(one.early for one in found), 0),
        at_most(f"{name}: positives from the drift to the alarm, most", max(late), 50),
        Figure(f"{name}: positives from the drift to the alarm, median", float(np.median(late))),
        Figure(f"{name}: transactions from the drift to the alarm, median", float(np.median(events))),
        Figure(f"{name}: days from the drift to the alarm, labels' delay included, median", float(np.median(days))),
    ]


def _found(scored: Scored) -> Found:
    """Judge JUDGED days, then watch to the end."""
    until = FIRST + TRAINED + JUDGED
    missed, losses = Missed(), []
    before = scored.day < until
    for score, positive in _rows(scored, before):
        loss = missed.update(score, positive=positive)
        losses += [] if loss is None else [loss]
    reference = risk(np.array(losses)).high
    watched, early, healthy, drifted = watch(missed, reference), 0, 0, 0
    drift = int((scored.day[~before] < DRIFT).sum())
    begun = scored.day[~before][drift]
    for at, (score, positive) in enumerate(_rows(scored, ~before)):
        crossing = watched.update(score, positive=positive)
        healthy += positive and at < drift
        drifted += positive and at >= drift
        if crossing is not None and at < drift:
            early += 1
        elif crossing is not None:
            days = float(scored.day[~before][at] - begun) + DELAY
            return Found(len(losses), reference, healthy, early, drifted, at - drift + 1, days)
    return Found(len(losses), reference, healthy, early, None, None, None)


def _rows(scored: Scored, chosen: Array) -> Any:
    return zip(scored.score[chosen].tolist(), scored.fraud[chosen].tolist(), strict=True)


def _of(scored: Scored, chosen: Array) -> Scored:
    return Scored(scored.day[chosen], scored.customer[chosen], scored.score[chosen], scored.fraud[chosen])


def _precision(scored: Scored, chosen: Array) -> float:
    return float(average_precision_score(scored.fraud[chosen], scored.score[chosen]))


# ------------------------------------------------------------------------------------------- prevalence alone

BEFORE, BEHIND = 250_000, 50_000
"""Transactions of each run, drawn from those before the drift: .35% of them frauds, then 2%."""


def _prevalence(name: str, scored: Scored) -> list[Figure]:
    chance = np.random.default_rng(22)
    healthy = scored.day < DRIFT
    scores = [scored.score[healthy & (scored.fraud == one)] for one in (False, True)]
    found = dict.fromkeys(("events not positive", "all events"), 0)
    for _ in range(RUNS):
        drawn = [_drawn(chance, scores, count, share) for count, share in ((BEFORE, 0.0035), (BEHIND, 0.02))]
        for words in found:
            found[words] += _alarmed(drawn, every=words == "all events")
    what = f"{name}: of {RUNS} runs, alarms by .35% -> 2% alone, quantile of"
    return [
        at_most(f"{what} events not positive", found["events not positive"], 2),
        Figure(f"{what} all events", found["all events"]),
    ]


def _drawn(chance: Chance, scores: list[Array], count: int, share: float) -> list[tuple[float, bool]]:
    fraud = chance.random(count) < share
    drawn = np.where(fraud, chance.choice(scores[1], count), chance.choice(scores[0], count))
    return list(zip(drawn.tolist(), fraud.tolist(), strict=True))


def _alarmed(drawn: list[list[tuple[float, bool]]], *, every: bool) -> bool:
    """Whether there is an alarm behind the change; the reference is of the first LEAST_JUDGED positives."""
    missed, losses = Missed(), []
    rows = iter([row for part in drawn for row in part])
    for score, positive in rows:
        loss = missed.update(score, positive=positive)
        if every and positive:
            missed.update(score, positive=False)
        losses += [] if loss is None else [loss]
        if len(losses) == LEAST_JUDGED:
            break
    watched = watch(missed, risk(np.array(losses)).high)
    alarmed = False
    for score, positive in rows:
        alarmed |= watched.update(score, positive=positive) is not None
        if every and positive:
            watched.update(score, positive=False)
    return alarmed


# ------------------------------------------------------------------------------------------- models and features

MODELS: dict[str, Any] = {
    "random forest": lambda: RandomForestClassifier(100, min_samples_leaf=50, random_state=1),
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
}


@cache
def frozen(name: str) -> Scored:
    """Fit it on the first days, score the rest."""
    frame, features = _features()
    day = (frame["ts"] / DAY).to_numpy()
    trained, fraud = day < FIRST + TRAINED, frame["fraud"].to_numpy() == 1
    model = MODELS[name]().fit(features[trained], fraud[trained])
    scores = model.predict_proba(features[~trained])[:, 1]
    return Scored(day[~trained], frame["customer_id"].to_numpy()[~trained], scores, fraud[~trained])


@cache
def _features() -> tuple[pd.DataFrame, Array]:
    frame = pd.read_csv(DATA / FILE)
    frame = frame[~((frame["scenario"] == 2) & (frame["ts"] // DAY < DRIFT))].reset_index(drop=True)
    time = pd.to_datetime(frame["ts"], unit="s")
    hour = frame["ts"] % DAY / 3_600
    columns: list[Any] = [frame["amount"], hour, time.dt.weekday]
    for days in (1, 7):
        columns += [_rolled(frame, "customer_id", "amount", days, what) for what in ("count", "mean")]
    # A week that ended a week ago: labels of later transactions have not come.
    new, both = (
        [_rolled(frame, "terminal_id", "fraud", days, what) for what in ("count", "sum")] for days in (DELAY, 2 * DELAY)
    )
    columns += [new[0], (both[1] - new[1]) / np.maximum(both[0] - new[0], 1.0)]
    return frame, np.column_stack(columns).astype(float)


def _rolled(frame: pd.DataFrame, entity: str, value: str, days: int, what: str) -> Array:
    """Of the last days of each row's entity, the row among them."""
    indexed = frame.set_index(pd.to_datetime(frame["ts"], unit="s"))
    rolled = getattr(indexed.groupby(entity)[value].rolling(f"{days}D"), what)()
    made = np.empty(len(frame))
    made[np.argsort(frame[entity].to_numpy(), kind="stable")] = rolled.to_numpy()
    return made
