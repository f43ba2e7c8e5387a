"""Which rows are sent to a stream's topics, in which order, when and how: what ``rotwatch produce`` does.

Rows, their order and the moments at which labels come are those of ``replay``. Records are keyed by ``fields.key``
where the stream has one, so that all of a customer's come to one partition, else by the event's id. A label has the key
of its event.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Protocol

from msgspec import Struct

from consumers.lines import Row, decode_json, decoded
from consumers.order import Delay, Order, Position, SideBySide, TwoFiles
from consumers.outgoing import Clock, Format, Writer
from consumers.plans import Plan, named, renamed, timed
from consumers.start import LOOK_AT, Rows
from stream.config import Stream, topic
from stream.decoding import RecordDecoder
from stream.errors import RecordError, SettingError, SourceError
from stream.features import key_text
from stream.online import find
from stream.records import Event, Label, Undecodable

NAP = 0.1
"""Seconds: so long at most until a stop is noticed."""

LEFT_OUT = RecordError("", "is left out")
"""Stands for a row that --skip names: it is counted, and that is all."""


class Sink(Protocol):
    """Where records go."""

    def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Send one."""


class Counts(Struct):
    """What has been sent; ``unreadable`` are rows that are no records, passed on as they are."""

    events: int = 0
    labels: int = 0
    unreadable: int = 0


class Pace:
    """So many events a second, counted from the first: what comes late is made up for. 0: as fast as can be."""

    def __init__(
        self,
        rate: float,
        stop: Callable[[], bool] = lambda: False,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self._stop = stop
        self._now = now
        self._sleep = sleep
        self._began: float | None = None
        self._count = 0

    def wait(self) -> None:
        """Return when the next event is due, or at a stop."""
        if not self.rate:
            return
        if self._began is None:
            self._began = self._now()
        due = self._began + self._count / self.rate
        self._count += 1
        while (left := due - self._now()) > 0 and not self._stop():
            self._sleep(min(left, NAP))


class Production:
    """What to send and how: ``plan`` as in ``replay``; ``skip`` rows are left out, but numbering counts them."""

    def __init__(
        self, stream: Stream, plan: Plan, *, skip: int = 0, labels: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        self.stream = stream
        self.plan = plan
        self.skip = skip
        self.labels = labels
        self._now = now
        self.rows = Rows(plan.source, plan.where, plan.limit)
        names = named(stream.fields, plan.mapped)
        form = Format(names, renamed(names, plan.mapped), own=bool(stream.decoder))
        tables = self._look()
        columns = {name for row in tables for name in form.under_own_names(row)}
        numbered = names.event_id not in columns
        self.form = form = Format(names, form.renamed, numbered, own=form.own)
        self._check(tables, columns)
        self._fields = timed(plan, names, columns)
        clock = Clock(now)
        self.writer = Writer(plan.source.name, form, clock)
        self.label_writer = None if plan.labels is None else Writer(plan.labels.name, form, clock)
        self.topics = {kind: topic(plan.name, stream, kind) for kind in ("events", "labels")}
        self._read = find("decoder", stream.decoder, {}) if stream.decoder else decode_json()

    def run(
        self,
        sink: Sink,
        pace: Pace,
        stop: Callable[[], bool] = lambda: False,
        watch: Callable[[Counts], None] = lambda _: None,
    ) -> Counts:
        """Send all, up to a stop between two rows; raises SourceError, and what the sink raises."""
        counts = Counts()
        apart = self.plan.labels is not None
        # Side by side, the next row is asked for when all that is due before it has been sent: it is then that a row
        # without a time gets one. Two files are read one row ahead.
        order = self._order((lambda: None) if apart else pace.wait)
        write = (self.label_writer or self.writer).label_value
        events, labels = self.topics["events"], self.topics["labels"]
        for record in order.inputs():
            if apart and (isinstance(record, Event) or (isinstance(record, Undecodable) and record.source == "events")):
                pace.wait()
            if stop():
                break
            if isinstance(record, Event):
                sink.send(events, self._key(record.event_id, record.fields), record.raw or b"")
                counts.events += 1
            elif isinstance(record, Label) and self.labels:
                sink.send(labels, self._label_key(record), write(record))
                counts.labels += 1
            elif isinstance(record, Undecodable) and (self.labels or record.source == "events"):
                sink.send(self.topics[record.source], None, record.raw)
                counts.unreadable += 1
            watch(counts)
        return counts

    def _key(self, event_id: str, fields: dict[str, Any]) -> bytes:
        """The value of ``fields.key``; the event's id where there is none."""
        return (key_text(self.stream.fields, fields) or event_id).encode()

    def _label_key(self, label: Label) -> bytes:
        if not self.stream.fields.key:
            return label.event_id.encode()
        # The bytes are those of its event, of whose row it is, or of its own row.
        fields = decoded(self._read, label.raw or b"")
        return self._key(label.event_id, fields if isinstance(fields, dict) else {})

    def _order(self, before_each: Callable[[], None]) -> Order:
        stream, plan, skip = self.stream, self.plan, self.skip
        decoder = RecordDecoder(self._fields, self._now(), stream.max_ahead)

        def events() -> Iterator[Row]:
            for index, row in enumerate(self.rows()):
                if index >= skip:
                    before_each()
                    decoder.latest = self._now() + stream.max_ahead
                    yield self.writer.event(index, row)
                else:
                    yield LEFT_OUT, None

        if plan.labels is None or self.label_writer is None:
            delay = plan.delay if self.labels else Delay()
            return SideBySide(events, decoder, delay, 0.0, Position(skip, skip), skip)
        source, writer = plan.labels, self.label_writer

        def labels() -> Iterator[Row]:
            for index, row in enumerate(source.rows()):
                yield writer.label(index, row)

        return TwoFiles(events, labels, decoder, 0.0, Position(skip, 0), self._left_out(decoder))

    def _left_out(self, decoder: RecordDecoder) -> frozenset[str]:
        """The ids of the rows that are skipped: their labels are, too."""
        ids: set[str] = set()
        for index, (fields, _) in enumerate(islice(self.rows(), self.skip) if self.skip else ()):
            if isinstance(fields, dict):
                with suppress(RecordError):
                    ids.add(decoder.event(self.form.under_own_names(fields), index, 0.0).event_id)
        return frozenset(ids)

    def _look(self) -> list[dict[str, Any]]:
        """The first rows that can be read."""
        first = list(islice(self.rows(), LOOK_AT))
        tables = [fields for fields, _ in first if isinstance(fields, dict)]
        if not first:
            kept = " that --where keeps" if self.plan.where else ""
            raise SourceError(f"{self.plan.source.name}: has no rows{kept}")
        if not tables:
            raise SourceError(
                f"{self.plan.source.name}: none of its first {len(first)} rows can be read; the first: {first[0][0]}"
            )
        return tables

    def _check(self, tables: list[dict[str, Any]], columns: set[str]) -> None:
        """See that the columns that are needed are there; raises SettingError and SourceError."""
        plan, names = self.plan, self.stream.fields
        there = list(dict.fromkeys(name for row in tables for name in row))
        known = ", ".join(there[:40])
        for name, column in plan.mapped.items():
            if column and column not in there and (name != "label" or plan.labels is None):
                raise SettingError(f"--map {name}", column, f"a column of the input; it has {known}")
        if names.key and names.key not in columns:
            wanted = f"a column of the input (it has {known}): it is fields.key, by which records are keyed"
            raise SettingError(f"--map {names.key}", names.key, wanted)
        if plan.labels is not None:
            self._check_labels(columns)
        elif self.labels and names.label not in columns:
            wanted = f"a column of the input (it has {known}), unless --labels names a file or --no-labels is given"
            raise SettingError("--map label", names.label, wanted)
        ttl = self.stream.labels.ttl
        if plan.delay.seconds is not None and plan.delay.seconds > ttl:
            wanted = f"no more than labels.ttl, {float(ttl):g} s: an event waits no longer for its label"
            raise SettingError("--label-delay", plan.delay.seconds, wanted)
        if plan.delay.seconds is not None and names.time not in columns:
            wanted = f"a number of events, as the rows have no time column {names.time!r} (name one: --map time=)"
            raise SettingError("--label-delay", plan.delay.seconds, wanted)

    def _check_labels(self, columns: set[str]) -> None:
        names, labels = self.stream.fields, self.plan.labels
        assert labels is not None  # noqa: S101 - the caller's condition
        for option, wanted in (("event_id", names.event_id), ("time", names.time)):
            if wanted not in columns:
                allowed = "a column of the events, where the labels are in a file of their own"
                raise SettingError(f"--map {option}", wanted, allowed)
        row = self.form.under_own_names(next((row for row, _ in labels.rows() if isinstance(row, dict)), {}))
        for wanted in (names.event_id, names.time, names.label, names.key):
            if wanted and wanted not in row:
                raise SourceError(
                    f"{labels.name}: has no column {wanted!r}, which a file of labels needs; it has {', '.join(row)}"
                )
