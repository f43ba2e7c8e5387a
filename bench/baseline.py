"""How good the batch side is: families on mail, the card's interval, windows, retraining policies, and what it costs.

Parts by name (``python -m bench.baseline coverage windows``), all without one. The text of the result is
docs/baselines.md.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from bench.report import DATA, Figure, at_least, publish
from consumers import plans, replay
from consumers.settings import find_stream, load
from consumers.training_rows import of_file
from stream.config import Features, Settings, Stream
from stream.training.aims import Aim
from stream.training.families import candidates
from stream.training.gathering import Span
from stream.training.lookback import Lookback, Looks
from stream.training.scores import Array
from stream.training.search import Budget, search
from stream.training.splits import plan
from stream.training.train import Order, Trained, train
from stream.training.trials import Data, Trial, Trials

WARM_UP = 2_500
SEGMENTS = [WARM_UP, 4_994, 10_799, 16_057, 21_689, 25_248]
PLAIN_BARS = [0.968, 0.943, 0.947, 0.845, 0.944, 0.943]
"""Accuracy of TF-IDF with logistic regression, frozen, as the issue states it."""

RUNS, FRESH, COVERED = 200, 200_000, 186
SIZES = (2_500, 6_000)
"""Rows of a run: up to 2,500 all of them fit, with more it is chosen how far back to look."""
EVERY = 2_500
UNLIMITED = Budget(1.0, lambda: 0.0)

console = Console(width=150)


class Source(Struct):
    """A file with its stream, and what is read of it."""

    file: str
    name: str
    settings: Settings
    where: dict[str, str] = {}
    mapping: dict[str, str] = {}

    def plan(self) -> plans.Plan:
        """What a command makes of it."""
        if not (DATA / self.file).exists():
            sys.exit(f"{DATA / self.file}: is not there, and this benchmark measures on it")
        return plans.make(
            self.settings, source=str(DATA / self.file), stream=self.name, mapping=self.mapping, where=self.where
        )

    def rows(self) -> tuple[Data, Array]:
        """All rows, oldest first, with their times."""
        return of_file(self.name, find_stream(self.settings, self.name), self.plan(), Span(1_000_000)).data()

    def alarms(self) -> list[float]:
        """When the baseline that stands still since its warm-up was said to have rotted."""
        results = replay.replay(self.plan())
        assert results is not None
        return [alarm.time for alarm in results.alarms if alarm.verdict == "baseline_rot"]


ENRON = Source("enron_spam_stream.jsonl.gz", "spam", load(None), {"dup": "false"})
"""All mails without duplicates."""

# Electricity prices: half hours, up or down.
ELEC2_COLUMNS = ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "period", "day"]
PRICES = Stream(classes=["DOWN", "UP"], features=Features(numeric=ELEC2_COLUMNS), serving="blend")
ELEC2 = Source("elec2_electricity.csv.gz", "elec2", Settings(streams={"elec2": PRICES}), mapping={"label": "class"})


def part(data: Data, begin: int, end: int) -> Data:
    """Rows ``begin`` to ``end``."""
    return Data(data.frame.iloc[begin:end], data.labels[begin:end], data.classes, data.features)


# ------------------------------------------------------------------------------------------- families on mail


def families() -> list[Figure]:
    """Each family's best recipe by the validation rows of the warm-up, then frozen on the stream behind it."""
    data = ENRON.rows()[0]
    warm = part(data, 0, WARM_UP)
    trials = Trials(warm, plan(WARM_UP), Aim(), 1)
    found = search(trials, candidates(warm.features, len(trials.plan.folds[-1].fit), 1), UNLIMITED)
    best: dict[str, Trial] = {"plain": found.plain, "chosen": found.chosen}
    for trial in sorted(found.trials, key=lambda trial: (trial.risk, trial.brier)):
        how = trial.candidate.select.partition(":")[0]
        best.setdefault(f"{trial.candidate.family}{', ' + how if how else ''}", trial)
    table = Table(title="Enron, frozen after 2,500 mails: accuracy", title_justify="left", box=box.SIMPLE)
    for column in ("", "recipe", "validation", *(f"from {begin:,}" for begin in SEGMENTS), "errors"):
        table.add_column(column)
    figures = []
    for name, trial in best.items():
        model = trials.fit(trial.candidate, np.arange(WARM_UP), trial.iterations)
        wrong = model.predict(data.frame.iloc[WARM_UP:]) != data.labels[WARM_UP:]
        parts = [wrong[a - WARM_UP : b - WARM_UP] for a, b in pairwise([*SEGMENTS, len(data.labels)])]
        accuracies = [1 - float(one.mean()) for one in parts]
        shown = [f"{accuracy:.4f}" for accuracy in accuracies]
        table.add_row(name, str(trial.candidate), f"{trial.risk:.4f}", *shown, f"{int(wrong.sum()):,}")
        figures.append(Figure(f"Enron frozen errors, {name}: {trial.candidate}", float(wrong.sum())))
        if name == "chosen":
            figures += [
                at_least(f"Enron accuracy of the chosen baseline from {begin:,}", accuracy, bar)
                for begin, accuracy, bar in zip(SEGMENTS, accuracies, PLAIN_BARS, strict=True)
            ]
    console.print(table)
    return figures


# ------------------------------------------------------------------------------------------- the card's interval


def drawn(rows: int, seed: int) -> Data:
    """A world that stands still: six numbers, two of which tell the class, but for a tenth of the rows."""
    chance = np.random.default_rng(seed)
    values = chance.normal(size=(rows, 6))
    labels = (values[:, 0] + values[:, 1] > 0).astype(int)
    labels = np.where(chance.random(rows) < 0.1, 1 - labels, labels)
    names = [f"x{number}" for number in range(6)]
    return Data(pd.DataFrame(values, columns=names), labels, 2, Features(numeric=names))


def coverage() -> list[Figure]:
    """In how many of RUNS runs the card's interval holds the risk on fresh rows of the baseline that was made."""
    figures = []
    for rows in SIZES:
        inside, gaps, narrowed = 0, [], 0
        for seed in range(RUNS):
            made = _trained(drawn(rows, seed), trials=4)
            fresh = drawn(FRESH, 1_000_000 + seed)
            answers = (np.asarray(made.baseline.score(fresh.frame)) >= made.card.threshold).astype(int)
            true = float((answers != fresh.labels).mean())
            inside += made.card.risk.low <= true <= made.card.risk.high
            gaps.append(made.card.risk.mean - true)
            narrowed += made.card.recipe != made.card.chosen
        figures += [
            at_least(
                f"of {RUNS} cards of {rows:,} rows, those whose 95% interval holds the true risk", inside, COVERED
            ),
            Figure(f"{rows:,} rows: mean of the card's risk less the true one", float(np.mean(gaps))),
            Figure(f"{rows:,} rows: of {RUNS} baselines those that do not look back to all rows", narrowed),
        ]
    return figures


def _trained(data: Data, trials: int) -> Trained:
    """With a search of so many trials, and time for every block of the judgement."""
    taken = count()
    order = Order("simulated", "binary", ["no", "yes"])
    return train(data, None, order, Budget(trials, lambda: min(next(taken), 0.8 * trials)), {}, {})


# ------------------------------------------------------------------------------------------- how far back to look


def windows() -> list[Figure]:
    """Refitted every EVERY rows in every way of looking back, asked about the next EVERY: errors in all."""
    figures = []
    for name, source in (("Enron", ENRON), ("elec2", ELEC2)):
        data, times = source.rows()
        alarms = np.searchsorted(times, source.alarms())
        errors, picked = _refitted(data, alarms)
        figures += [
            Figure(f"{name}, refitted every {EVERY:,} rows, {look}: errors", made) for look, made in errors.items()
        ]
        console.print(f"{name}: chosen were {', '.join(picked)}", highlight=False)
    return figures


def _refitted(data: Data, alarms: Array) -> tuple[dict[str, float], list[str]]:
    """``alarms``: how many rows lie before each. What is not offered yet counts as all rows do."""
    recipe = candidates(data.features, WARM_UP, 1)[0]
    trials = Trials(data, plan(len(data.labels)), Aim(), 1)
    trial = trials.attempt(recipe)
    assert trial is not None
    everything = np.arange(len(data.labels))
    errors: dict[str, list[float]] = {}
    picked = []
    for now in range(2 * EVERY, len(everything), EVERY):
        last = max((int(at) for at in alarms if at < now), default=None)
        looks = Looks(trials, trial, everything, UNLIMITED, last)
        asked, truth = data.frame.iloc[now : now + EVERY], data.labels[now : now + EVERY]

        def wrong(way: Lookback, now: int = now, asked: pd.DataFrame = asked, truth: Array = truth) -> float:
            return float((trials.fit(way.of(recipe), everything[:now]).predict(asked) != truth).sum())

        counts = {way.name: wrong(way) for way in looks.offered(now)}
        picked.append(looks.choose(now)[0][0].name)
        before = sum(errors.get("all rows", []))
        counts["as a training chooses"] = counts[picked[-1]]
        for name in counts:
            errors.setdefault(name, [before])
        for name, each in errors.items():
            each.append(counts.get(name, counts["all rows"]))
    return {name: sum(each) for name, each in errors.items()}, picked


# ------------------------------------------------------------------------------------------- retraining policies


def policies() -> list[Figure]:
    """Errors of the baseline on Enron by ``replay --retrain``, labels at once and 500 events late."""
    figures = []
    for policy in ("never", "periodic:2500", "periodic:5000", "on-alarm"):
        for delay in ("0", "500"):
            made = plans.make(
                ENRON.settings,
                source=str(DATA / ENRON.file),
                stream=ENRON.name,
                where=ENRON.where,
                label_delay=delay,
            )
            made.retrain = policy
            results = replay.replay(made)
            assert results is not None
            what = f"Enron, labels {delay} events late, {policy}"
            figures.append(Figure(f"{what}: errors of the baseline", results.models["baseline"]["errors"]))
            figures.append(Figure(f"{what}: retrained, times", len(results.retrains)))
            console.print(figures[-2].what, figures[-2].value, len(results.retrains), highlight=False)
    return figures


# ------------------------------------------------------------------------------------------- what it costs

BIG = {"table": "100,000 rows of 30 numbers", "mails": "30,000 mails"}


def costs() -> list[Figure]:
    """Wall time and peak memory of a training, each in a process of its own, with the shipped budget of 60 s."""
    figures = []
    for size, name in BIG.items():
        lines = subprocess.run(
            [sys.executable, "-m", "bench.baseline", f"cost-{size}"], check=True, capture_output=True, text=True
        ).stdout.split()
        seconds, read, peak, tried = map(float, lines[-4:])
        figures += [
            Figure(f"{name}: seconds to train, of which the search is told to take 60", seconds),
            Figure(f"{name}: memory when the rows have been read, MiB", read),
            Figure(f"{name}: peak memory, MiB", peak),
            Figure(f"{name}: candidates tried", tried),
        ]
    return figures


def _cost(size: str) -> None:
    if size == "mails":
        data = part(ENRON.rows()[0], 0, 30_000)
    else:
        chance = np.random.default_rng(1)
        names = [f"x{number}" for number in range(30)]
        frame = pd.DataFrame(chance.normal(size=(100_000, 30)), columns=names)
        labels = (frame["x0"] + frame["x1"] * frame["x2"] + chance.normal(size=100_000) > 0).to_numpy().astype(int)
        data = Data(frame, labels, 2, Features(numeric=names))
    read = _peak()
    began = time.monotonic()
    order = Order("spam" if size == "mails" else "table", "binary", ["no", "yes"])
    made = train(data, None, order, Budget(60.0, lambda: time.monotonic() - began), {}, {})
    print(time.monotonic() - began, read, _peak(), len(made.card.tried))


def _peak() -> float:
    """MiB. Not getrusage's: that begins with what the process that started this one had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


PARTS = {"families": families, "coverage": coverage, "windows": windows, "policies": policies, "costs": costs}


def main(words: Sequence[str]) -> None:
    """Run the parts that are named, all without a name."""
    if words and words[0].startswith("cost-"):
        _cost(words[0].removeprefix("cost-"))
        return
    figures = [figure for name in (words or PARTS) for figure in PARTS[name]()]
    publish("baseline", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
