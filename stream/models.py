"""The models that score a stream, and what they make of a batch before it is gone through event by event."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import repeat

from msgspec import Struct

from stream.baseline import Baseline, load
from stream.config import Stream
from stream.errors import RecordError, StateError
from stream.features import FeatureExtractor, ModelInput, Row
from stream.given import GIVEN, GivenScore
from stream.online import OnlineModel
from stream.records import Event, Score

Thresholds = tuple[float, float]
"""Of online model and baseline: an event scored at or above is called positive."""

Ready = tuple[Row, ModelInput, Score, Score]


class Models(Struct):
    """What scores a stream's events, and where each anomaly detector's alarm begins.

    ``online_version`` names the online model's recipe and warm-up, not what it has learned since.
    ``thresholds`` are (online, baseline): an event scored at or above is called positive; ``past`` are those of
    baselines that were in use before, by version, while events wait that they have scored. ``artifact`` is the
    baseline's skops file, with which a snapshot restores a task anywhere; a given score has none.
    """

    online: OnlineModel | GivenScore
    online_version: str
    baseline: Baseline | GivenScore | None
    thresholds: tuple[float, float] = (0.5, 0.5)
    artifact: bytes = b""
    past: dict[str | None, Thresholds] = {}

    @property
    def baseline_version(self) -> str | None:
        """The version of the baseline in use, if there is one."""
        return None if self.baseline is None else self.baseline.version

    def thresholds_of(self, version: str | None) -> Thresholds:
        """The thresholds of an event that the baseline of this version has scored."""
        return self.thresholds if version == self.baseline_version else self.past.get(version, self.thresholds)

    def swap(self, baseline: Baseline, artifact: bytes, threshold: float, held: AbstractSet[str | None]) -> None:
        """Take another baseline into use; ``held``: the versions that have scored an event that is still here."""
        known = {**self.past, self.baseline_version: self.thresholds}
        self.past = {version: of for version, of in known.items() if version in held}
        self.baseline, self.artifact, self.thresholds = baseline, artifact, (self.thresholds[0], threshold)

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """A snapshot's segment of the baseline's file."""
        artifact = self.artifact
        return {_segment(self.baseline_version): lambda: artifact} if artifact else {}

    def restore_baseline(self, version: str | None, stream: Stream, segments: Mapping[str, bytes]) -> None:
        """Load the baseline that a snapshot was made beside, unless it is here; raises StateError without its file."""
        artifact = segments.get(_segment(version), b"")
        if version == self.baseline_version:
            self.artifact = artifact or self.artifact
        elif version is None:
            self.baseline, self.artifact = None, b""
        elif version.startswith(GIVEN):
            many = stream.classes if stream.kind == "multiclass" else []
            self.baseline, self.artifact = GivenScore(version.removeprefix(GIVEN), many), b""
        elif artifact:
            self.baseline, self.artifact = load(artifact, stream.kind, version), artifact
        else:
            raise StateError(
                f"the state was made beside baseline {version}, but {self.baseline_version} is loaded, "
                f"and the snapshot has no segment {_segment(version)}"
            )

    def ready(self, extractor: FeatureExtractor, events: Sequence[Event]) -> Iterator[Ready | RecordError]:
        """Rows, the online model's inputs and the baseline's scores of a batch, or why an event has none."""
        online, baseline = self.online, self.baseline
        if isinstance(online, GivenScore) or isinstance(baseline, GivenScore):
            return self._ready_given(extractor, events)
        try:
            rows = [extractor.row(event.fields) for event in events]
        except RecordError:
            # Some event is at fault, which is rare: the careful way finds out which.
            return self._ready_given(extractor, events)
        scores: Sequence[Score] = [None] * len(rows)
        if baseline is not None and rows:
            scores = baseline.score(extractor.frame(rows))
        return zip(rows, extractor.inputs(rows), repeat(None), scores, strict=False)

    def _ready_given(self, extractor: FeatureExtractor, events: Sequence[Event]) -> Iterator[Ready | RecordError]:
        online, baseline = self.online, self.baseline
        given_online: list[Score] = []
        given_baseline: list[Score] = []
        rows: list[Row] = []
        faults: dict[int, RecordError] = {}
        for index, event in enumerate(events):
            try:
                row = extractor.row(event.fields)
                o = online.read(event.fields) if isinstance(online, GivenScore) else None
                b = baseline.read(event.fields) if isinstance(baseline, GivenScore) else None
            except RecordError as error:
                faults[index] = error
                continue
            rows.append(row)
            given_online.append(o)
            given_baseline.append(b)
        inputs: Sequence[ModelInput]
        inputs = [{}] * len(rows) if isinstance(online, GivenScore) else extractor.inputs(rows)
        scores: Sequence[Score] = given_baseline
        if isinstance(baseline, Baseline) and rows:
            scores = baseline.score(extractor.frame(rows))
        ready = zip(rows, inputs, given_online, scores, strict=True)
        return ready if not faults else iter([faults.get(i) or next(ready) for i in range(len(events))])


def _segment(version: str | None) -> str:
    return f"baseline-{version}"
