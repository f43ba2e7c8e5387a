"""Frozen baselines on streams whose drift is known, through the product's own scorer, monitor and comparison.

Warm-up 2,500 rows. Both models are the project's defaults. Baseline: logistic regression (scikit-learn), over TF-IDF
for mail, over scaled numbers else. Online: logistic regression (river), on hashed words with AdaGrad, on scaled numbers
with SGD .05, whose rate does not fade. On sine a second time with AdaGrad .1, to show what a rate that fades costs the
paired detector: docs/decisions/0008. Seed 1.
"""

import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table
from river import base, linear_model, optim

from bench import online_models
from bench.report import DATA, Figure, at_most
from consumers import plans
from consumers.order import Position
from consumers.settings import load
from consumers.start import Run
from consumers.store import Store
from stream.chain import Chain
from stream.config import Features, Fields, Settings, Stream
from stream.records import Alarm
from stream.scaling import ScaleNumbers

WARM_UP = 2_500
BATCH = 4_096
EARLY = 1_000
"""Rows before a change of Enron's in which its mails differ already: alarms there are not false."""

console = Console(width=150)


class Known(Struct, frozen=True):
    """A file whose first change is known. ``within``: what the study asks of paired, of absolute, of either."""

    file: str
    settings: Settings
    drift: int
    within: dict[str, float]
    where: dict[str, str] = {}
    early: int = 0


def fading(stream: Stream) -> base.Estimator:
    """Logistic regression on numbers whose rate fades."""
    return ScaleNumbers(stream.features.numeric) | linear_model.LogisticRegression(optim.AdaGrad(0.1), intercept_lr=0.1)


def _table(
    name: str, file: str, columns: str, drift: int, within: dict[str, float], online: str = "logistic"
) -> dict[str, Known]:
    classes = ["0", "1"] if name == "SEA" else ["0.0", "1.0"]
    features = Features(numeric=columns.split())
    stream = Stream(classes=classes, features=features, fields=Fields(label="class"), online=online)
    return {name: Known(file, Settings(streams={"table": stream}), drift, within)}


AT_ONCE = {"paired": 450.0, "absolute_baseline": 20.0}

STREAMS = {
    "Enron": Known("enron_spam_stream.jsonl.gz", load(None), 4_994, {"either": 200.0}, {"dup": "false"}, EARLY),
    **_table("SEA", "sea_street_kim_50000.csv.gz", "x1 x2 x3", 12_500, {"either": 700.0}),
    **_table("sine", "harvard_synth/sine_0123_abrupto.csv.gz", "X1 X2", 10_000, AT_ONCE),
    **_table(
        "sine, AdaGrad",
        "harvard_synth/sine_0123_abrupto.csv.gz",
        "X1 X2",
        10_000,
        {},
        f"{fading.__module__}:{fading.__name__}",
    ),
    **_table("mixed", "harvard_synth/mixed_0101_abrupto.csv.gz", "X1 X2 X3 X4", 10_000, AT_ONCE),
    **_table("rt", "harvard_synth/rt_2563789698568873_abrupto.csv.gz", "X1 X2", 10_000, AT_ONCE),
    **_table("stagger", "harvard_synth/stagger_0120_abrupto.csv.gz", "X1 X2 X3", 10_000, AT_ONCE),
}


class Replayed(Struct):
    """What came of a replay: the tasks as they are at its end, and the monitor's alarms."""

    chain: Chain
    alarms: list[Alarm]


def replayed(known: Known, path: Path | None = None) -> Replayed:
    """Run a file, or another of the same form, through scorer and monitor, batch by batch as a replay does."""
    source = path or DATA / known.file
    if not source.exists():
        sys.exit(f"{source}: is not there, and this benchmark measures on it")
    [name] = known.settings.streams if len(known.settings.streams) == 1 else ["spam"]
    plan = plans.make(known.settings, source=str(source), stream=name, where=known.where, compare=True)
    plan.warm_up = WARM_UP
    run = Run(plan, Store(None, os.urandom(32), ()), 0.0)
    chain, alarms = run.task(), []
    inputs = run.order(Position(WARM_UP, WARM_UP)).inputs()
    while batch := list(islice(inputs, BATCH)):
        alarms += chain.feed(batch).alarms
    return Replayed(chain, alarms)


@cache
def frozen(name: str) -> Replayed:
    """A known stream, replayed once."""
    return replayed(STREAMS[name])


def streams() -> list[Figure]:
    """Rows from the first true change to the monitor's alarms, and alarms before it."""
    table = Table(
        title="frozen baseline; the monitor's alarms, its four detectors at 40,000 each",
        title_justify="left",
        box=box.SIMPLE,
    )
    columns = ("paired", "absolute_baseline", "either")
    for column in ("stream", "errors: baseline", "online", "true change", *columns, "alarms before", "first alarms"):
        table.add_column(column)
    figures = []
    for name, known in STREAMS.items():
        found = frozen(name)
        board = found.chain.board
        assert board is not None
        errors = [str(board.models()[model]["errors"]) for model in ("baseline", "online")]
        ours = [alarm for alarm in found.alarms if alarm.kind in columns]
        first = {one: _first([a.position for a in ours if one in (a.kind, "either")], known) for one in columns}
        before = sum(alarm.position < known.drift - known.early for alarm in ours)
        shown = (f"{alarm.position:,} ({alarm.kind}: {alarm.verdict})" for alarm in found.alarms[:5])
        rows = (f"{first[one]:,.0f}" for one in columns)
        table.add_row(name, *errors, f"{known.drift:,}", *rows, str(before), "\n".join(shown))
        for one in columns:
            what = f"{name}, frozen: rows from {known.drift:,} to the alarm, {one}"
            asked = known.within.get(one)
            figures.append(Figure(what, first[one]) if asked is None else at_most(what, first[one], asked))
        figures.append(
            at_most(f"{name}, frozen: paired or absolute before row {known.drift - known.early:,}", before, 0)
        )
    console.print(table)
    return figures


def _first(rows: Sequence[int], known: Known) -> float:
    """Rows from the change to the first alarm behind it, negative where one stood already in the rows just before."""
    later = [row for row in rows if row >= known.drift - known.early]
    return float(min(later) - known.drift) if later else float("inf")


def shuffled() -> list[Figure]:
    """Enron's rows in three random orders: no drift, but an online model that learns on outgrows the baseline."""
    mails = online_models.rows(STREAMS["Enron"].file)
    figures = []
    for seed in (1, 2, 3):
        order = np.random.default_rng(seed).permutation(len(mails))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "mails.jsonl"
            with path.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps({**mails[at], "dup": False}) + "\n" for at in order)
            found = replayed(STREAMS["Enron"], path)
        paired = [alarm for alarm in found.alarms if alarm.kind == "paired"]
        told = [f"{alarm.position:,} ({alarm.kind}: {alarm.verdict})" for alarm in found.alarms]
        console.print(f"Enron, rows shuffled by {seed}: {', '.join(told) or 'no alarm'}", highlight=False)
        what = f"Enron, rows shuffled by {seed}"
        early = sum(alarm.position < WARM_UP + 15_000 for alarm in paired)
        unlike = sum(alarm.verdict != "outgrown" for alarm in paired)
        figures += [
            at_most(f"{what}: paired alarms in the first 15,000", early, 0),
            at_most(f"{what}: paired alarms in all", len(paired), 3),
            at_most(f"{what}: paired alarms that are not called outgrown", unlike, 0),
            Figure(f"{what}: other alarms", len(found.alarms) - len(paired)),
        ]
    return figures
