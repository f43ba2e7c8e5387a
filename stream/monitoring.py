"""The monitoring task: judges a stream's models by its labelled records.

Both models' 0/1 losses are followed by river's ADWIN (Bifet and Gavalda 2007) and Page-Hinkley (Page 1954). Neither
states a false-alarm rate for dependent data, so their alarms carry no evidence and their verdicts are provisional.
"""

import pickle
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from river import drift

from stream.config import Stream
from stream.digest import digest
from stream.errors import StateError
from stream.records import Alarm, Labelled

SCHEMA = 1

HALF_LIFE = 500
"""Labelled events after which a loss weighs half in the means that a verdict compares."""

MOST_PAST = 10
"""Former baselines whose late records are told from those of a new one."""

LATCH = 2_000
"""Labelled events after an alarm for which it counts; while the baseline trails, it counts as long as it does."""


class MonitoringTotals(Struct, frozen=True):
    """What the monitor has counted and thinks at one moment."""

    labelled: int
    left_out: int
    alarms: dict[str, int]
    verdict: str
    means: dict[str, float]


class Watch:
    """One model's 0/1 loss: its decayed mean and the detectors on it."""

    def __init__(self) -> None:
        self.events = 0
        self.mean = 0.0
        self.detectors: dict[str, Any] = {"adwin": drift.ADWIN(), "page-hinkley": drift.PageHinkley(mode="up")}

    def update(self, loss: float) -> list[tuple[str, dict[str, float]]]:
        """Take in a loss of 0 or 1; names the detectors that notice a rise, with their figures."""
        self.events += 1
        # The plain mean of the first events, a decayed one after: see LossTotals.
        self.mean += (loss - self.mean) * max(1.0 / self.events, 1.0 - 0.5 ** (1.0 / HALF_LIFE))
        adwin = self.detectors["adwin"]
        before = adwin.estimation
        adwin.update(loss)
        found = []
        if adwin.drift_detected and adwin.estimation > before:
            found.append(("adwin", {"mean_before": before, "mean_after": adwin.estimation, "window": adwin.width}))
        hinkley = self.detectors["page-hinkley"]
        hinkley.update(loss)
        if hinkley.drift_detected:
            found.append(("page-hinkley", {"mean_after": self.mean, "threshold": hinkley.threshold}))
        return found


class MonitoringTask:
    """Feed it labelled records in order; it answers with alarms."""

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self.tolerance = stream.monitor.tolerate_extra_errors_per_1000 / 1000
        self.watches = {"baseline": Watch(), "online": Watch()}
        self.version: str | None = None
        self.past: list[str | None] = []
        self.labelled = 0
        self.left_out = 0
        self.alarms = {
            f"{detector}:{model}": 0 for model, watch in self.watches.items() for detector in watch.detectors
        }
        self.alarmed: int | None = None

    def feed(self, batch: Sequence[Labelled]) -> list[Alarm]:
        """Take labelled records in order; the same records give the same alarms in any batches."""
        raised: list[Alarm] = []
        for record in batch:
            if record.correction or not record.sampled or not self._of_this_version(record):
                self.left_out += 1
                continue
            self.labelled += 1
            for model, answer in (("baseline", record.baseline_label), ("online", record.online_label)):
                if answer is None:
                    continue
                for detector, figures in self.watches[model].update(float(answer != record.label)):
                    raised.append(self._alarm(record, f"{detector}:{model}", figures))
        return raised

    def _of_this_version(self, record: Labelled) -> bool:
        """Whether a record counts for the baseline in use; the first one of a new version begins everything anew."""
        version = record.baseline_version
        if version != self.version:
            if version in self.past:
                return False
            self.past = [*self.past, self.version][-MOST_PAST:]
            self.version = version
            self.watches = {"baseline": Watch(), "online": Watch()}
            self.alarmed = None
        # The gap compares the models on the same events: one that the baseline did not score is none of them.
        return version is None or record.baseline_label is not None

    def _gap(self) -> float:
        return self.watches["baseline"].mean - self.watches["online"].mean

    def _alarm(self, record: Labelled, kind: str, figures: dict[str, float]) -> Alarm:
        self.alarms[kind] += 1
        self.alarmed = self.labelled
        detail = {**figures, **{f"{model}_mean": watch.mean for model, watch in self.watches.items()}}
        return Alarm(self.name, record.position, record.event_id, record.label_time, kind, self.verdict, None, detail)

    @property
    def verdict(self) -> str:
        """What the monitor thinks now: nothing is wrong before an alarm; then the gap between the models decides."""
        if not self.labelled:
            return "blind"
        if self.version is None:
            return "no_baseline"
        if self.alarmed is not None:
            gap = self._gap()
            if gap > self.tolerance:
                return "baseline_rot"
            if self.labelled - self.alarmed < LATCH:
                return "online_fault" if -gap > self.tolerance else "unexplained"
        return "healthy"

    def totals(self) -> MonitoringTotals:
        """An immutable copy of the counts and the verdict."""
        means = {model: watch.mean for model, watch in self.watches.items() if watch.events}
        return MonitoringTotals(self.labelled, self.left_out, dict(self.alarms), self.verdict, means)

    def state(self) -> tuple[Any, ...]:
        """What a snapshot holds; its parts go on changing with the task."""
        return (SCHEMA, self.watches, self.version, self.past, self.labelled, self.left_out, self.alarms, self.alarmed)

    def snapshot(self) -> bytes:
        """The whole state; holds a pickle, so whoever stores it must authenticate it."""
        return pickle.dumps(self.state(), protocol=5)

    def restore(self, snapshot: bytes) -> None:
        """Take up a snapshot; raises StateError where it is of another schema."""
        self.take_up(pickle.loads(snapshot))  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py

    def take_up(self, state: tuple[Any, ...]) -> None:
        """Take up what ``state`` gave; raises StateError where it is of another schema."""
        schema, *parts = state
        if schema != SCHEMA:
            raise StateError(f"the monitor's state has schema {schema}, this version reads {SCHEMA}")
        self.watches, self.version, self.past, self.labelled, self.left_out, self.alarms, self.alarmed = parts

    def digest(self) -> str:
        """The canonical digest of the state."""
        return digest(self.state())
