"""The rows to train on, out of labelled records: each event once, oldest first.

They come from the training log, where features are as they were when the event was scored, or from a file of events
with their labels, of which the same features are made here.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from stream.config import Stream
from stream.errors import RecordError, TrainingError
from stream.features import FeatureExtractor, Row
from stream.records import KEPT_OTHERWISE, Labelled
from stream.training.splits import LEAST
from stream.training.trials import Data

MOST_REASONS = 50
"""Reasons that are told apart: some name a value, and there may be as many of these as records."""

OTHER = "for other reasons"


LATEST = 253_402_300_800.0
"""Seconds until the year 10000: nobody's calendar has a later time."""


class Span(Struct, frozen=True):
    """Which rows: the newest so many, of events from ``since`` on and before ``until`` (seconds since the epoch)."""

    rows: int
    since: float = float("-inf")
    until: float = float("inf")


class Gathering:
    """Takes in labelled records and keeps the newest ``span.rows`` of them, so that memory is bounded.

    ``left_out`` counts those that cannot be used, by the reason, ``outside`` those before and behind the range of time.
    Not ``timed``: what stands as their time is a number that only orders them.
    """

    def __init__(self, stream: Stream, span: Span, *, timed: bool = True) -> None:
        self.timed = timed
        self.stream = stream
        self.span = span
        self.left_out: dict[str, int] = {}
        self.outside = 0
        self._extractor = FeatureExtractor(stream.features, logged=True)
        known = {name: index for index, name in enumerate(stream.classes)}
        self._known = known | {written: known[meant] for written, meant in stream.labels.values.items()}
        self._unlabelled = -1 if stream.kind == "anomaly" else None
        self._rows: OrderedDict[str, tuple[float, Row, int, bool]] = OrderedDict()

    def feed(self, records: Sequence[Labelled]) -> None:
        """Take records of the training log, in its order."""
        for record in records:
            if record.correction:
                self._correct(record)
            elif record.features is None:
                self.leave_out("has no features")
            elif record.hashed != self.stream.features.hashed:
                self.leave_out(KEPT_OTHERWISE)
            else:
                self.add(record.event_id, record.time, record.features, record.label, counts=record.sampled)

    def add(
        self, event_id: str, time: float, fields: dict[str, Any], label: str | None, *, counts: bool = True
    ) -> None:
        """Take an event's fields with its derived columns, or its features as logged; of anomalies a label may lack.

        ``counts``: whether it is in the sample that is judged by.
        """
        if not abs(time) < LATEST:
            self.leave_out("its time is beyond the year 9999: is fields.time_unit right?")
            return
        if not self.span.since <= time < self.span.until:
            self.outside += 1
            return
        index = self._known.get(label) if label is not None else self._unlabelled
        if index is None:
            of = f"label {label[:80]!r} is none of {self.stream.classes}" if label is not None else "has no label"
            self.leave_out(of)
        elif event_id in self._rows:
            self.leave_out("is there twice")
        else:
            try:
                row = self._extractor.row(fields)
            except RecordError as error:
                self.leave_out(str(error))
                return
            self._rows[event_id] = (time, row, index, counts)
            if len(self._rows) > self.span.rows:
                self._rows.popitem(last=False)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count records that cannot be used."""
        if reason not in self.left_out and len(self.left_out) >= MOST_REASONS:
            reason = OTHER
        if count:
            self.left_out[reason] = self.left_out.get(reason, 0) + count

    def data(self) -> tuple[Data, np.ndarray[Any, np.dtype[Any]]]:
        """What is trained on, and the time of each row; hands the rows over. Raises TrainingError for too few."""
        # Events are ordered by their own time, as they were scored: labels come in another order.
        taken = sorted(self._rows.values(), key=lambda one: one[0])
        self._rows.clear()
        if len(taken) < LEAST:
            of = "rows" if self.stream.kind == "anomaly" else "labelled rows"
            raise TrainingError(f"{len(taken)} {of} are too few to train on: {LEAST} at least{self._why()}")
        missing = sorted(set(range(len(self.stream.classes))) - {index for _, _, index, _ in taken})
        if missing and self.stream.kind != "anomaly":
            raise TrainingError(f"no row is {self.stream.classes[missing[0]]!r}{self._why()}")
        times, rows, classes, judging = zip(*taken, strict=True)
        labels, counts = np.array(classes), None if all(judging) else np.array(judging)
        frame = self._extractor.frame(rows)
        return Data(frame, labels, len(self.stream.classes), self.stream.features.logged, counts), np.array(times)

    def _why(self) -> str:
        """What has become of the rows that are not there."""
        worst = max(self.left_out, key=lambda reason: self.left_out[reason], default="")
        many = sum(self.left_out.values())
        said = f"; {many} cannot be used, most often since: {worst}" if many else ""
        return said + (f"; {self.outside} lie outside the range of time" if self.outside else "")

    def _correct(self, record: Labelled) -> None:
        known = self._rows.get(record.event_id)
        index = self._known.get(record.label)
        if known is not None and index is not None:
            self._rows[record.event_id] = (known[0], known[1], index, known[3])
