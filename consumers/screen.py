"""A replay on the terminal: progress while it runs, tables when it is done."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from consumers.observer import Observer
from consumers.plans import Plan
from consumers.replay import replay
from consumers.results import COMPARED, Results, check_form, compared_table, figures_table
from consumers.terminal import terminal
from stream.config import Metrics
from stream.drift.outcomes import RISE
from stream.errors import SourceError
from stream.monitoring import MonitoringTotals
from stream.prequential import MODELS
from stream.records import VERDICT
from stream.totals import Losses, ScoringTotals
from stream.wording import plural


class Bar(Observer):
    """Shows how far a replay is, its rate, and both models' recent error or what they found."""

    def __init__(self, progress: Progress, plan: Plan) -> None:
        self.progress = progress
        self.plan = plan
        self.task = progress.add_task(plan.name, total=1.0)
        self.began = time.monotonic()
        self.shown = 0.0
        self.before: int | None = None

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Redraw, at most ten times a second."""
        now = time.monotonic()
        scoring = totals.scoring
        events = scoring.inputs.events
        if self.before is None:
            self.before = events  # read before this process went on with the replay
        if now - self.shown < 0.1:
            return
        self.shown = now
        rate = (events - self.before) / max(now - self.began, 1e-9)
        text = f"{events:,} events, {rate:,.0f}/s{_lately({m: scoring.losses[m] for m in MODELS[:2]})}"
        self.progress.update(self.task, completed=self.plan.source.fraction() or 0.0, description=text)


def _lately(losses: dict[str, Losses]) -> str:
    """Both models' recent error; where positives are rare, the share of them that each has found."""
    there = {model: (sums, decayed) for model, (_, sums, decayed) in losses.items() if decayed}
    if not there:
        return ""
    if any("found" in sums for sums, _ in there.values()):
        found = {model: (sums["found"], sums["found"] + sums["missed"]) for model, (sums, _) in there.items()}
        return ", found: " + " ".join(f"{model} {part:.0f} of {whole:.0f}" for model, (part, whole) in found.items())
    return ", recent error: " + " ".join(f"{model} {decayed['error']:.1%}" for model, (_, decayed) in there.items())


def show(plan: Plan, metrics: Metrics, port: int | None, stop: Callable[[], bool]) -> Results | None:
    """Run a plan with a progress bar and print its results; None if it was stopped."""
    check_form(plan.form)
    console = terminal()
    quiet = terminal(stderr=True)
    with ExitStack() as stack:
        listeners: list[Observer] = []
        if port is not None:
            listeners.append(_serve(stack, plan.name, metrics, port))
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        progress = stack.enter_context(Progress(*columns, console=quiet, transient=True, disable=not quiet.is_terminal))
        results = replay(plan, [*listeners, Bar(progress, plan)], stop)
    if results is not None:
        report(console, plan, results)
        if not results.totals.scoring.inputs.predicted:
            raise SourceError(f"{plan.source.name}: no event could be predicted; the reasons stand above")
    return results


def _serve(stack: ExitStack, name: str, metrics: Metrics, port: int) -> Observer:
    from prometheus_client import CollectorRegistry

    from consumers.exporter import Exporter
    from consumers.health import HealthServer

    registry = CollectorRegistry()
    exporter = Exporter(name, registry)
    stack.enter_context(HealthServer(registry, exporter, metrics.host, port))
    return exporter


def report(console: Console, plan: Plan, results: Results) -> None:
    """Print what a replay found."""
    if plan.stream is None:
        features = results.settings.features
        parts = [f"{kind}: {', '.join(getattr(features, kind))}" for kind in ("text", "numeric", "categorical")]
        console.print(
            f"Read off the first rows: {results.settings.kind}; {'; '.join(p for p in parts if p[-2] != ':')}"
        )
    for column, reason in list(results.left_out.items())[:10]:
        console.print(f"column {column} tells nothing: {reason}")
    console.print(figures_table(results))
    scoring = results.totals.scoring
    inputs, labels = scoring.inputs, scoring.labels
    if results.settings.kind != "multiclass":
        console.print(f"positive class: {results.settings.classes[-1]}")
    console.print(
        f"{inputs.events:,} events = {inputs.predicted:,} predicted + {inputs.repeated:,} repeated + "
        f"{inputs.events_dead:,} dead letters"
    )
    waits = {"waiting": scoring.waiting, "early": scoring.early}
    fates = {**msgspec.structs.asdict(labels), "dead letters": inputs.labels_dead, **waits}
    shown = ", ".join(f"{count:,} {fate}" for fate, count in fates.items() if count)
    console.print(f"{inputs.labels:,} labels; fates: {shown or '-'}")
    for reason, count in sorted(scoring.reasons.items(), key=lambda item: -item[1])[:3]:
        console.print(f"{count:,} dead letters: {reason}")
    for reason, count in sorted(results.unused.items(), key=lambda item: -item[1])[:3]:
        console.print(f"{count:,} warm-up rows left out: {reason}")
    if inputs.ahead:
        console.print(
            f"{inputs.ahead:,} records have a time in the future and moved no clock; is the unit of time right "
            "(fields.time_unit)?"
        )
    _gave_way(console, scoring)
    _tell(console, results)
    _value(console, results)
    if results.compared:
        console.print(compared_table(results), COMPARED)
    _end(console, results.totals.monitoring)
    console.print(
        f"{plural(results.raised, 'alarm')}; {results.events_per_second:,.0f} events/s; "
        f"peak memory {results.peak_rss_bytes / 2**20:,.0f} MiB; digest {results.digest[:16]}"
    )
    if plan.out is not None:
        console.print(f"results in {plan.out}: summary.json, predictions, alarms and dead letters ({plan.form})")
        console.print(f"to read: {plan.out / 'report.html'}", soft_wrap=True)


def _end(console: Console, seen: MonitoringTotals | None) -> None:
    """What is thought of the models in the end."""
    if seen is not None:
        for kind, state in seen.watched.items():
            console.print(f"{kind}: {state}")
        console.print(Text.assemble("verdict: ", (seen.verdict, "bold"), f": {seen.reason}"))


def _value(console: Console, results: Results) -> None:
    """What a retrain might save, where, and how labels come."""
    seen = results.totals.monitoring
    if seen is None or "deployed" not in seen.excess:
        return
    mean, low, high = (round(1000 * each) for each in seen.excess["deployed"])
    tolerated = results.settings.monitor.tolerate_extra_errors_per_1000
    size = f"{abs(mean)} {'fewer' if mean < 0 else 'more'}"
    ends = f"95% interval of the difference: {low:+d} to {high:+d}"
    judged = f"the {plural(seen.judged, 'labelled event')} judged since it is in use, or a field was whole again"
    gap = f"of 1,000 labelled events the baseline gets {size} wrong than the online model ({ends})"
    if results.settings.kind == "anomaly":
        judged = f"the {plural(seen.judged, 'labelled positive')} judged since it is in use, or a field was whole again"
        gap = f"of 1,000 positives the baseline misses {size} than the online model ({ends})"
    lines = [f"{gap}, by {judged}; {tolerated:g} more are tolerated"]
    lines += [f"not tested: {detector}: {why}" for detector, why in seen.off.items()]
    if seen.retrained is not None:
        lines.append(seen.retrained.sentence)
    lines += [
        f"most where {each.where}: {1000 * each.baseline_errors:.0f} of 1,000 beside {1000 * each.online_errors:.0f}, "
        f"in {each.events:,} labelled events"
        for each in seen.account.slices[:3]
    ]
    if seen.account.costs:
        costs = ", ".join(f"{model} {cost:,.2f}" for model, cost in seen.account.costs.items())
        lines.append(f"costs of 1,000 labelled events: {costs}")
    if seen.labels.rise is not None:
        lines.append(
            f"twice the baseline's errors, or {RISE * tolerated:g} more of 1,000 where they are few, would be found in "
            f"about {seen.labels.rise:,.0f} labelled events"
        )
    for line in lines:
        console.print(line)


def _gave_way(console: Console, totals: ScoringTotals) -> None:
    for by, (remembered, evicted, _) in totals.entities.items():
        if evicted:
            console.print(
                f"{by}: {remembered:,} are remembered, {evicted:,} times one gave way to another and began anew; "
                "for more of them: features.entity_capacity"
            )


def _tell(console: Console, results: Results) -> None:
    """What has happened on the way."""
    alarms = results.alarms
    for alarm in alarms[:20]:
        what = f"alarm at row {alarm.position:,} ({alarm.kind})" if alarm.kind != VERDICT else f"row {alarm.position:,}"
        console.print(Text.assemble(f"{what}: ", (alarm.verdict, "bold"), f": {alarm.reason}"))
    if len(alarms) > 20:
        console.print(f"... and {len(alarms) - 20:,} more alarms and verdicts")
    for made in results.retrains[:20]:
        console.print(
            f"retrained after {made.labelled:,} labelled events, on the newest {made.rows:,}: {made.version}",
        )
    if len(results.retrains) > 20:
        console.print(f"... and {len(results.retrains) - 20:,} more times")
