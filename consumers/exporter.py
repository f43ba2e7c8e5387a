"""What Prometheus is shown: the totals that the worker published at its last commit, and the process's own timings.

One collector makes all series when it is scraped, so that the hot path does no work for them. A task's series come
from one immutable copy of its totals: the scraping thread sees the copy before a commit or the one after it, never a
mixture. A batch that was fed but not committed is in no copy, so a counter never goes back. docs/metrics.md describes
each metric.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from msgspec import Struct
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from consumers.observer import Observer
from stream.chain import ChainTotals
from stream.monitoring import MonitoringTotals
from stream.totals import DELAY_EDGES, ScoringTotals

VERDICTS = (
    "healthy",
    "baseline_rot",
    "outgrown",
    "hard_shift",
    "data_quality",
    "online_fault",
    "shift_unconfirmed",
    "benign_shift",
    "blind",
    "unexplained",
    "no_baseline",
)

BATCH_EDGES = [1, 4, 16, 64, 256, 1024, 4096, 16384]
SECONDS_EDGES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

TASK = ("stream", "partition")


class Published(Struct, frozen=True):
    """What is shown of one task; ``committed_at`` is wall-clock time, 0 before the process's first commit of it."""

    scoring: ScoringTotals | None
    monitoring: MonitoringTotals | None
    commits: int = 0
    committed_at: float = 0.0


class Exporter(Observer, Collector):
    """Shows a worker's tasks; give it to the Worker as its observer.

    ``now`` and ``monotonic`` are the process's clocks.
    """

    def __init__(
        self,
        stream: str,
        registry: CollectorRegistry,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self._now = now
        self._monotonic = monotonic
        self._seen = monotonic()
        # Replaced as a whole, never changed: the scraping thread reads it without a lock.
        self._tasks: dict[str, Published] = {}
        records, feed, commit = (_histogram(*spec) for spec in HISTOGRAMS)
        self._histograms = (records, feed, commit)
        self._records, self._feed, self._commit = (h.labels(stream) for h in self._histograms)
        registry.register(self)

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Show these totals from now on; without ``seconds`` they are a recovered task's, and nothing was committed."""
        self.alive()
        before = self._tasks.get(task)
        commits, at = (before.commits, before.committed_at) if before else (0, 0.0)
        if seconds:
            commits, at = commits + 1, self._now()
            self._records.observe(inputs)
            self._feed.observe(seconds["feed"])
            self._commit.observe(seconds["commit"])
        scoring, monitoring = _parts(totals)
        self._tasks = {**self._tasks, task: Published(scoring, monitoring, commits, at)}

    def revoked(self, task: str) -> None:
        """Drop the task's series: whoever has the task now shows them."""
        self.alive()
        self._tasks = {name: shown for name, shown in self._tasks.items() if name != task}

    def alive(self) -> None:
        """The loop has come round: it may have nothing to do, but it does not hang."""
        self._seen = self._monotonic()

    def stalled(self, limit: float = 300.0) -> str | None:
        """Why the process should be restarted, or None: the loop has shown no life for ``limit`` seconds.

        The limit must exceed the longest recovery and the longest pause between commits that are tried again.
        """
        silent = self._monotonic() - self._seen
        return f"the loop has shown no life for {silent:.0f} s (limit {limit:.0f} s)" if silent > limit else None

    def unready(self) -> str | None:
        """Why no work can be expected of the process yet, or None: a task is assigned and recovered."""
        return None if self._tasks else "no task is assigned and recovered"

    def describe(self) -> Iterable[Metric]:
        """All metrics, without samples: the registry then notices a name used twice."""
        yield from _families().values()
        for histogram in self._histograms:
            yield from histogram.describe()

    def collect(self) -> Iterable[Metric]:
        """All metrics that have samples, from the copies published last."""
        families = _families()
        for task, shown in self._tasks.items():
            sheet = _Sheet(families, [self.stream, task])
            if shown.scoring is not None:
                _show_scoring(sheet, shown.scoring)
            if shown.monitoring is not None:
                _show_monitoring(sheet, shown.monitoring)
            sheet.add("commits", shown.commits)
            if shown.commits:
                sheet.add("last_commit_timestamp_seconds", shown.committed_at)
        yield from (family for family in families.values() if family.samples)
        for histogram in self._histograms:
            for metric in histogram.collect():
                # The client's _created series are metrics of their own in the text format, and say nothing here.
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
                yield metric


class _Sheet:
    """One task's column in all families: adds samples under the task's labels."""

    def __init__(self, families: dict[str, Any], task: list[str]) -> None:
        self.families = families
        self.task = task

    def add(self, name: str, value: float, *labels: str) -> None:
        if math.isfinite(value):  # the clock before the first event is not
            self.families[name].add_metric([*self.task, *labels], value)

    def add_each(self, name: str, values: dict[str, int]) -> None:
        for label, value in values.items():
            self.add(name, value, label)


def _show_scoring(sheet: _Sheet, totals: ScoringTotals) -> None:
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
    sheet.add("skipped_records", i.skipped)
    sheet.add("late_labels", j.late)
    sheet.add("unsampled_events", j.unsampled)
    sheet.add("waiting_events", totals.waiting)
    sheet.add("held_events", totals.held)
    sheet.add("early_labels", totals.early)
    sheet.add("oldest_waiting_seconds", totals.oldest_age)
    sheet.add("clock_timestamp_seconds", totals.clock)
    for model, version in (("online", totals.online_version), ("baseline", totals.baseline_version)):
        if version is not None:
            sheet.families["model"].add_metric([*sheet.task, model], {"version": version})
    if totals.blend_weight is not None:
        sheet.add("blend_weight", totals.blend_weight)
    for model, (count, sums, decayed) in totals.losses.items():
        if model == "baseline" and totals.baseline_version is None and not count:
            continue
        # A series must be there at 0, or increase() misses what the first commit brings.
        for loss, value in (sums or {"error": 0.0}).items():
            sheet.families["loss"].add_metric([*sheet.task, model, loss], count, value)
        for loss, value in decayed.items():
            sheet.add("mean_loss", value, model, loss)
    edges = [str(edge) for edge in DELAY_EDGES] + ["+Inf"]
    buckets = list(zip(edges, accumulate(totals.delays), strict=True))
    sheet.families["label_delay_seconds"].add_metric(sheet.task, buckets, totals.delay_sum)


def _show_monitoring(sheet: _Sheet, totals: MonitoringTotals) -> None:
    sheet.add("judged_records", totals.labelled)
    sheet.add("left_out_records", totals.left_out)
    for kind, count in totals.alarms.items():
        detector, _, model = kind.partition(":")
        sheet.add("alarms", count, detector, model)
    # A verdict that is not listed is shown too: no verdict at 1 would read as no verdict at all.
    for verdict in dict.fromkeys((*VERDICTS, totals.verdict)):
        sheet.add("verdict", verdict == totals.verdict, verdict)
    for model, mean in totals.means.items():
        sheet.add("judged_error_ratio", mean, model)


def _parts(totals: Any) -> tuple[ScoringTotals | None, MonitoringTotals | None]:
    if isinstance(totals, ChainTotals):
        return totals.scoring, totals.monitoring
    if isinstance(totals, ScoringTotals):
        return totals, None
    if isinstance(totals, MonitoringTotals):
        return None, totals
    raise TypeError(f"no metrics are known for totals of type {type(totals).__name__}")


FAMILIES: list[tuple[type[Metric], str, str, tuple[str, ...]]] = [
    (CounterMetricFamily, "events", "Events read, by what became of them on arrival.", ("fate",)),
    (CounterMetricFamily, "settled_events", "Predicted events that no longer wait for a label.", ("fate",)),
    (CounterMetricFamily, "labels", "Labels read that have met their fate.", ("fate",)),
    (CounterMetricFamily, "labels_read", "Labels read.", ()),
    (CounterMetricFamily, "predictions", "Predictions published, repeated answers included.", ()),
    (CounterMetricFamily, "dead_letters", "Records that could not be used.", ("source",)),
    (CounterMetricFamily, "ahead_records", "Records too far ahead of their receipt to move the clock.", ()),
    (CounterMetricFamily, "skipped_records", "Records skipped because they broke the code.", ()),
    (CounterMetricFamily, "late_labels", "Labels that came after maturity.", ()),
    (CounterMetricFamily, "unsampled_events", "Labelled events that left the waiting room early.", ()),
    (GaugeMetricFamily, "waiting_events", "Events that wait for their label.", ()),
    (GaugeMetricFamily, "held_events", "Events in the waiting room, with labels not yet final.", ()),
    (GaugeMetricFamily, "early_labels", "Labels that wait for their event.", ()),
    (GaugeMetricFamily, "oldest_waiting_seconds", "Age of the oldest event in the waiting room.", ()),
    (GaugeMetricFamily, "clock_timestamp_seconds", "The stream's time, since the epoch.", ()),
    (InfoMetricFamily, "model", "The models in use.", ("model",)),
    (GaugeMetricFamily, "blend_weight", "The baseline's weight in the served blend.", ()),
    (SummaryMetricFamily, "loss", "Losses on labelled events, tested before learned.", ("model", "loss")),
    (GaugeMetricFamily, "mean_loss", "Decayed mean of the losses.", ("model", "loss")),
    (HistogramMetricFamily, "label_delay_seconds", "From an event to its label, in the stream's time.", ()),
    (CounterMetricFamily, "judged_records", "Labelled records that the monitor judged.", ()),
    (CounterMetricFamily, "left_out_records", "Labelled records that the monitor left out.", ()),
    (CounterMetricFamily, "alarms", "Alarms raised, by detector and the model watched.", ("detector", "model")),
    (GaugeMetricFamily, "verdict", "1 for the monitor's verdict, 0 for the others.", ("verdict",)),
    (GaugeMetricFamily, "judged_error_ratio", "Decayed share of errors that the verdict compares.", ("model",)),
    (CounterMetricFamily, "commits", "Batches that this process committed.", ()),
    (GaugeMetricFamily, "last_commit_timestamp_seconds", "When this process last committed.", ()),
]

HISTOGRAMS: list[tuple[str, str, Sequence[float]]] = [
    ("batch_records", "Records a batch.", BATCH_EDGES),
    ("feed_duration_seconds", "Time that the task took over a batch.", SECONDS_EDGES),
    ("commit_duration_seconds", "Time that a commit took, a due checkpoint included.", SECONDS_EDGES),
]


def _families() -> dict[str, Any]:
    return {
        name: kind(f"rotwatch_{name}", text, labels=[*TASK, *labels])  # type: ignore[call-arg] # all families take them
        for kind, name, text, labels in FAMILIES
    }


def _histogram(name: str, text: str, edges: Sequence[float]) -> Histogram:
    return Histogram(f"rotwatch_{name}", text, ["stream"], registry=None, buckets=edges)
