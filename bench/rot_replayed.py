"""Losses of a real replay in random orders: no more alarms than the bound allows.

Enron's mails, frozen baseline, online model as in bench/rot_streams.py, RUNS times in random order. So nothing changes
with time; but that alone is no null: in every order the baseline errs more than the online model by more than is
tolerated. Where the mean over the file is above the bound that a detector tests by default, its bound is that mean
here; for the absolute detectors it is in any case. There the guarantee says most. All at the default settings' 4N.
"""

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from bench.many_runs import Inputs, alarms
from bench.report import Figure, at_most
from bench.rot_streams import frozen
from stream.drift.bounded import Null
from stream.drift.rot import BASELINE, DETECTORS, ONLINE, PAIRED, REVERSE, Limits

RUNS = 200

console = Console(width=150)


def shuffled_losses() -> list[Figure]:
    """RUNS random orders of the same events; each detector alone, and all four together."""
    heard = frozen("Enron").chain.comparing
    assert heard is not None
    losses = np.array(heard.events)
    limits = Limits()
    every, events = float(DETECTORS * limits.false_alarm_every), len(losses)
    baseline, online = losses.T
    values = {PAIRED: baseline - online, REVERSE: online - baseline, BASELINE: baseline, ONLINE: online}
    chance = np.random.default_rng(41)
    orders = chance.permuted(np.tile(np.arange(events), (RUNS, 1)), axis=1)
    table = Table(title=f"{RUNS} orders of {events:,} events", title_justify="left", box=box.SIMPLE)
    for column in ("detector", "mean", "bound", "alarms", "runs with one", "allowed"):
        table.add_column(column)
    figures, total, allowed = [], 0, RUNS * events / every
    for name, each in values.items():
        mean, of_gap = float(each.mean()), name in (PAIRED, REVERSE)
        bound = max(mean, limits.tolerance) if of_gap else mean
        null = Null(name, -1.0 if of_gap else 0.0, 1.0, bound)
        found = alarms(Inputs(each[orders], [null] * RUNS), every)
        count, runs = int(found.sum()), int(found.any(axis=1).sum())
        total += count
        table.add_row(name, f"{mean:.4f}", f"{bound:.4f}", str(count), str(runs), f"{allowed:.0f}")
        figures.append(at_most(f"Enron's losses in {RUNS} orders, {name}: alarms", count, allowed))
    console.print(table)
    return [*figures, at_most(f"Enron's losses in {RUNS} orders, together: alarms", total, DETECTORS * allowed)]
