"""The fraud stream on the transactions of the Fraud Detection Handbook (Le Borgne et al., 2022), days 91 to 160.

Built-in settings but for the baseline, which is logistic regression fitted on the warm-up, the first 200,000
transactions (three weeks); labels come after 7 days. ``handbook``: as they are. ``drift``: without the compromised
terminals before day 126, so that these begin at row 333,439. ``runs``: the same, RUNS times without a random tenth of
the customers, by the baseline's own alarm; and a change of how frequent frauds are, alone. ``loop``: what retraining
would bring. ``detectors``, ``costs``, ``decay``, ``kinds``: see there. The text of the result, with what the handbook
has published, is docs/fraud.md.
"""

import csv
import gzip
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace as changed

from bench import fraud_costs, fraud_decay, fraud_detectors, fraud_kinds
from bench.report import DATA, Figure, at_least, at_most, publish
from consumers import plans
from consumers.replay import replay
from consumers.results import Results
from consumers.settings import load
from stream.config import Stream
from stream.features import FeatureExtractor
from stream.models import Models
from stream.monitoring import MonitoringTask
from stream.records import Labelled, References
from stream.warmup import warm_up

FILE = DATA / "handbook_fraud_tx_d091_d160.csv.gz"
DAY = 86_400
FIRST, DRIFT = 91, 126
"""Days."""

TESTED = (129, 136)
"""The handbook's week of test begins, and ends: 8 to 14 August 2018."""

WARM, DELAY = 200_000, 7 * DAY
RUNS = 20
WEEK = 67_000
"""Labelled transactions of a week."""

MAPPING = {"time": "ts", "event_id": "transaction_id", "label": "fraud"}


def main() -> None:
    """Measure the parts that are named, or all."""
    chosen = sys.argv[1:] or list(PARTS)
    publish("fraud", [figure for name in chosen for figure in PARTS[name]()])


def handbook() -> list[Figure]:
    """The stream as it is: both models and the blend, over all and in the week that the handbook tests on."""
    day = dict(_days(drift=False))
    week = [next(at for at, of in day.items() if of == first) for first in TESTED]
    results = _replay(drift=False, segment=",".join(map(str, week)))
    [tested] = [segment for segment in results.segments if segment["first"] == week[0]]
    figures = [
        Figure(f"days 129 to 135, {model}: {name}", tested[model][name])
        for model in ("online", "baseline", "served")
        for name in ("roc_auc", "average_precision", "card_precision")
    ]
    return [*figures, *_ranked("as it is", results, at_most_below=0.01)]


def drift() -> list[Figure]:
    """With the drift: by week, and when it was noticed."""
    results = _replay(drift=True)
    figures = _ranked("with the drift", results, at_most_below=0.01)
    alarms = [alarm for alarm in results.alarms if alarm.kind != "verdict"]
    day = dict(_days(drift=True))
    figures += [Figure(f"alarm, {alarm.kind}: day of its event", float(day[alarm.position])) for alarm in alarms]
    early = sum(day[alarm.position] < DRIFT for alarm in alarms)
    return [*figures, at_most("alarms before the drift", early, 0)]


def loop() -> list[Figure]:
    """Average precision, and frauds missed, with each policy of retraining; the baseline serves."""
    figures = []
    for policy in ("never", f"periodic:{WEEK}", "on-alarm"):
        results = _replay(drift=True, retrain=policy, serving="baseline", online="recursive-logistic")
        served = results.models["served"]
        # What is behind the last whole week is a day.
        behind = [segment["served"]["average_precision"] for segment in results.segments[-3:-1]]
        figures += [
            Figure(f"retrain {policy}: average precision behind the warm-up", served["average_precision"]),
            Figure(f"retrain {policy}: average precision in the last two whole weeks", float(np.mean(behind))),
            Figure(f"retrain {policy}: frauds missed", served["missed"]),
            Figure(f"retrain {policy}: retrains", len(results.retrains)),
        ]
    return figures


def _ranked(what: str, results: Results, at_most_below: float) -> list[Figure]:
    figures = []
    for model, found in results.models.items():
        named = [name for name in ("roc_auc", "average_precision", "card_precision") if found[name] is not None]
        figures += [Figure(f"{what}, {model}: {name}", found[name]) for name in named]
    figures += [
        Figure(f"{what}, week from row {segment['first']:,}, {model}: AP", segment[model]["average_precision"])
        for segment in results.segments
        for model in ("online", "baseline", "served")
        if segment[model]["average_precision"] is not None
    ]
    better = max(results.models[model]["average_precision"] for model in ("online", "baseline"))
    below = better - results.models["served"]["average_precision"]
    return [*figures, at_most(f"{what}: served average precision below the better model's", below, at_most_below)]


def _replay(*, drift: bool, retrain: str = "never", segment: str = "7d", **settings: Any) -> Results:
    known = load(None)
    known.streams["fraud"] = changed(known.streams["fraud"], baseline="logistic", warm_up=WARM, **settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transactions.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([_header(), *(row for row in _rows() if not drift or _stays(row))])
        plan = plans.make(
            known, source=str(path), stream="fraud", mapping=MAPPING, label_delay="7d", segment=segment, retrain=retrain
        )
        results = replay(plan)
    assert results is not None
    return results


def _header() -> list[str]:
    with gzip.open(FILE, "rt") as file:
        return next(csv.reader(file))


def _rows() -> Iterator[list[str]]:
    with gzip.open(FILE, "rt") as file:
        rows = csv.reader(file)
        next(rows)
        yield from rows


def _stays(row: list[str]) -> bool:
    return row[6] != "2" or int(row[1]) // DAY >= DRIFT


def _days(*, drift: bool) -> Iterator[tuple[int, int]]:
    kept = (row for row in _rows() if not drift or _stays(row))
    return ((at, int(row[1]) // DAY) for at, row in enumerate(kept))


# ------------------------------------------------------------------------------------------- many runs


def runs() -> list[Figure]:
    """The delay of the baseline's own alarm, and false ones, without a tenth of the customers; prevalence alone."""
    chance = np.random.default_rng(21)
    rows = [row for row in _rows() if _stays(row)]
    late: list[float] = []
    days: list[float] = []
    early = quiet = 0
    for _ in range(RUNS):
        kept = set(chance.permutation(5_000)[500:].tolist())
        world = _World([row for row in rows if int(row[2]) in kept])
        before, frauds, when = world.alarms(world.order)
        early += before
        late.append(float("inf") if frauds is None else float(frauds))
        days.append(float("inf") if when is None else when)
        quiet += world.prevalence(chance)
    return [
        at_most(f"alarms before the drift, {RUNS} runs", early, 0),
        at_most("labelled frauds from the drift to the alarm, most", max(late), 50),
        Figure("labelled frauds from the drift to the alarm, median", float(np.median(late))),
        Figure("days from the drift to the alarm, labels' delay included, median", float(np.median(days))),
        at_least("runs in which it is found", float(np.isfinite(late).sum()), RUNS),
        at_most(f"of {RUNS} runs, alarms by .35% -> 2% alone", quiet, 2),
    ]


class _World:
    """A frozen baseline's scores of all transactions behind its warm-up, by the product's own features."""

    def __init__(self, rows: list[list[str]]) -> None:
        self.stream: Stream = changed(load(None).streams["fraud"], baseline="logistic", online="field:none")
        header = _header()
        fields: list[dict[str, Any]] = [{**dict(zip(header, row, strict=True)), "none": 0.5} for row in rows]
        times = [float(each["ts"]) for each in fields]
        self.day = np.array(times) // DAY
        warm = int((self.day < FIRST + 21).sum())
        labels: list[str] = [each["fraud"] for each in fields]
        first: list[tuple[dict[str, Any], str | None]] = list(zip(fields[:warm], labels[:warm], strict=True))
        made = warm_up("streams.fraud", self.stream, first, [(time, time + DELAY) for time in times[:warm]])
        self.models: Models = made.models
        self.fraud = np.array(labels) == "1"
        self.scores = np.zeros(len(rows))
        self._score(fields, times, labels, warm)
        self.order = np.arange(warm, len(rows))

    def _score(self, fields: list[dict[str, Any]], times: list[float], labels: list[str], warm: int) -> None:
        extractor, derived = FeatureExtractor(self.stream.features), self.models.derived
        made = []
        for at in range(warm, len(fields)):
            derived.advance(times[at])
            row = extractor.row(fields[at])
            derived.add(row, times[at])
            derived.expect(row, times[at] + DELAY, positive=labels[at] == "1")
            made.append(row)
        baseline: Any = self.models.baseline
        for begin in range(0, len(made), 20_000):
            part = made[begin : begin + 20_000]
            self.scores[warm + begin : warm + begin + len(part)] = baseline.score(extractor.frame(part))

    def alarms(self, order: Any) -> tuple[int, int | None, float | None]:
        """Alarms before the drift; frauds until the first behind it, and days."""
        raised = self._watch(order)
        early = [at for at in raised if self.day[order[at]] < DRIFT]
        late = [at for at in raised if self.day[order[at]] >= DRIFT]
        if not late:
            return len(early), None, None
        drifted = order[: late[0] + 1][self.day[order[: late[0] + 1]] >= DRIFT]
        days = float(self.day[order[late[0]]] - DRIFT) + DELAY / DAY
        return len(early), int(self.fraud[drifted].sum()), days

    def prevalence(self, chance: np.random.Generator) -> bool:
        """Whether there is an alarm where frauds become .35% -> 2% of all, drawn from those before the drift."""
        healthy = self.order[self.day[self.order] < DRIFT]
        frauds, others = healthy[self.fraud[healthy]], healthy[~self.fraud[healthy]]
        drawn = [
            np.where(chance.random(count) < share, chance.choice(frauds, count), chance.choice(others, count))
            for count, share in ((100_000, 0.0035), (50_000, 0.02))
        ]
        return bool(self._watch(np.concatenate(drawn)))

    def _watch(self, order: Any) -> list[int]:
        """The places in an order at which the baseline's own detector alarms."""
        monitor = MonitoringTask("fraud", self.stream)
        monitor.feed([References("b", self.models.expected, None)])
        raised = []
        names = self.stream.classes
        for begin in range(0, len(order), 10_000):
            part = order[begin : begin + 10_000]
            batch = [
                Labelled(
                    f"e{begin + at}", float(begin + at), begin + at, names[fraud], float(begin + at),
                    {}, score, 0.5, score, names[0], names[0], names[0], "o", "b",
                )
                for at, (score, fraud) in enumerate(
                    zip(self.scores[part].tolist(), self.fraud[part].tolist(), strict=True)
                )
            ]  # fmt: skip
            raised += [a.position for a in monitor.feed(batch).alarms if a.kind == "absolute_baseline"]
        return raised


PARTS = {
    "handbook": handbook,
    "drift": drift,
    "runs": runs,
    "loop": loop,
    "detectors": fraud_detectors.main,
    "costs": fraud_costs.main,
    "decay": fraud_decay.main,
    "kinds": fraud_kinds.main,
}

if __name__ == "__main__":
    main()
