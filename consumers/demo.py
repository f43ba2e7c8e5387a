"""The demo: a frozen model rots on simulated mail while an online model keeps up, then frauds, and two real data sets.

Needs no network, no files and no settings.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from rich.console import Console
from rich.live import Live
from rich.table import Table

from consumers.observer import Observer
from consumers.plans import Plan
from consumers.replay import replay
from consumers.results import Results, figures_table
from consumers.settings import load
from consumers.sources import open_source, simulated
from stream.config import Features, Stream
from stream.prequential import MODELS
from stream.records import Alarm
from stream.simulators.fraud import FraudSimulator, known
from stream.simulators.mail import Change, MailSimulator

TRANSACTIONS = 18_000
"""Some two weeks of them."""

ANSWERED = ("errors", "error so far", "error lately", "log loss lately")
ALERTED = ("alerted", "found", "positives")


class Board(Observer):
    """Live counts and losses in the terminal."""

    def __init__(self, live: Live, title: str) -> None:
        self.live = live
        self.title = title

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Draw the totals anew; the display itself refreshes a few times a second."""
        scoring = totals.scoring
        table = Table(title=self.title, title_justify="left")
        rare = any("found" in sums for _, sums, _ in scoring.losses.values())
        for column in ("", "labelled", *(ALERTED if rare else ANSWERED)):
            table.add_column(column, justify="right" if column else "left")
        for model in MODELS:
            labelled, sums, decayed = scoring.losses[model]
            if labelled:
                table.add_row(model, f"{labelled:,}", *(_alerted(sums) if rare else _answered(labelled, sums, decayed)))
        verdict = totals.monitoring.verdict if totals.monitoring else "-"
        alarms = sum(totals.monitoring.alarms.values()) if totals.monitoring else 0
        table.caption = f"{scoring.inputs.events:,} events; {alarms} alarms; verdict: {verdict}"
        table.caption_justify = "left"
        self.live.update(table)


def _answered(labelled: int, sums: dict[str, float], decayed: dict[str, float]) -> list[str]:
    log_loss = f"{decayed['log_loss']:.4f}" if "log_loss" in decayed else "-"
    errors = int(sums["error"])
    return [f"{errors:,}", f"{errors / labelled:.2%}", f"{decayed['error']:.2%}", log_loss]


def _alerted(sums: dict[str, float]) -> list[str]:
    return [f"{count:,.0f}" for count in (sums["alerted"], sums["found"], sums["found"] + sums["missed"])]


def run(events: int, seed: int) -> None:
    """Run all four; prints to standard output."""
    console = Console()
    spam = load(None).streams["spam"]
    mail = MailSimulator(seed)
    source = simulated("simulated mail", lambda: mail.rows(events), events)
    plan = Plan("spam", source, spam, segment=[change.position for change in mail.changes if change.position < events])
    console.print(
        "[bold]1. Simulated mail.[/] Both models learn from the first 2,500 mails. Then the baseline is frozen, as in "
        "production; the online model goes on learning from each label, after it has been tested on the event."
    )
    results = _show(console, plan)
    console.print(_noticed(mail.changes, results.alarms, events))
    _frauds(console, seed)
    console.print("[bold]3. Phishing[/] (real web sites; 1,250, no known drift).")
    phishing = open_source("Phishing")
    _show(console, Plan("phishing", phishing, warm_up=400, fields={"label": "label"}))
    console.print("[bold]4. Shuttle[/] (real sensor readings; 7% are anomalies, and neither model is shown labels).")
    shuttle = open_source("Shuttle")
    first, _ = next(shuttle.rows())
    assert isinstance(first, dict)  # noqa: S101 - rows of a data set are tables
    stream = Stream(
        kind="anomaly",
        classes=["0", "1"],
        features=Features(numeric=[name for name in first if name != "label"]),
        online="half-space-trees",
        baseline="isolation-forest",
        serving="baseline",
        alert_rate=0.07,
        seed=seed,
    )
    _show(console, Plan("shuttle", shuttle, stream, limit=15_000))
    console.print("Here the frozen model ranks the anomalies better: an online model does not win everywhere.\n")
    console.print("Your own file next: [bold]rotwatch replay FILE --map label=COLUMN --out FOLDER[/]")


def _frauds(console: Console, seed: int) -> None:
    town = FraudSimulator(
        seed, customers=700, terminals=700, compromised_share=0.012, changes=(("terminal_attack", 9),)
    )
    source = simulated("simulated transactions", lambda: known(town.rows(TRANSACTIONS)), TRANSACTIONS)
    fraud = replace(load(None).streams["fraud"], warm_up=8_000)
    [change] = town.changes
    console.print(
        "[bold]2. Simulated card transactions.[/] One or two in a hundred are frauds. Of one in ten somebody says "
        "within two days what it was, of most other frauds the customer, up to three weeks later; of all else nobody "
        "says anything. The baseline is a detector of anomalies that is shown no labels; the online model learns from "
        f"those that have come. At row {change.position:,}: {change.what}."
    )
    _show(console, Plan("fraud", source, fraud, segment=[change.position]))
    console.print(
        "Here errors say nothing: 99% accuracy is to find nothing. What counts is what the alerts found of the "
        "labelled frauds, and how well scores put these first (avg. prec.). Rot is told by the frauds that are missed, "
        "which takes more labels than two weeks bring: until then the verdict is about inputs alone.\n"
    )


def _show(console: Console, plan: Plan) -> Results:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        results = replay(plan, [Board(live, plan.name)])
    assert results is not None  # noqa: S101 - nothing stops it
    console.print(figures_table(results))
    monitoring = results.totals.monitoring
    verdict = monitoring.verdict if monitoring else "-"
    alarms = f"{results.raised} alarm{'' if results.raised == 1 else 's'}"
    console.print(f"{results.events_per_second:,.0f} events/s; {alarms}; verdict: {verdict}\n")
    return results


def _noticed(changes: Sequence[Change], alarms: Sequence[Alarm], events: int) -> Table:
    """Each known change beside the first alarm between it and the next, or the verdict that still stands."""
    table = Table(title="What changed, and what was noticed", title_justify="left")
    for column in ("at", "what changed", "noticed"):
        table.add_column(column, justify="right" if column == "at" else "left")
    past = [change for change in changes if change.position < events]
    early = [alarm for alarm in alarms if not past or alarm.position < past[0].position]
    for alarm in early:
        table.add_row("-", "nothing", f"{alarm.verdict} at {alarm.position:,} ({alarm.kind})")
    for index, change in enumerate(past):
        end = past[index + 1].position if index + 1 < len(past) else events
        found = [alarm for alarm in alarms if change.position <= alarm.position < end]
        # The first sign, and the first that is called rot where that is another.
        shown = found[:1] + [alarm for alarm in found[1:] if alarm.verdict == "baseline_rot"][:1]
        if shown and shown[0].verdict == "baseline_rot":
            del shown[1:]
        text = "\n".join(f"{a.verdict} after {a.position - change.position:,} ({a.kind})" for a in shown)
        before = [alarm.verdict for alarm in alarms if alarm.position < change.position]
        still = f"{before[-1]} as before" if before and before[-1] != "healthy" else "-"
        table.add_row(f"{change.position:,}", change.what, text or still)
    return table
