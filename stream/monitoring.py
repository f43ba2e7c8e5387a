"""The monitoring task: judges a stream's models by its labelled records, with a stated false-alarm rate.

For each champion version evidence begins anew (stream/drift/judgement.py). What its models' errors are measured by a
scorer says in Risks; an absolute detector runs from then on.
"""

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, astuple

from stream.config import Stream
from stream.digest import digest
from stream.drift.evidence import Crossing
from stream.drift.judgement import judge
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE, Limits
from stream.drift.verdict import NEXT
from stream.errors import StateError
from stream.records import Alarm, DeadLetter, Input, Labelled, Lost, Outputs, Risks, Skip, Tick, Undecodable
from stream.skips import Skips
from stream.snapshot import Snapshot

SCHEMA = 4

MOST_PAST = 10
"""Former baselines whose late records are told from those of a new one, and versions whose risks are remembered."""


class MonitorCounts(Struct, gc=False):
    """How many inputs met each fate; these only grow. ``labelled`` were judged; ``lost`` counts offsets never read."""

    read: int = 0
    labelled: int = 0
    left_out: int = 0
    dead: int = 0
    skipped: int = 0
    lost: int = 0


class MonitoringTotals(Struct, frozen=True):
    """What the monitor has counted and thinks at one moment; see MonitorCounts.

    ``evidence`` is by detector, ``off`` says why one does not run. ``excess`` is how many errors the baseline makes
    more than the online model, a labelled event: mean and 95% interval since it came into use, and since the alarm.
    """

    read: int
    labelled: int
    left_out: int
    dead: int
    skipped: int
    lost: int
    alarms: dict[str, int]
    verdict: str
    reason: str
    means: dict[str, float]
    evidence: dict[str, float]
    threshold: float
    off: dict[str, str]
    excess: dict[str, tuple[float, float, float]]

    def unbalanced(self) -> str | None:
        """The equation that does not hold, written out, or None: every record is accounted for."""
        fates = self.labelled + self.left_out + self.dead
        return None if self.read == fates else f"read {self.read} != labelled + left out + dead = {fates}"


class MonitoringTask:
    """Feed it labelled records in order; it answers with alarms.

    ``clock`` is the time of the last input, not the latest: one absurd time does not stay.
    """

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self.limits = limits(stream)
        self.judgement = judge(self.limits, None, None)
        self.risks: dict[str | None, Risks] = {}
        self.version: str | None = None
        self.past: list[str | None] = []
        self.last = 0.0
        self.counts = MonitorCounts()
        self.skips = Skips()
        self.clock = 0.0
        self.alarms = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), 0)

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order; the same inputs give the same alarms in any batches."""
        out = Outputs([], [], [], [])
        self.skips.fed(len(batch))
        for record in batch:
            if isinstance(record, Labelled):
                self._judge(record, out)
            elif isinstance(record, Risks):
                self._learn(record)
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
        if record.baseline_label is None:
            self.judgement.online.update(float(record.online_label != record.label))
            return
        losses = float(record.baseline_label != record.label), float(record.online_label != record.label)
        for crossing in self.judgement.update(*losses):
            self._count(self._alarm(record, crossing), out)

    def _learn(self, risks: Risks) -> None:
        self.risks.pop(risks.baseline_version, None)
        self.risks[risks.baseline_version] = risks
        while len(self.risks) > MOST_PAST:
            del self.risks[next(iter(self.risks))]
        if risks.baseline_version == self.version:
            self.judgement.learn(risks.baseline, risks.online)

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
        out.dead_letters.append(DeadLetter(record.source, field, record.reason, record.offset, record.raw))

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
            known = self.risks.get(version) or Risks(version, None, None)
            self.judgement = judge(self.limits, known.baseline, known.online)
        self.last = record.time
        # The gap compares the models on the same events: one that the baseline did not score is none of them.
        return version is None or record.baseline_label is not None

    def _alarm(self, record: Labelled, crossing: Crossing) -> Alarm:
        judged = self.judgement
        detail = {"odds": crossing.odds, "baseline_mean": judged.baseline.mean, "online_mean": judged.online.mean}
        if crossing.change is not None:
            detail["began_events_ago"] = float(crossing.event - crossing.change)
        return Alarm(
            self.name,
            record.position,
            record.event_id,
            record.label_time,
            crossing.detector,
            self.verdict,
            crossing.evidence,
            detail,
            self.reason,
        )

    @property
    def verdict(self) -> str:
        """What the monitor thinks now: see stream/drift/verdict.py."""
        if not self.counts.labelled:
            return "blind"
        return "no_baseline" if self.version is None else self.judgement.verdict

    @property
    def reason(self) -> str:
        """Why, and what to do next."""
        verdict = self.verdict
        why = "" if verdict in ("blind", "no_baseline") else f"{self.judgement.reason}: "
        return f"{why}{NEXT[verdict]}"

    def totals(self) -> MonitoringTotals:
        """An immutable copy of the counts and the verdict."""
        judged = self.judgement
        means = {"baseline": judged.baseline, "online": judged.online}
        intervals = {"deployed": judged.deployed, "alarm": judged.alarmed}
        return MonitoringTotals(
            **asdict(self.counts),
            alarms=dict(self.alarms),
            verdict=self.verdict,
            reason=self.reason,
            means={model: mean.mean for model, mean in means.items() if mean.events},
            evidence={name: detector.evidence for name, detector in judged.rot.detectors.items()},
            threshold=judged.rot.detectors[PAIRED].every,
            off=dict(judged.rot.off),
            excess={
                since: (interval.mean, *interval.bounds())
                for since, interval in intervals.items()
                if interval is not None and interval.events
            },
        )

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
        self.judgement, self.risks, self.version, self.past, self.last, *others = parts
        counts, self.skips, self.clock, self.alarms = others
        self.counts = MonitorCounts(*counts)

    def digest(self) -> str:
        """The canonical digest of the state."""
        return digest(self._state())

    def _state(self) -> tuple[Any, ...]:
        of_version = (self.judgement, self.risks, self.version, self.past, self.last)
        return (SCHEMA, *of_version, astuple(self.counts), self.skips, self.clock, self.alarms)


def limits(stream: Stream) -> Limits:
    """What a stream's settings tolerate."""
    monitor = stream.monitor
    return Limits(
        monitor.false_alarm_every,
        monitor.tolerate_extra_errors_per_1000 / 1000,
        monitor.tolerate_above_reference_per_1000 / 1000,
    )
