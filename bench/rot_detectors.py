"""The project's two main detectors beside river's and fixed windows: false alarms, delays, cost.

On simulated losses each detection counts, and each detector runs alone: paired and absolute at N = 10,000, river's with
its own settings. Those in Python alone get fewer runs: RUNS. On real streams the product's own settings are used.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from msgspec import Struct
from rich import box
from rich.console import Console
from rich.table import Table

from bench.mail_worlds import mail
from bench.many_runs import JUDGED, TOLERATED, absolute, alarms, paired, references, windows
from bench.report import Figure
from bench.rot_streams import STREAMS, frozen
from bench.worlds import NULLS, Array, Losses, independent, ramp, step
from stream.config import Monitor, Stream
from stream.drift.comparing import detections
from stream.drift.contenders import COSTLY, GAP, RISE, contenders
from stream.drift.detectors import FACTORIES, Watch
from stream.drift.rot import Limits
from stream.records import Labelled

N = 10_000.0
EVENTS = 20_000
MANY = 200
RUNS = {
    "adwin": 100,
    "adwin, gap": 100,
    "page-hinkley": 100,
    "ddm": 100,
    "eddm": 100,
    "hddm-a": 30,
    "hddm-w": 30,
    "kswin": 2,
}
"""Runs of river's; on the baseline's errors, unless on the gap."""

HEALTHY = 5_000
CHANGES = {
    ".03 -> .05": (step(HEALTHY, 17_000, 0.05), 17_000),
    ".03 -> .10": (step(HEALTHY, 10_000, 0.10), 10_000),
    ".03 -> .25": (step(HEALTHY, 8_000, 0.25), 8_000),
    "ramp to .10 over 5,000": (ramp(HEALTHY, 15_000, 0.10, 5_000), 15_000),
}
"""Of the baseline's error rate, after HEALTHY events; the online model's stays .03, independent of it."""

console = Console(width=170)


class Found(Struct, frozen=True):
    """Where a detector detects something, of shape (runs, events), and CPU microseconds an event (0: not measured)."""

    hits: Array
    microseconds: float = 0.0


def everyone(drawn: Losses, before: Losses) -> dict[str, Found]:
    """What each detector makes of the runs; ``before``: of as many, the rows that references are taken from."""
    known = references(before.baseline)
    found = {
        "paired": Found(alarms(paired(drawn), N)),
        "absolute": Found(alarms(absolute(drawn.baseline, known + TOLERATED), N)),
        "window: loss": Found(windows(drawn, known + RISE, gap=False)),
        "window: gap": Found(windows(drawn, np.full(len(known), GAP), gap=True)),
    }
    for name, runs in RUNS.items():
        values = drawn.baseline - drawn.online if name.endswith("gap") else drawn.baseline
        found[name] = _river(FACTORIES[name.partition(",")[0]], values[:runs])
    return found


def _river(make: Callable[[int], Any], values: Array) -> Found:
    hits = np.zeros(values.shape, dtype=bool)
    began = time.process_time()
    for run, xs in enumerate(values):
        detector = make(run)
        for event, x in enumerate(xs.tolist()):
            detector.update(x)
            if detector.drift_detected:
                hits[run, event] = True
    return Found(hits, (time.process_time() - began) / values.size * 1e6)


def nulls() -> list[Figure]:
    """Detections in 10,000 events on the nulls A to I and on J, and what an event costs."""
    chance = np.random.default_rng(11)
    rates: dict[str, dict[str, float]] = {}
    costs: dict[str, float] = {}
    for name, world in {**NULLS, **mail()}.items():
        drawn = world(chance, (MANY, EVENTS))
        healthy = independent(0.03, 0.03) if name[0] == "E" else world
        found = everyone(drawn, healthy(chance, (MANY, JUDGED)))
        rates[name] = {one: float(of.hits.mean()) * 10_000 for one, of in found.items()}
        costs |= {one: of.microseconds for one, of in found.items() if of.microseconds}
    table = Table(title="detections in 10,000 events", title_justify="left", box=box.SIMPLE)
    table.add_column("detector")
    for name in (*rates, "microseconds"):
        table.add_column(name.split()[0], justify="right")
    for one in next(iter(rates.values())):
        row = (f"{rates[name][one]:.2f}" for name in rates)
        table.add_row(one, *row, f"{costs[one]:.1f}" if one in costs else "")
    console.print(table)
    return [
        *(Figure(f"in 10,000, {name}: {one}", rate) for name, found in rates.items() for one, rate in found.items()),
        *(Figure(f"microseconds an event: {one}", cost) for one, cost in costs.items()),
    ]


def delays() -> list[Figure]:
    """Median events from a change to the first detection, what share finds it, what share detects something before."""
    chance = np.random.default_rng(12)
    shown: dict[str, list[str]] = {}
    figures = []
    for change, (rate, events) in CHANGES.items():
        drawn = independent(rate, 0.03)(chance, (MANY, events))
        before = independent(0.03, 0.03)(chance, (MANY, JUDGED))
        for name, found in everyone(drawn, before).items():
            after = found.hits[:, HEALTHY:]
            late = float(np.median(np.where(after.any(axis=1), after.argmax(axis=1) + 1.0, np.inf)))
            share, early = float(after.any(axis=1).mean()), float(found.hits[:, :HEALTHY].any(axis=1).mean())
            shown.setdefault(name, []).append(f"{late:,.0f} ({share:.2f}; {early:.2f})")
            figures += [
                Figure(f"median delay, {change}: {name}", late),
                Figure(f"share of runs that find it, {change}: {name}", share),
                Figure(f"share of runs with a detection before, {change}: {name}", early),
            ]
    _print("median delay (share found; share early)", CHANGES, shown)
    return figures


def streams() -> list[Figure]:
    """Labelled events from a known change to the first detection, and detections before it.

    River's watch the baseline alone, so that the online model is of matter to paired and the window of the gap only.
    """
    shown: dict[str, list[str]] = {}
    figures = []
    chosen = {name: known for name, known in STREAMS.items() if not name.endswith("AdaGrad")}
    for name, known in chosen.items():
        heard = frozen(name).chain.comparing
        assert heard is not None
        for one in contenders(Limits(), heard.reference, 1):
            rows = [heard.rows[at] for at in detections(one, heard.events)]
            late = min((row - known.drift for row in rows if row >= known.drift), default=float("inf"))
            early = sum(row < known.drift for row in rows)
            shown.setdefault(one.name, []).append(f"{late:,.0f}{f' ({early})' if early else ''}")
            figures += [
                Figure(f"{name}: rows from {known.drift:,} to the first detection: {one.name}", late),
                Figure(f"{name}: detections before row {known.drift:,}: {one.name}", early),
            ]
    _print("rows to the first detection (detections before)", chosen, shown)
    return figures


def costs() -> list[Figure]:
    """CPU microseconds a judged record in the monitor, of one detector with its episodes; best of three."""
    chance = np.random.default_rng(13)
    records = [_record(at, wrong=bool(wrong)) for at, wrong in enumerate(chance.random(20_000) < 0.03)]
    figures = []
    for name in ("", *FACTORIES):
        some = records[:1_000] if name == COSTLY else records
        spent = []
        for _ in range(3):
            watch = Watch("s", Stream(monitor=Monitor(detectors={"baseline": [name]} if name else {})))
            began = time.process_time()
            for record in some:
                watch.update(record)
            spent.append((time.process_time() - began) / len(some) * 1e6)
        figures.append(Figure(f"microseconds a record, watched by {name or 'nothing'}", min(spent)))
    return figures


def _print(title: str, columns: Iterable[str], shown: dict[str, list[str]]) -> None:
    table = Table("detector", *columns, title=title, title_justify="left", box=box.SIMPLE)
    for name, cells in shown.items():
        table.add_row(name, *cells)
    console.print(table)


def _record(at: int, *, wrong: bool) -> Labelled:
    said = ("spam", "spam", "ham" if wrong else "spam")
    return Labelled(f"e{at}", float(at), at, "spam", float(at), {}, 0.5, 0.5, 0.5, *said, "o", "b")
