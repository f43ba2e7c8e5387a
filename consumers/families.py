"""The metric families, and how totals become their samples; docs/metrics.md describes each."""

import math
from itertools import accumulate
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)

from consumers.runtime import Runtime
from stream.drift.verdict import NEXT
from stream.monitoring import MonitoringTotals
from stream.prequential import ALERTS
from stream.totals import DELAY_EDGES, Losses, ScoringTotals

LOST_ALARM = "inputs_lost"

MOST_COLUMNS = 100
"""Of which the distance is shown: each is a series."""

OF_ALERTS = dict(zip(ALERTS, ("alerted_events", "found_positives", "missed_positives"), strict=True))
"""The families of what is counted beside losses."""

Families = dict[str, Any]
Spec = tuple[type[Metric], str, str, tuple[str, ...]]

OF_TASKS: list[Spec] = [
    (CounterMetricFamily, "events", "Events read, by what became of them on arrival.", ("fate",)),
    (CounterMetricFamily, "settled_events", "Predicted events that no longer wait for a label.", ("fate",)),
    (CounterMetricFamily, "labels", "Labels read that have met their fate.", ("fate",)),
    (CounterMetricFamily, "labels_read", "Labels read.", ()),
    (CounterMetricFamily, "predictions", "Predictions published, repeated answers included.", ()),
    (CounterMetricFamily, "dead_letters", "Records that could not be used.", ("source",)),
    (CounterMetricFamily, "ahead_records", "Records too far ahead of their receipt to move the clock.", ()),
    (CounterMetricFamily, "skipped_records", "Records skipped because they broke the code.", ()),
    (CounterMetricFamily, "lost_records", "Offsets deleted before they were read.", ()),
    (CounterMetricFamily, "late_labels", "Labels that came after maturity.", ()),
    (CounterMetricFamily, "unsampled_events", "Labelled events that left the waiting room early.", ()),
    (GaugeMetricFamily, "waiting_events", "Events that wait for their label.", ()),
    (GaugeMetricFamily, "entities", "Entities that are remembered.", ("field",)),
    (CounterMetricFamily, "evicted_entities", "Entities that gave way to others.", ("field",)),
    (CounterMetricFamily, "forgotten_entity_labels", "Labels of entities that had given way.", ("field",)),
    (GaugeMetricFamily, "held_events", "Events in the waiting room, with labels not yet final.", ()),
    (GaugeMetricFamily, "early_labels", "Labels that wait for their event.", ()),
    (GaugeMetricFamily, "oldest_waiting_seconds", "Age of the oldest event in the waiting room.", ()),
    (GaugeMetricFamily, "clock_timestamp_seconds", "The stream's time, since the epoch.", ()),
    (InfoMetricFamily, "model", "The models in use.", ("model",)),
    (GaugeMetricFamily, "blend_weight", "The baseline's weight in the served blend.", ()),
    (SummaryMetricFamily, "loss", "Losses on labelled events, tested before learned.", ("model", "loss")),
    (GaugeMetricFamily, "mean_loss", "Decayed mean of the losses.", ("model", "loss")),
    (SummaryMetricFamily, "version_loss", "Losses of each baseline, in use or not.", ("version", "loss")),
    (GaugeMetricFamily, "version_mean_loss", "Decayed mean of each baseline's losses.", ("version", "loss")),
    (CounterMetricFamily, "alerted_events", "Labelled events that an anomaly detector called positive.", ("model",)),
    (CounterMetricFamily, "found_positives", "Positives that it called positive.", ("model",)),
    (CounterMetricFamily, "missed_positives", "Positives that it did not.", ("model",)),
    (CounterMetricFamily, "swaps", "Times that other baselines came into use.", ()),
    (HistogramMetricFamily, "label_delay_seconds", "From an event to its label, in the stream's time.", ()),
    (CounterMetricFamily, "labelled_read", "Labelled records read by the monitor.", ()),
    (CounterMetricFamily, "profiles_read", "Profiles and references read by the monitor.", ()),
    (CounterMetricFamily, "judged_records", "Labelled records that the monitor judged.", ()),
    (CounterMetricFamily, "left_out_records", "Labelled records that the monitor left out.", ()),
    (CounterMetricFamily, "alarms", "Alarms raised, by detector.", ("detector",)),
    (GaugeMetricFamily, "evidence", "Evidence of each detector, as a share of what raises an alarm.", ("detector",)),
    (
        GaugeMetricFamily,
        "input_distance_ratio",
        "How far inputs, score and labels are from training, as a share of what matters.",
        ("kind", "column"),
    ),
    (GaugeMetricFamily, "excess_error_ratio", "Errors of the baseline more than the online model's.", ("since", "end")),
    (GaugeMetricFamily, "served_gap_ratio", "Errors of one more than of the other.", ("between", "end")),
    (GaugeMetricFamily, "gap_ceiling_ratio", "What the gap does not exceed, by disagreement alone.", ()),
    (GaugeMetricFamily, "retrain_error_ratio", "What the last retrain was to save, and saved.", ("what",)),
    (GaugeMetricFamily, "cost_per_1000", "Costs of 1,000 labelled events, by the cost matrix.", ("model",)),
    (GaugeMetricFamily, "estimated_error_ratio", "The baseline's share of errors, guessed without labels.", ("by",)),
    (GaugeMetricFamily, "disagreement_ratio", "Share of events on which the models disagree.", ()),
    (GaugeMetricFamily, "labelled_ratio", "Share of events that get a label.", ()),
    (GaugeMetricFamily, "label_age_seconds", "From the last label to now, in the stream's time.", ()),
    (GaugeMetricFamily, "doubling_found_seconds", "How long a doubling of errors would take to find.", ()),
    (GaugeMetricFamily, "watched_alarm", "1 while an episode of a detector beside the verdict lasts.", ("detector",)),
    (GaugeMetricFamily, "verdict", "1 for the monitor's verdict, 0 for the others.", ("verdict",)),
    (GaugeMetricFamily, "judged_error_ratio", "Decayed share of errors that the verdict compares.", ("model",)),
    (CounterMetricFamily, "commits", "Batches that this process committed.", ()),
    (GaugeMetricFamily, "last_commit_timestamp_seconds", "When this process last committed.", ()),
    (GaugeMetricFamily, "waiting_tasks", "1 for a task that cannot go on now, 0 for one at work.", ()),
]

OF_RUNTIME: list[Spec] = [
    (CounterMetricFamily, "rebalances", "Rebalances of the consumer group that came to their end.", ()),
    (CounterMetricFamily, "fenced", "Times that somebody newer took a task.", ()),
    (CounterMetricFamily, "aborted_transactions", "Transactions that were aborted.", ()),
    (CounterMetricFamily, "refused_checkpoints", "Checkpoints that were not authentic or could not be used.", ()),
    (
        CounterMetricFamily,
        "misrouted_records",
        "Records, of one in eight looked at, whose key belongs to another partition.",
        (),
    ),
    (CounterMetricFamily, "broker_unavailable", "Times that the broker did not answer.", ()),
    (CounterMetricFamily, "registry_faults", "Times that the registry, or what it names, could not be used.", ()),
    (CounterMetricFamily, "refused_swaps", "Baselines that a task could not take into use.", ()),
    (GaugeMetricFamily, "registry_answered_timestamp_seconds", "When the registry answered last.", ()),
    (GaugeMetricFamily, "lag_records", "Records that lie ahead of this worker.", ("topic", "partition")),
]


def make_families(specs: list[Spec], place: tuple[str, ...]) -> Families:
    """Families without samples, by their names without the prefix; all have the labels of their ``place`` first."""
    return {
        name: kind(f"rotwatch_{name}", text, labels=[*place, *labels])  # type: ignore[call-arg] # all families take them
        for kind, name, text, labels in specs
    }


class Sheet:
    """One task's, or the process's, column in its families: adds samples under the labels of ``place``."""

    def __init__(self, families: Families, place: list[str]) -> None:
        self.families = families
        self.place = place

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add a sample, unless it is infinite or no number."""
        if math.isfinite(value):  # the clock before the first event is not
            self.families[name].add_metric([*self.place, *labels], value)

    def add_each(self, name: str, values: dict[str, int]) -> None:
        """Add a sample for each value of the family's only label."""
        for label, value in values.items():
            self.add(name, value, label)


def show_inputs(sheet: Sheet, scoring: ScoringTotals | None, monitoring: MonitoringTotals | None) -> None:
    """What scorers and monitors count alike; a chain of both has one series."""
    counts = [part for part in (None if scoring is None else scoring.inputs, monitoring) if part is not None]
    sheet.add("skipped_records", sum(part.skipped for part in counts))
    sheet.add("lost_records", sum(part.lost for part in counts))


def show_scoring(sheet: Sheet, totals: ScoringTotals) -> None:
    """A scorer's own counts."""
    i, j = totals.inputs, totals.labels
    sheet.add_each("events", {"predicted": i.predicted, "repeated": i.repeated, "dead_lettered": i.events_dead})
    sheet.add_each(
        "settled_events",
        {"joined": j.joined, "implied": j.implied, "expired": j.expired, "evicted": j.evicted},
    )
    fates = {"joined": j.joined, "orphaned": j.orphaned, "duplicate": j.duplicate, "conflicting": j.conflicting}
    sheet.add_each("labels", {**fates, "dead_lettered": i.labels_dead})
    sheet.add("labels_read", i.labels)
    sheet.add("predictions", i.predicted + i.repeated)
    sheet.add_each("dead_letters", {"events": i.events_dead, "labels": i.labels_dead})
    sheet.add("ahead_records", i.ahead)
    sheet.add("late_labels", j.late)
    sheet.add("unsampled_events", j.unsampled)
    sheet.add("waiting_events", totals.waiting)
    sheet.add("held_events", totals.held)
    _show_entities(sheet, totals.entities)
    sheet.add("early_labels", totals.early)
    sheet.add("oldest_waiting_seconds", totals.oldest_age)
    sheet.add("clock_timestamp_seconds", totals.clock)
    for model, version in (("online", totals.online_version), ("baseline", totals.baseline_version)):
        if version is not None:
            sheet.families["model"].add_metric([*sheet.place, model], {"version": version})
    if totals.blend_weight is not None:
        sheet.add("blend_weight", totals.blend_weight)
    for version in totals.shadow_versions:
        sheet.families["model"].add_metric([*sheet.place, "shadow"], {"version": version})
    sheet.add("swaps", i.swaps)
    for model, losses in totals.losses.items():
        if model != "baseline" or totals.baseline_version is not None or losses[0]:
            _show_losses(sheet, "", model, losses)
            for name, family in OF_ALERTS.items():
                if name in losses[1]:
                    sheet.add(family, losses[1][name], model)
    for version, losses in totals.versions.items():
        _show_losses(sheet, "version_", version, losses)
    edges = [str(edge) for edge in DELAY_EDGES] + ["+Inf"]
    buckets = list(zip(edges, accumulate(totals.delays), strict=True))
    sheet.families["label_delay_seconds"].add_metric(sheet.place, buckets, totals.delay_sum)


def _show_entities(sheet: Sheet, entities: dict[str, tuple[int, int, int]]) -> None:
    for by, (remembered, evicted, forgotten) in entities.items():
        sheet.add("entities", remembered, by)
        sheet.add("evicted_entities", evicted, by)
        sheet.add("forgotten_entity_labels", forgotten, by)


def _show_losses(sheet: Sheet, which: str, of: str, losses: Losses) -> None:
    count, sums, decayed = losses
    # A series must be there at 0, or increase() misses what the first commit brings.
    for loss, value in (sums or {"error": 0.0}).items():
        if loss not in OF_ALERTS:
            sheet.families[f"{which}loss"].add_metric([*sheet.place, of, loss], count, value)
    for loss, value in decayed.items():
        if loss not in OF_ALERTS:
            sheet.add(f"{which}mean_loss", value, of, loss)


def show_monitoring(sheet: Sheet, totals: MonitoringTotals) -> None:
    """A monitor's own counts, and what it thinks."""
    sheet.add("labelled_read", totals.read)
    sheet.add("profiles_read", totals.profiles)
    sheet.add("judged_records", totals.labelled)
    sheet.add("left_out_records", totals.left_out)
    sheet.add("dead_letters", totals.dead, "labelled")
    for kind, count in totals.alarms.items():
        if not kind.startswith(LOST_ALARM):  # no detector: lost_records has them, the scorers' too
            sheet.add("alarms", count, kind)
    # A verdict that is not listed is shown too: no verdict at 1 would read as no verdict at all.
    for verdict in dict.fromkeys((*NEXT, totals.verdict)):
        sheet.add("verdict", verdict == totals.verdict, verdict)
    for model, mean in totals.means.items():
        sheet.add("judged_error_ratio", mean, model)
    for detector, evidence in totals.evidence.items():
        sheet.add("evidence", evidence / totals.threshold, detector)
    _show_account(sheet, totals)
    for kind, column, distance in totals.strengths[:MOST_COLUMNS]:
        sheet.add("input_distance_ratio", distance, kind, column)
    for since, ends in totals.excess.items():
        for end, value in zip(("mean", "low", "high"), ends, strict=True):
            sheet.add("excess_error_ratio", value, since, end)


def _show_account(sheet: Sheet, totals: MonitoringTotals) -> None:
    """What stands beside the evidence; what is not known has no series."""
    account, labels, guessed, retrained = totals.account, totals.labels, totals.guesses, totals.retrained
    for between, gap in (("served-online", account.served), ("baseline-served", account.replaced)):
        for end, value in zip(("mean", "low", "high"), gap or (), strict=False):
            sheet.add("served_gap_ratio", value, between, end)
    if retrained is not None:
        sheet.add("retrain_error_ratio", retrained.expected, "expected")
        sheet.add("retrain_error_ratio", retrained.brought[0], "saved")
    for model, cost in account.costs.items():
        sheet.add("cost_per_1000", cost, model)
    for detector, state in totals.watched.items():
        sheet.add("watched_alarm", state == "alarmed", detector)
    known = {
        "gap_ceiling_ratio": account.ceiling,
        "disagreement_ratio": guessed.disagreement,
        "labelled_ratio": labels.share,
        "label_age_seconds": labels.age,
        "doubling_found_seconds": labels.takes,
    }
    for name, found in known.items():
        if found is not None:
            sheet.add(name, found)
    for by, estimate in (("online_model", guessed.estimate), ("corrected", guessed.corrected)):
        if estimate is not None:
            sheet.add("estimated_error_ratio", estimate, by)


def show_runtime(sheet: Sheet, runtime: Runtime) -> None:
    """What a transport tells of its process."""
    sheet.add("rebalances", runtime.rebalances)
    sheet.add("fenced", runtime.fenced)
    sheet.add("aborted_transactions", runtime.aborted)
    sheet.add("refused_checkpoints", runtime.refused_checkpoints)
    sheet.add("misrouted_records", runtime.misrouted)
    sheet.add("broker_unavailable", runtime.unavailable)
    sheet.add("registry_faults", runtime.registry_faults)
    sheet.add("refused_swaps", runtime.refused_swaps)
    if runtime.registry_seen_at:
        sheet.add("registry_answered_timestamp_seconds", runtime.registry_seen_at)
    for (topic, partition), records in runtime.lag.items():
        sheet.add("lag_records", records, topic, str(partition))
