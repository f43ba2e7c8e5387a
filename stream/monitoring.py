"""The monitoring task: judges a stream's models by its labelled records and profiles, with a stated false-alarm rate.

What it thinks is in stream/judging.py; here records are counted, alarms made, and the state kept.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from stream.config import Stream
from stream.digest import digest
from stream.drift.account import Accounted
from stream.drift.detectors import Watch
from stream.drift.evidence import Crossing
from stream.drift.findings import Finding
from stream.drift.guesses import Guessed
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE
from stream.drift.sight import Labels
from stream.drift.value import Realised
from stream.errors import StateError
from stream.judging import Judging, JudgingState
from stream.profile import Profile
from stream.records import (
    VERDICT,
    Alarm,
    DeadLetter,
    Input,
    Labelled,
    Lost,
    Outputs,
    References,
    Skip,
    Tick,
    Undecodable,
)
from stream.skips import Skips
from stream.snapshot import Snapshot

SCHEMA = 8


class MonitorCounts(Struct, gc=False):
    """How many inputs met each fate; these only grow.

    ``read``: labelled records, and what cannot be used; of those ``labelled`` were judged. ``profiles`` were taken in,
    references among them; ``lost`` counts offsets never read.
    """

    read: int = 0
    profiles: int = 0
    labelled: int = 0
    left_out: int = 0
    dead: int = 0
    skipped: int = 0
    lost: int = 0


class MonitoringTotals(Struct, frozen=True):
    """What the monitor has counted and thinks at one moment; see MonitorCounts.

    ``evidence`` is by detector, ``off`` says why one does not run. ``judged``: so many labelled events count, since the
    version came into use or a field of it was whole again. ``excess`` is how many errors the baseline makes more than
    the online model, a labelled event: mean and 95% interval of them, and of those since the alarm.
    ``findings``: what is broken or has moved among the baseline's inputs, its score and the labels;
    ``strengths`` says of each how far it is from its reference. ``retrained``: what the last retrain has brought.
    ``watched``: how the detectors beside the verdict are.
    """

    read: int
    profiles: int
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
    judged: int
    excess: dict[str, tuple[float, float, float]]
    findings: list[Finding]
    strengths: list[tuple[str, str, float]]
    account: Accounted
    retrained: Realised | None
    guesses: Guessed
    labels: Labels
    watched: dict[str, str]

    def unbalanced(self) -> str | None:
        """The equation that does not hold, written out, or None: every record is accounted for."""
        fates = self.labelled + self.left_out + self.dead
        return None if self.read == fates else f"read {self.read} != labelled + left out + dead = {fates}"


class MonitorState(Struct):
    """The whole state; JSON, with river's detectors, where there are any, pickled in ``watched``."""

    schema: int
    judging: JudgingState
    counts: MonitorCounts
    skips: tuple[int, list[int]]
    clock: float
    alarms: dict[str, int]
    newest: tuple[int, str]
    watched: bytes = b""


class MonitoringTask:
    """Feed it labelled records and profiles in order; it answers with alarms.

    ``clock`` is the time of the last input, not the latest: one absurd time does not stay. ``newest``: position and id
    of the event that was judged last.
    """

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        self.stream = stream
        self.judging = Judging(name, stream)
        self.watch = Watch(name, stream)
        self.counts = MonitorCounts()
        self.skips = Skips()
        self.clock = 0.0
        self.alarms = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), 0)
        self.newest = (-1, "")

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order; the same inputs give the same alarms in any batches."""
        out = Outputs([], [], [], [])
        for record in batch:
            self.skips.fed(1)
            if isinstance(record, Labelled):
                self._judge(record, out)
            elif isinstance(record, Profile):
                self._profile(record, out)
            elif isinstance(record, References):
                self.counts.profiles += 1
                self.judging.learn(record)
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
        self.counts.read += 1
        self.clock = record.label_time
        version = self.judging.version
        if not self.judging.takes(record):
            self.counts.left_out += 1
            return
        if version != self.judging.version:
            self.watch = Watch(self.name, self.stream)
        self.counts.labelled += 1
        self.newest = (record.position, record.event_id)
        before = self.verdict
        for crossing in self.judging.labelled(record):
            if crossing is not None:
                self._count(self._alarm(crossing, self.newest), out)
            else:
                self._turn(before, self.newest, out)
        for detection in self.watch.update(record):
            self._count(detection.alarm(self.name, record, self.verdict), out)

    def _profile(self, profile: Profile, out: Outputs) -> None:
        before = self.verdict
        try:
            crossings = list(self.judging.profile(profile))
        except StateError as error:
            # It does not fit the reference that a scorer has told: whoever has written it, the monitor goes on.
            self.counts.read += 1
            self.counts.dead += 1
            out.dead_letters.append(DeadLetter("profiles", "", str(error), -1, msgspec.json.encode(profile)))
            return
        self.counts.profiles += 1
        self.clock = profile.until
        place = (profile.last, "")
        for crossing in crossings:
            if crossing is not None:
                self._count(self._alarm(crossing, place), out)
            else:
                self._turn(before, place, out)

    def _turn(self, before: str, place: tuple[int, str], out: Outputs) -> None:
        """Say that the verdict is another, but for the first one, if that is a good one."""
        if before != "blind" or self.counts.labelled > 1 or self.verdict not in ("healthy", "no_baseline"):
            out.alarms.append(Alarm(self.name, *place, self.clock, VERDICT, self.verdict, None, {}, self.reason))

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

    def _alarm(self, crossing: Crossing, place: tuple[int, str]) -> Alarm:
        judged = self.judging.judgement
        detail = {"odds": crossing.odds, "baseline_mean": judged.baseline.mean, "online_mean": judged.online.mean}
        if crossing.change is not None:
            detail["began_events_ago"] = float(crossing.event - crossing.change)
        return Alarm(
            self.name,
            *place,
            self.clock,
            crossing.detector,
            self.verdict,
            crossing.evidence,
            detail,
            self.judging.why(crossing),
        )

    @property
    def verdict(self) -> str:
        """What the monitor thinks now: see stream/drift/verdict.py."""
        return self.judging.verdict

    @property
    def reason(self) -> str:
        """Why, and what to do next."""
        return self.judging.reason

    def totals(self) -> MonitoringTotals:
        """An immutable copy of the counts and the verdict."""
        judged = self.judging.judgement
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
            judged=judged.deployed.events,
            excess={
                since: (interval.mean, *interval.bounds())
                for since, interval in intervals.items()
                if interval is not None and interval.events
            },
            findings=self.judging.moves.findings,
            strengths=self.judging.moves.strengths,
            account=self.judging.account.said,
            retrained=self.judging.retrained,
            guesses=self.judging.guesses.said,
            labels=self.judging.sight.said,
            watched=self.watch.states(),
        )

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
        return self.skips.recent()

    def snapshot(self) -> Snapshot:
        """The whole state; it may hold pickles, so whoever stores it must authenticate it."""
        watched = self.watch.snapshot() if self.watch.watched else b""
        return Snapshot(msgspec.json.encode(replace(self._state(), watched=watched)))

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot; raises StateError where it is of another schema."""
        try:
            schema = msgspec.json.decode(body, type=Versioned).schema
            state = msgspec.json.decode(body, type=MonitorState) if schema == SCHEMA else None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"the monitor's state cannot be read; was it made by an older version? {error}") from error
        if state is None:
            raise StateError(f"the monitor's state has schema {schema}, this version reads {SCHEMA}")
        self.judging.restore(state.judging)
        self.counts, self.clock, self.alarms, self.newest = state.counts, state.clock, state.alarms, state.newest
        self.skips.inputs, self.skips.places = state.skips
        if state.watched:
            self.watch.restore(state.watched)

    def digest(self) -> str:
        """The canonical digest of the state."""
        return digest([self._state(), self.watch.state()])

    def _state(self) -> MonitorState:
        return MonitorState(
            SCHEMA,
            self.judging.snapshot(),
            replace(self.counts),
            (self.skips.inputs, self.skips.places),
            self.clock,
            self.alarms,
            self.newest,
        )


class Versioned(Struct):
    """A state of any schema."""

    schema: int
