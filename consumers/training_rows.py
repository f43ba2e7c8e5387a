"""Where rows to train on come from: a file of events with their labels, a file of the training log, or its topic."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import structlog

from consumers.kafka.client import connection
from consumers.kafka.training_log import TrainingLog
from consumers.lines import Row
from consumers.outgoing import Format
from consumers.plans import Plan, renamed
from consumers.redaction import redaction
from consumers.start import LOOK_AT, Rows, check_mapped
from stream.config import Settings, Stream
from stream.decoding import RecordDecoder, decode_labelled
from stream.derived import Derived
from stream.errors import RecordError, SettingError, SourceError
from stream.features import FeatureExtractor
from stream.records import Event, Labelled
from stream.sample import Sample
from stream.training.gathering import Gathering, Span
from stream.warmup import name_classes

log = structlog.get_logger()


def of_topic(settings: Settings, name: str, stream: Stream, span: Span) -> Gathering:
    """The rows of the training log in Kafka; raises Unavailable, and SettingError where no class is named."""
    training_log = TrainingLog(connection(settings.kafka, "rotwatch-training"), name, stream)
    gathering = Gathering(name_classes(f"streams.{name}", stream, []), span)
    for batch in training_log:
        gathering.feed([logged.record for logged in batch])
    gathering.leave_out("cannot be read", training_log.unreadable)
    return gathering


def of_file(name: str, stream: Stream, plan: Plan, span: Span) -> Gathering:
    """The rows of a plan's file, whichever of the two kinds it is; raises SourceError and SettingError.

    In a file of events a label stands beside each of them. The training log is known by its first record.
    """
    rows = Rows(plan.source, plan.where, plan.limit)
    first = next((row for row in rows() if isinstance(row[0], dict)), None)
    if first is None:
        raise SourceError(
            f"{plan.source.name}: has no rows that can be read{' that --where keeps' if plan.where else ''}"
        )
    if isinstance(decode_labelled(first[1] or b"", 0), Labelled):
        if plan.mapped:
            raise SettingError("--map", next(iter(plan.mapped)), "left out: a training log has the stream's own names")
        return _of_log(name, stream, rows, span)
    return _of_events(name, stream, plan, rows, span)


def _of_events(name: str, stream: Stream, plan: Plan, rows: Rows, span: Span) -> Gathering:
    names = stream.fields
    form = Format(names, renamed(names, plan.mapped))
    tables = list(_tables(islice(rows(), LOOK_AT)))
    check_mapped(plan, tables)
    own = [form.under_own_names(fields) for fields in tables]
    _look(stream, own)
    numbered = not any(names.event_id in row for row in own)
    redact = redaction(f"streams.{name}.features", stream.features)
    least, sample = stream.labels.least_inspection_probability, Sample(stream)
    decoder = RecordDecoder(names, time.time(), stream.max_ahead, numbered=numbered, redact=redact, least=least)

    def labels() -> Iterator[str | None]:
        return (decoder.label_of(form.under_own_names(fields)) for fields in _tables(rows()))

    timed = any(row.get(names.time) not in (None, "") for row in own)
    if not timed and (span.since, span.until) != (Span(0).since, Span(0).until):
        raise SourceError(f"{plan.source.name}: has no column {names.time!r}, so no range of time can be taken of it")
    gathering = Gathering(_classified(name, stream, labels), span, timed=timed)
    derive = _Deriving(gathering.stream)
    for index, (fields, _) in enumerate(rows()):
        try:
            if isinstance(fields, RecordError):
                raise fields
            named = form.under_own_names(fields)
            event, label = decoder.event(named, index, float(index)), decoder.label_of(named)
            counts = not sample.stated
            if sample.stated and label is not None:
                counts = sample.takes(event.event_id, decoder.probability(named))
            derived = derive(event, label, None if label is None else decoder.label_came(named))
        except RecordError as error:
            gathering.leave_out(str(error))
        else:
            gathering.add(event.event_id, event.time, derived, label, counts=counts)
    return gathering


class _Deriving:
    """Puts into a file's events what the stream derives of them; labels come when rows say, else when they mature."""

    def __init__(self, stream: Stream) -> None:
        self._extractor = FeatureExtractor(stream.features)
        self._derived = Derived(stream.features)
        self._maturity = float(stream.labels.maturity)
        values, classes = stream.labels.values, stream.classes
        self._classes = {name: name for name in classes} | values
        self._positive = classes[-1]
        self._clock = -math.inf

    def __call__(self, event: Event, label: str | None, came: float | None) -> dict[str, Any]:
        """The event's fields with what is derived; ``came``: when its label did, where the row says it."""
        if not self._derived:
            return event.fields
        row = self._extractor.row(event.fields)
        self._clock = max(self._clock, event.time)
        self._derived.advance(self._clock)
        self._derived.add(row, event.time)
        if label in self._classes:
            positive = self._classes[label] == self._positive
            comes = event.time + self._maturity if came is None else came
            self._derived.expect(row, comes, positive=positive)
        return row


def _of_log(name: str, stream: Stream, rows: Rows, span: Span) -> Gathering:
    classified = _classified(name, stream, lambda: (fields.get("label") for fields in _tables(rows())))
    first = islice(_tables(rows()), LOOK_AT)
    _look(stream, [features for fields in first if isinstance(features := fields.get("features"), dict)])
    gathering = Gathering(classified, span)
    for index, (_, raw) in enumerate(rows()):
        record = decode_labelled(raw or b"", index)
        if isinstance(record, Labelled):
            gathering.feed([record])
        else:
            gathering.leave_out(f"cannot be read: {record.reason}")
    return gathering


def _look(stream: Stream, rows: Sequence[dict[str, Any]]) -> None:
    """Warn of columns that none of the first rows has a value of."""
    for column in (*stream.features.logged.given, *stream.features.keys):
        if all(row.get(column) in (None, "") for row in rows):
            log.warning(
                "no row that was looked at has this column: it counts as missing", column=column, rows=len(rows)
            )


def _tables(rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    return (fields for fields, _ in rows if isinstance(fields, dict))


def _classified(name: str, stream: Stream, labels: Callable[[], Iterable[Any]]) -> Stream:
    """The stream with its classes: those set, or those that the rows show."""
    seen = [] if stream.classes else sorted({str(label) for label in labels() if label is not None})
    return name_classes(f"streams.{name}", stream, seen)
