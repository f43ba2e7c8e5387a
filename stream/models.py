"""The models that score a stream."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import pandas as pd
from msgspec import Struct
from msgspec.structs import replace

from stream.baseline import Baseline, load
from stream.config import Features, Kind, Stream
from stream.derived import Derived
from stream.errors import StateError
from stream.features import FeatureExtractor, Row
from stream.given import GIVEN, GivenScore
from stream.online import OnlineModel
from stream.records import Chosen, Score, Swap
from stream.reference import Expected

NONE: Mapping[str, Score] = {}


class Frozen(Struct, frozen=True):
    """A baseline, its skops file, and the score from which on an event is called positive."""

    baseline: Baseline
    artifact: bytes
    threshold: float

    def attempt(self, frame: pd.DataFrame) -> Sequence[Score]:
        """The scores of rows, None of those that it breaks on: who only watches must not stop who serves."""
        try:
            return self.baseline.score(frame)
        except Exception:  # noqa: BLE001 - whatever a baseline raises
            return [self._attempt(frame.iloc[at : at + 1]) for at in range(len(frame))]

    def _attempt(self, row: pd.DataFrame) -> Score:
        try:
            return self.baseline.score(row)[0]
        except Exception:  # noqa: BLE001 - as above
            return None


class Before(Struct, frozen=True):
    """Of a warm-up's newest rows: both models' scores, each by what had not learned from the row, and events' times."""

    online: list[Score] = []
    baseline: list[Score] = []
    times: list[float] = []


class Models(Struct):
    """What scores a stream's events, and where each anomaly detector's alarm begins.

    ``online_version`` names the online model's recipe and warm-up, not what it has learned since.
    ``thresholds`` are (online, baseline): an event scored at or above is called positive; with an alert budget they are
    those to begin with. ``artifact`` is the baseline's skops file, with which a snapshot restores a task anywhere; a
    given score has none. ``shadows`` are scored beside the baseline and not served, by their versions. ``expected`` is
    of the baseline in use, ``online_risk`` as in References. ``before``: what a task begins with, no part of its state.
    ``derived``: what both models' derived columns are of.
    """

    online: OnlineModel | GivenScore
    online_version: str
    baseline: Baseline | GivenScore | None
    thresholds: tuple[float, float] = (0.5, 0.5)
    artifact: bytes = b""
    shadows: dict[str, Frozen] = {}
    expected: Expected = Expected()
    online_risk: float | None = None
    before: Before = Before()
    derived: Derived = msgspec.field(default_factory=partial(Derived, Features()))

    @property
    def baseline_version(self) -> str | None:
        """The version of the baseline in use, if there is one."""
        return None if self.baseline is None else self.baseline.version

    def differs(self, swap: Swap) -> bool:
        """Whether a swap would change anything."""
        champion = swap.champion
        if champion is not None and (champion.version, champion.threshold) != (
            self.baseline_version,
            self.thresholds[1],
        ):
            return True
        asked = {chosen.version: chosen.threshold for chosen in swap.shadows}
        return asked != {version: shadow.threshold for version, shadow in self.shadows.items()}

    def swap(self, swap: Swap, kind: Kind) -> None:
        """Take other baselines into use, all or, where one cannot be loaded, none.

        Raises StateError for a file that cannot be loaded.
        """
        champion = None if swap.champion is None else self._frozen(swap.champion, kind)
        if champion is not None and champion.baseline.version != self.baseline_version:
            self.before = replace(self.before, baseline=[])
        self.shadows = {chosen.version: self._frozen(chosen, kind) for chosen in swap.shadows}
        if champion is None:
            return
        self.baseline, self.artifact = champion.baseline, champion.artifact
        self.thresholds = (self.thresholds[0], champion.threshold)
        self.expected = swap.champion.expected  # type: ignore[union-attr] # there is a champion

    def _frozen(self, chosen: Chosen, kind: Kind) -> Frozen:
        """A baseline that is here already, or out of its file."""
        version, artifact, baseline = chosen.version, chosen.artifact, self.baseline
        if isinstance(baseline, Baseline) and baseline.version == version:
            return Frozen(baseline, self.artifact or artifact, chosen.threshold)
        if version in self.shadows:
            return replace(self.shadows[version], threshold=chosen.threshold)
        if not artifact:
            raise StateError(
                f"baseline {version} is asked for and {self.baseline_version} is loaded; "
                f"what is there has no segment {file_segment(version)}"
            )
        return Frozen(load(artifact, kind, version), artifact, chosen.threshold)

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """A snapshot's segments: the baselines' files, and what is remembered of entities."""
        files = {version: shadow.artifact for version, shadow in self.shadows.items()}
        if self.artifact and self.baseline_version is not None:
            files[self.baseline_version] = self.artifact
        named = {file_segment(version): partial(bytes, artifact) for version, artifact in files.items()}
        return {**named, **self.derived.segments()}

    def state(self) -> dict[str, Any]:
        """What a snapshot says of the baselines."""
        shadows = {version: shadow.threshold for version, shadow in self.shadows.items()}
        return {
            "baseline": self.baseline_version,
            "thresholds": self.thresholds,
            "shadows": shadows,
            "expected": self.expected,
            "online_risk": self.online_risk,
            "derived": self.derived.state(),
        }

    def restore(self, state: Mapping[str, Any], stream: Stream, segments: Mapping[str, bytes]) -> None:
        """Load the baselines that a snapshot was made beside, but for those here; raises StateError without a file."""

        def of(version: str, threshold: float) -> Frozen:
            artifact = segments.get(file_segment(version), b"")
            return self._frozen(Chosen(version, "", threshold, artifact=artifact), stream.kind)

        version, thresholds = state["baseline"], state["thresholds"]
        self.shadows = {version: of(version, threshold) for version, threshold in state["shadows"].items()}
        if version is None:
            self.baseline, self.artifact = None, b""
        elif version.startswith(GIVEN):
            many = stream.classes if stream.kind == "multiclass" else []
            self.baseline, self.artifact = GivenScore(version.removeprefix(GIVEN), many), b""
        else:
            champion = of(version, thresholds[1])
            self.baseline, self.artifact = champion.baseline, champion.artifact
        self.thresholds = thresholds
        self.expected, self.online_risk = state["expected"], state["online_risk"]
        self.derived = Derived(stream.features)
        self.derived.restore(state["derived"], segments)

    def given(self, fields: dict[str, Any]) -> tuple[Score, Score]:
        """The scores that an event brings along, of online model and baseline; None of a model that is here.

        Raises RecordError where one of them is no score.
        """
        online, baseline = self.online, self.baseline
        return (
            online.read(fields) if isinstance(online, GivenScore) else None,
            baseline.read(fields) if isinstance(baseline, GivenScore) else None,
        )

    def score(
        self, extractor: FeatureExtractor, rows: Sequence[Row]
    ) -> tuple[Sequence[Score], Sequence[Mapping[str, Score]]]:
        """The scores of the baseline, None where it is not here, and of its shadows by their versions.

        Raises ModelError, and what else a baseline raises that cannot.
        """
        frozen = self.baseline if isinstance(self.baseline, Baseline) else None
        scores: Sequence[Score] = [None] * len(rows)
        shadows: Sequence[Mapping[str, Score]] = [NONE] * len(rows)
        if rows and (frozen is not None or self.shadows):
            frame = extractor.frame(rows)
            if frozen is not None:
                scores = frozen.score(frame)
            if self.shadows:
                each = zip(*(shadow.attempt(frame) for shadow in self.shadows.values()), strict=True)
                shadows = [
                    {version: score for version, score in zip(self.shadows, of_row, strict=True) if score is not None}
                    for of_row in each
                ]
        return scores, shadows


def file_segment(version: str | None) -> str:
    """The name of the segment that holds a baseline's file."""
    return f"baseline-{version}"
