"""river's drift detectors, and the user's own, beside the verdict: on any monitored value, one alarm an episode.

They tell that a value has changed, in either direction, by rules of thumb: none of them states how often it is wrong,
and none changes the verdict. docs/detectors.md says what each costs and how often it cries wolf.

An **episode** begins with a detection, which is the alarm. Further detections prolong it and say nothing. It ends
with the REFRACTORY-th event in a row without one: `recovered` where the mean of these events is nearer to what it was
before the alarm than to what it was at the alarm, `settled` where it is not: then the new level is the usual one.
"""

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import astuple
from river import base, drift
from river.drift import binary

from stream.config import Stream
from stream.digest import digest
from stream.errors import SettingError
from stream.factories import guarded
from stream.online import find
from stream.records import Alarm, Labelled
from stream.watching import YES_OR_NO, refusal

REFRACTORY = 1_000
"""Events without a detection that end an episode."""

RECENT = 1.0 - 0.5 ** (1 / 100)
"""What an event weighs in the recent mean: half after a hundred events."""

State = Literal["quiet", "alarmed", "recovered", "settled", "off"]

FACTORIES: dict[str, Callable[[int], Any]] = {
    "adwin": lambda _: drift.ADWIN(),
    "page-hinkley": lambda _: drift.PageHinkley(),
    "kswin": lambda seed: drift.KSWIN(seed=seed),
    "ddm": lambda _: binary.DDM(),
    "eddm": lambda _: binary.EDDM(),
    "hddm-a": lambda _: binary.HDDMA(),
    "hddm-w": lambda _: binary.HDDMW(),
}
"""By the names of stream.watching, with river's own settings; what draws at random takes the stream's seed."""

WORDS = {
    "baseline": "the baseline's errors",
    "online": "the online model's errors",
    "disagreement": "the models' disagreements",
    "gap": "the baseline's errors less the online model's",
    "baseline_score": "the baseline's score",
}


class Detection(Struct, frozen=True):
    """A detector's alarm."""

    kind: str
    detail: dict[str, float]
    reason: str

    def alarm(self, stream: str, record: Labelled, verdict: str) -> Alarm:
        """What to say of it; ``record``: the one that raised it."""
        place = (record.position, record.event_id, record.label_time)
        return Alarm(stream, *place, self.kind, verdict, None, self.detail, self.reason)


class Means(Struct):
    """Of a value: ``usual`` since the last episode, ``recent`` of late, and in an episode since its last detection."""

    events: int = 0
    usual: float = 0.0
    recent: float = 0.0
    alarmed: float = 0.0
    since: int = 0
    after: float = 0.0


class Watched:
    """One detector on one value. ``state``: quiet, or how its last episode went; off once it has failed."""

    def __init__(self, name: str, value: str, detector: Any) -> None:
        self.name = f"{name}:{value}"
        self.value = value
        self.detector = detector
        self.state: State = "quiet"
        self.means = Means()

    def update(self, x: float) -> Detection | None:
        """Take in the value of an event; the alarm, if it raises one."""
        means = self.means
        if self.state == "off":
            return None
        try:
            self.detector.update(x)
            found = bool(self.detector.drift_detected)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's detector may raise anything, and must not stop the monitor
            self.state = "off"
            return self._detection(f"raised {type(error).__name__}: it is off until another baseline is in use")
        means.events += 1
        means.recent += (x - means.recent) * max(1.0 / means.events, RECENT)
        if self.state == "alarmed":
            self._go_on(x, found=found)
            return None
        if not found:
            means.usual += (x - means.usual) / means.events
            return None
        self.state = "alarmed"
        means.alarmed, means.since, means.after = means.recent, 0, 0.0
        return self._detection(
            f"says that {WORDS[self.value]} changed: {means.recent:.3f} an event of late, {means.usual:.3f} before; "
            "it states no rate of false alarms, and the verdict is not by it"
        )

    def _detection(self, what: str) -> Detection:
        detail = {"before": self.means.usual, "recent": self.means.recent}
        return Detection(self.name, detail, f"{self.name} {what}")

    def _go_on(self, x: float, *, found: bool) -> None:
        means = self.means
        if found:
            means.since, means.after = 0, 0.0
            return
        means.since += 1
        means.after += (x - means.after) / means.since
        if means.since == REFRACTORY:
            recovered = abs(means.after - means.usual) <= abs(means.after - means.alarmed)
            self.state = "recovered" if recovered else "settled"
            self.means = Means(events=REFRACTORY, usual=means.after, recent=means.recent)


class Watch:
    """All that a stream's settings want watched, of one champion version; raises SettingError and TrainingError."""

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name
        key = f"streams.{name}.monitor.detectors"
        self.watched = [
            Watched(spec, value, make(f"{key}.{value}", spec, value, stream.seed))
            for value, specs in stream.monitor.detectors.items()
            for spec in specs
        ]

    def update(self, record: Labelled) -> list[Detection]:
        """Take in a labelled record; the alarms that it raises. What it has no value for stays as it is."""
        if not self.watched:
            return []
        values = monitored(record)
        found = [one.update(values[one.value]) for one in self.watched if one.value in values]
        return [detection for detection in found if detection is not None]

    def states(self) -> dict[str, str]:
        """How each detector is now."""
        return {one.name: one.state for one in self.watched}

    def state(self) -> dict[str, tuple[Any, ...]]:
        """All that is remembered, for the canonical digest."""
        return {one.name: (one.state, astuple(one.means), one.detector) for one in self.watched}

    def snapshot(self) -> bytes:
        """The whole state; a pickle, so whoever stores it must authenticate it."""
        # Each apart: what the settings no longer name need not be there to be unpickled.
        return pickle.dumps({name: pickle.dumps(part, protocol=5) for name, part in self.state().items()}, protocol=5)

    def restore(self, state: bytes) -> None:
        """Take up a snapshot: what the settings of now still name; what they name anew begins."""
        known = pickle.loads(state)  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py
        for one in self.watched:
            if one.name in known:
                one.state, means, one.detector = pickle.loads(known[one.name])  # noqa: S301 - as above
                one.means = Means(*means)


def monitored(record: Labelled) -> Mapping[str, float]:
    """The monitored values that a labelled record has."""
    values, label = {}, record.label
    ours, others, score = record.baseline_label, record.online_label, record.baseline
    if others is not None:
        values["online"] = float(others != label)
    if ours is not None:
        values["baseline"] = float(ours != label)
    if ours is not None and others is not None:
        values["disagreement"] = float(ours != others)
        values["gap"] = values["baseline"] - values["online"]
    if score is not None:
        # Of several classes: how sure the baseline is.
        values["baseline_score"] = max(score) if isinstance(score, list) else score
    return values


def make(key: str, spec: str, value: str, seed: int) -> Any:
    """The detector that a setting names, ready for a value.

    Raises SettingError for what is no detector or not for this value, TrainingError for one that cannot be made or
    kept.
    """
    if spec in FACTORIES:
        return FACTORIES[spec](seed)
    kind = find(key, spec, {})
    if not isinstance(kind, type) or not callable(getattr(kind, "update", None)):
        raise SettingError(key, spec, "a class with update(x) and drift_detected, as river's have")
    if issubclass(kind, base.BinaryDriftDetector) and value not in YES_OR_NO:
        raise SettingError(key, spec, refusal(value))
    with guarded(f"{key} = {spec!r}"):
        detector = kind()
        digest(pickle.loads(pickle.dumps(detector)))  # noqa: S301 - made above; shows that it can be kept
    if not hasattr(detector, "drift_detected"):
        raise SettingError(key, spec, "a class with update(x) and drift_detected, as river's have")
    return detector


def check(key: str, detectors: Mapping[str, Sequence[str]]) -> None:
    """See that every detector can be made; raises as ``make``."""
    for value, specs in detectors.items():
        for spec in specs:
            make(f"{key}.{value}", spec, value, 0)
