"""The monitoring task: judges a stream's models by its labelled records.

Both models' 0/1 losses are followed by river's ADWIN (Bifet and Gavalda 2007) and Page-Hinkley (Page 1954). Neither
states a false-alarm rate for dependent data, so their alarms carry no evidence and their verdicts are provisional.
"""

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, astuple
from river import drift

from stream.config import Stream
from stream.digest import digest
from stream.errors import StateError
from stream.records import Alarm, DeadLetter, Input, Labelled, Lost, Outputs, Skip, Tick, Undecodable
from stream.skips import Skips
from stream.snapshot import Snapshot

SCHEMA = 3

HALF_LIFE = 500
"""Labelled events after which a loss weighs half in the means that a verdict compares."""

MOST_PAST = 10
"""Former baselines whose late records are told from those of a new one."""

LATCH = 2_000
"""Labelled events after an alarm for which it counts; while the baseline trails, it counts as long as it does."""


class MonitorCounts(Struct, gc=False):
    """How many inputs met each fate; these only grow. ``labelled`` were judged; ``lost`` counts offsets never read."""

    read: int = 0
    labelled: int = 0
    left_out: int = 0
    dead: int = 0
    skipped: int = 0
    lost: int = 0


class MonitoringTotals(Struct, frozen=True):
    """What the monitor has counted and thinks at one moment; see MonitorCounts."""

    read: int
    labelled: int
    left_out: int
    dead: int
    skipped: int
    lost: int
    alarms: dict[str, int]
    verdict: str
    means: dict[str, float]

    def unbalanced(self) -> str | None:
        """The equation that does not hold, written out, or None: every record is accounted for."""
        fates = self.labelled + self.left_out + self.dead
        return None if self.read == fates else f"read {self.read} != labelled + left out + dead = {fates}"


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
    """Feed it labelled records in order; it answers with alarms.

    ``clock`` is the time of the last input, not the latest: one absurd time does not stay.
    """

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self.tolerance = stream.monitor.tolerate_extra_errors_per_1000 / 1000
        self.watches = {"baseline": Watch(), "online": Watch()}
        self.version: str | None = None
        self.past: list[str | None] = []
        self.last = 0.0
        self.counts = MonitorCounts()
        self.skips = Skips()
        self.clock = 0.0
        self.alarms = {
            f"{detector}:{model}": 0 for model, watch in self.watches.items() for detector in watch.detectors
        }
        self.alarmed: int | None = None

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order; the same inputs give the same alarms in any batches."""
        out = Outputs([], [], [], [])
        self.skips.fed(len(batch))
        for record in batch:
            if isinstance(record, Labelled):
                self._judge(record, out)
            elif isinstance(record, Tick):
                self.clock = record.time
            elif isinstance(record, Lost):
                self.counts.lost += record.records
                self._count(record.alarm(self.name, self.clock, self.verdict), out)
            elif isinstance(record, Undecodable | Skip):
                self._on_unusable(record, out)
            else:
                raise TypeError(f"a monitor takes no {type(record).__name__}: it is a scorer's")
        return out

    def _judge(self, record: Labelled, out: Outputs) -> None:
        counts = self.counts
        counts.read += 1
        self.clock = record.label_time
        if record.correction or not record.sampled or not self._of_this_version(record):
            counts.left_out += 1
            return
        counts.labelled += 1
        for model, answer in (("baseline", record.baseline_label), ("online", record.online_label)):
            if answer is None:
                continue
            for detector, figures in self.watches[model].update(float(answer != record.label)):
                self.alarmed = counts.labelled
                self._count(self._alarm(record, f"{detector}:{model}", figures), out)

    def _on_unusable(self, record: Undecodable | Skip, out: Outputs) -> None:
        field = ""
        if isinstance(record, Undecodable):
            field = record.field
        else:
            self.counts.skipped += 1
            self.skips.skipped()
            if record.source == "ticks":
                return  # a tick is no record: nothing of it is to be kept
        self.counts.read += 1
        self.counts.dead += 1
        out.dead_letters.append(DeadLetter("labelled", field, record.reason, record.offset, record.raw))

    def _count(self, alarm: Alarm, out: Outputs) -> None:
        self.alarms[alarm.kind] = self.alarms.get(alarm.kind, 0) + 1
        out.alarms.append(alarm)

    def _of_this_version(self, record: Labelled) -> bool:
        """Whether a record counts for the baseline in use; the first one of a new version begins everything anew.

        So does a former version that is in use again, as after a rollback: of an event later than the last one of the
        version in between. What else comes of a former version was only labelled late.
        """
        version = record.baseline_version
        if version != self.version:
            if version in self.past and record.time <= self.last:
                return False
            self.past = [*[one for one in self.past if one != version], self.version][-MOST_PAST:]
            self.version = version
            self.watches = {"baseline": Watch(), "online": Watch()}
            self.alarmed = None
        self.last = record.time
        # The gap compares the models on the same events: one that the baseline did not score is none of them.
        return version is None or record.baseline_label is not None

    def _gap(self) -> float:
        return self.watches["baseline"].mean - self.watches["online"].mean

    def _alarm(self, record: Labelled, kind: str, figures: dict[str, float]) -> Alarm:
        detail = {**figures, **{f"{model}_mean": watch.mean for model, watch in self.watches.items()}}
        return Alarm(self.name, record.position, record.event_id, record.label_time, kind, self.verdict, None, detail)

    @property
    def verdict(self) -> str:
        """What the monitor thinks now: nothing is wrong before an alarm; then the gap between the models decides."""
        judged = self.counts.labelled
        if not judged:
            return "blind"
        if self.version is None:
            return "no_baseline"
        if self.alarmed is not None:
            gap = self._gap()
            if gap > self.tolerance:
                return "baseline_rot"
            if judged - self.alarmed < LATCH:
                return "online_fault" if -gap > self.tolerance else "unexplained"
        return "healthy"

    def totals(self) -> MonitoringTotals:
        """An immutable copy of the counts and the verdict."""
        means = {model: watch.mean for model, watch in self.watches.items() if watch.events}
        return MonitoringTotals(**asdict(self.counts), alarms=dict(self.alarms), verdict=self.verdict, means=means)

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
        return self.skips.recent()

    def snapshot(self) -> Snapshot:
        """The whole state; holds a pickle, so whoever stores it must authenticate it."""
        return Snapshot(pickle.dumps(self._state(), protocol=5))

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot; raises StateError where it is of another schema."""
        schema, *parts = pickle.loads(body)  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py
        if schema != SCHEMA:
            raise StateError(f"the monitor's state has schema {schema}, this version reads {SCHEMA}")
        self.watches, self.version, self.past, self.last, counts, self.skips, self.clock, self.alarms, self.alarmed = (
            parts
        )
        self.counts = MonitorCounts(*counts)

    def digest(self) -> str:
        """The canonical digest of the state."""
        return digest(self._state())

    def _state(self) -> tuple[Any, ...]:
        counts = astuple(self.counts)
        of_version = (self.watches, self.version, self.past, self.last)
        return (SCHEMA, *of_version, counts, self.skips, self.clock, self.alarms, self.alarmed)
