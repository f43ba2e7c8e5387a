"""The models that score a stream, and what they make of a batch before it is gone through event by event."""

from collections.abc import Iterator, Sequence
from itertools import repeat

from msgspec import Struct

from stream.baseline import Baseline
from stream.errors import RecordError
from stream.features import FeatureExtractor, ModelInput, Row
from stream.given import GivenScore
from stream.online import OnlineModel
from stream.records import Event, Score

Ready = tuple[Row, ModelInput, Score, Score]


class Models(Struct):
    """What scores a stream's events, and where each anomaly detector's alarm begins.

    ``online_version`` names the online model's recipe and warm-up, not what it has learned since.
    ``thresholds`` are (online, baseline): an event scored at or above is called positive.
    """

    online: OnlineModel | GivenScore
    online_version: str
    baseline: Baseline | GivenScore | None
    thresholds: tuple[float, float] = (0.5, 0.5)

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
