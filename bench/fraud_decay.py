"""What fading costs: derived features beside exact windows of pandas, on the handbook's transactions.

Counts and means of 1, 7 and 30 days by customer and by terminal; risks against the share of frauds among the labels
that came within the horizon, each a week after its event. From day WHOLE on, when the longest window is full. Average
precision of a classifier that learns from exact windows and from ours, as the handbook does it: a week of training, a
week until its labels have come, a week of test. Errors by eviction: against the same table without a bound. The text of
the result is docs/fraud.md.
"""

import sys

import numpy as np
import pandas as pd
from msgspec.structs import replace
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.report import DATA, Figure, publish
from consumers.settings import load
from stream.columns import Features
from stream.derived import Derived

PATH = DATA / "handbook_fraud_tx_d091_d160.csv.gz"
DAY = 86_400
DELAY = 7 * DAY
HORIZONS = (1, 7, 30)
"""Days."""

WHOLE = 129
"""The day since 2018-04-01 from which errors are counted: by then labels have come for 31 days."""

TRAIN, TEST = (115, 122), (129, 136)
"""Days: from, and up to."""

LAST = 136
SHARES = (0.5, 0.2)
"""Of the customers: what their table holds; one that holds all of them evicts nobody."""

BY = ("customer_id", "terminal_id")


def transactions() -> pd.DataFrame:
    """Day 91 up to LAST, in the order of time."""
    if not PATH.exists():
        sys.exit(f"{PATH}: is not there, and this benchmark measures on it")
    frame = pd.read_csv(PATH, dtype=dict.fromkeys(BY, str))
    return frame[frame["ts"] < LAST * DAY].sort_values("ts", kind="stable").reset_index(drop=True)


def decayed(frame: pd.DataFrame, features: Features) -> tuple[pd.DataFrame, Derived]:
    """The derived columns of each row, with each label a week after its event; NaN where there is nothing to tell."""
    derived, rows, due = Derived(features), [], 0
    given = frame[[*BY, "amount"]].to_dict("records")
    times, labels = frame["ts"].astype(float).tolist(), frame["fraud"].tolist()
    for row, time in zip(given, times, strict=True):
        while times[due] + DELAY <= time:
            derived.label(given[due], times[due] + DELAY, positive=labels[due] == 1)  # type: ignore[arg-type] # of strings
            due += 1
        derived.advance(time)
        derived.add(row, time)  # type: ignore[arg-type] # as above
        rows.append([row[name] for name in features.derived])
    return pd.DataFrame(rows, columns=features.derived, dtype=float), derived


def exact(frame: pd.DataFrame) -> pd.DataFrame:
    """The same columns by windows, of the events strictly before each row in its entity's order."""
    made: dict[str, list[pd.Series]] = {}
    for by in BY:
        for _, part in frame.groupby(by, sort=False):
            times, amounts = part["ts"].to_numpy(), np.concatenate([[0.0], part["amount"].cumsum()])
            frauds = np.concatenate([[0.0], part["fraud"].cumsum()])
            own, now = part.index.to_numpy(), np.arange(len(part))
            for days in HORIZONS:
                begin = np.searchsorted(times, times - days * DAY)
                count = now - begin
                since, came = (np.searchsorted(times, times - back) for back in (DELAY + days * DAY, DELAY))
                labels = came - since
                with np.errstate(invalid="ignore"):
                    mean, risk = (amounts[now] - amounts[begin]) / count, (frauds[came] - frauds[since]) / labels
                found = {"count": count, "amount.mean": mean, "risk": risk}
                for what, values in found.items():
                    made.setdefault(f"{by}.{what}.{days}d", []).append(pd.Series(values, index=own, dtype=float))
    return pd.DataFrame({name: pd.concat(parts).sort_index() for name, parts in made.items()})


def distances(ours: pd.DataFrame, theirs: pd.DataFrame, names: list[str]) -> list[Figure]:
    """Median error in standard deviations of the exact value, and rank correlation; where both have one."""
    figures = []
    for name in names:
        both = ours[name].notna() & theirs[name].notna()
        a, b = ours.loc[both, name].to_numpy(), theirs.loc[both, name].to_numpy()
        # The middle one of risks is 0 almost always: their mean is told, too.
        error = np.abs(a - b) / b.std()
        figures += [
            Figure(f"{name}: median error in deviations", float(np.median(error))),
            Figure(f"{name}: mean error in deviations", float(error.mean())),
            Figure(f"{name}: rank correlation", float(spearmanr(a, b).statistic)),
        ]
    return figures


def precision(frame: pd.DataFrame, columns: pd.DataFrame) -> dict[str, float]:
    """Average precision in the test week of classifiers of a week of training."""
    day = frame["ts"] // DAY
    x = np.column_stack([frame["amount"], frame["ts"] % DAY, columns.fillna(0.0)])
    train, test = (((day >= begin) & (day < end)).to_numpy() for begin, end in (TRAIN, TEST))
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "random forest": RandomForestClassifier(50, min_samples_leaf=2, random_state=1),
    }
    truth = frame["fraud"].to_numpy()
    scores = {}
    for name, model in models.items():
        model.fit(x[train], truth[train])
        scores[name] = float(average_precision_score(truth[test], model.predict_proba(x[test])[:, 1]))
    return scores


def told(figures: list[Figure]) -> None:
    """Print figures as they come: the whole takes minutes."""
    for figure in figures:
        print(f"{figure.what}: {figure.value:.3f}", flush=True)


def main() -> list[Figure]:
    """Errors, what they cost, and what eviction adds."""
    frame = transactions()
    settings = load(None).streams["fraud"].features
    unbounded, _ = decayed(frame, settings)
    theirs = exact(frame)
    # Of customers the stream asks for no risk.
    names = [str(name) for name in theirs if name in unbounded]
    theirs = theirs[names]
    late = (frame["ts"] // DAY >= WHOLE).to_numpy()
    figures = distances(unbounded[late], theirs[late], names)
    sides = {"exact windows": theirs, "ours, the same columns": unbounded[names], "ours, all": unbounded}
    for what, columns in sides.items():
        figures += [Figure(f"average precision, {what}: {name}", ap) for name, ap in precision(frame, columns).items()]
    told(figures)
    customers = frame["customer_id"].nunique()
    own = [entity for entity in settings.entities if entity.by == "customer_id"]
    for share in SHARES:
        capacity = int(share * customers)
        bounded, derived = decayed(frame, replace(settings, entities=own, entity_capacity=capacity))
        counts = derived.counts()["customer_id"][1]
        what = f"{share:.0%} of {customers:,} customers"
        found = [Figure(f"{what}: evicted, an event", counts.evicted / len(frame))]
        for days in HORIZONS:
            for column in (f"customer_id.count.{days}d", f"customer_id.amount.mean.{days}d"):
                a, b = bounded.loc[late, column], unbounded.loc[late, column]
                found.append(Figure(f"{what}: {column}: unknown", float((a.isna() & b.notna()).mean())))
                error = (a - b).abs() / b.std()
                found.append(Figure(f"{what}: {column}: mean error in deviations", float(error.mean())))
        mixed = unbounded.assign(**{str(name): bounded[name] for name in bounded})
        found += [Figure(f"{what}: average precision: {name}", ap) for name, ap in precision(frame, mixed).items()]
        told(found)
        figures += found
    return figures


if __name__ == "__main__":
    publish("fraud-decay", main())
