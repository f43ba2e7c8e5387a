"""What Prometheus is shown: the totals that the worker published at its last commit, and the process's own timings.

One collector makes all series when it is scraped, so that the hot path does no work for them. A task's series come
from one immutable copy of its totals: the scraping thread sees the copy before a commit or the one after it, never a
mixture. A batch that was fed but not committed is in no copy, so a counter never goes back. docs/metrics.md describes
each metric.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from consumers.families import (
    OF_RUNTIME,
    OF_TASKS,
    Families,
    Sheet,
    make_families,
    show_inputs,
    show_monitoring,
    show_runtime,
    show_scoring,
)
from consumers.observer import Observer
from consumers.runtime import Runtime
from stream.chain import ChainTotals
from stream.monitoring import MonitoringTotals
from stream.totals import ScoringTotals

T = TypeVar("T")

BATCH_EDGES = [1, 4, 16, 64, 256, 1024, 4096, 16384]
SECONDS_EDGES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
RECOVERY_EDGES = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

TASK = ("stream", "partition")
PROCESS = ("stream",)


class Published(Struct, frozen=True):
    """What is shown of one task; ``committed_at`` is wall-clock time, 0 before the process's first commit of it."""

    scoring: ScoringTotals | None
    monitoring: MonitoringTotals | None
    commits: int = 0
    committed_at: float = 0.0


class Exporter(Observer, Collector):
    """Shows a worker's tasks; give it to the Worker as its observer.

    ``runtime`` is what the transport tells of its process, where it tells something. ``now`` and ``monotonic`` are the
    process's clocks.
    """

    def __init__(
        self,
        stream: str,
        registry: CollectorRegistry,
        runtime: Runtime | None = None,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self.runtime = runtime
        self._now = now
        self._monotonic = monotonic
        self._seen = monotonic()
        # Replaced as a whole, never changed: the scraping thread reads them without a lock.
        self._tasks: dict[str, Published] = {}
        self._waiting: dict[str, str] = {}
        self._histograms = [_histogram(*spec) for spec in HISTOGRAMS]
        self._records, self._feed, self._commit, self._recovery = (h.labels(stream) for h in self._histograms)
        registry.register(self)

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Show these totals from now on; without ``seconds`` they are a recovered task's, and nothing was committed."""
        self.alive()
        self._waiting = _without(self._waiting, task)
        before = self._tasks.get(task)
        commits, at = (before.commits, before.committed_at) if before else (0, 0.0)
        if seconds:
            commits, at = commits + 1, self._now()
            self._records.observe(inputs)
            self._feed.observe(seconds["feed"])
            self._commit.observe(seconds["commit"])
        scoring, monitoring = _parts(totals)
        self._tasks = {**self._tasks, task: Published(scoring, monitoring, commits, at)}

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        """Note how long it took."""
        self.alive()
        self._recovery.observe(seconds)

    def waiting(self, task: str, reason: str) -> None:
        """Not ready from now on, until the task is published or gone; its last totals still stand."""
        self.alive()
        self._waiting = {**self._waiting, task: " ".join(reason.split())}

    def revoked(self, task: str) -> None:
        """Drop the task's series: whoever has the task now shows them."""
        self.alive()
        self._waiting = _without(self._waiting, task)
        self._tasks = _without(self._tasks, task)

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
        """Why no work can be expected of the process now, or None.

        It is ready with a task that is recovered, and without one where its group has given all partitions to others.
        Not so while a task waits, or the broker does not answer.
        """
        if self._waiting:
            return "; ".join(f"task {task} waits: {reason}" for task, reason in sorted(self._waiting.items()))
        runtime = self.runtime
        if runtime is not None and runtime.away:
            return f"the broker does not answer: {' '.join(runtime.away.split())}"
        if self._tasks or (runtime is not None and runtime.standing_by):
            return None
        return "no task is assigned and recovered"

    def describe(self) -> Iterable[Metric]:
        """All metrics, without samples: the registry then notices a name used twice."""
        yield from _families().values()
        for histogram in self._histograms:
            yield from histogram.describe()

    def collect(self) -> Iterable[Metric]:
        """All metrics that have samples, from the copies published last."""
        families = _families()
        tasks, waiting = self._tasks, self._waiting
        for task in dict.fromkeys((*tasks, *waiting)):
            sheet = Sheet(families, [self.stream, task])
            sheet.add("waiting_tasks", task in waiting)
            if task in tasks:
                _show(sheet, tasks[task])
        if self.runtime is not None:
            show_runtime(Sheet(families, [self.stream]), self.runtime)
        yield from (family for family in families.values() if family.samples)
        for histogram in self._histograms:
            for metric in histogram.collect():
                # The client's _created series are metrics of their own in the text format, and say nothing here.
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
                yield metric


def _show(sheet: Sheet, shown: Published) -> None:
    show_inputs(sheet, shown.scoring, shown.monitoring)
    if shown.scoring is not None:
        show_scoring(sheet, shown.scoring)
    if shown.monitoring is not None:
        show_monitoring(sheet, shown.monitoring)
    sheet.add("commits", shown.commits)
    if shown.commits:
        sheet.add("last_commit_timestamp_seconds", shown.committed_at)


def _without(tasks: dict[str, T], task: str) -> dict[str, T]:
    return {name: value for name, value in tasks.items() if name != task}


def _families() -> Families:
    return {**make_families(OF_TASKS, TASK), **make_families(OF_RUNTIME, PROCESS)}


def _parts(totals: Any) -> tuple[ScoringTotals | None, MonitoringTotals | None]:
    if isinstance(totals, ChainTotals):
        return totals.scoring, totals.monitoring
    if isinstance(totals, ScoringTotals):
        return totals, None
    if isinstance(totals, MonitoringTotals):
        return None, totals
    raise TypeError(f"no metrics are known for totals of type {type(totals).__name__}")


HISTOGRAMS: list[tuple[str, str, Sequence[float]]] = [
    ("batch_records", "Records a batch.", BATCH_EDGES),
    ("feed_duration_seconds", "Time that the task took over a batch.", SECONDS_EDGES),
    ("commit_duration_seconds", "Time that a commit took, a due checkpoint included.", SECONDS_EDGES),
    ("recovery_duration_seconds", "Time that it took to recover a task.", RECOVERY_EDGES),
]


def _histogram(name: str, text: str, edges: Sequence[float]) -> Histogram:
    return Histogram(f"rotwatch_{name}", text, PROCESS, registry=None, buckets=edges)
