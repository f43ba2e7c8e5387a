"""The order in which a replay's events and labels reach the task, and how far it has come.

A label that stands beside its event is its own record: it comes with the event, or a number of events or a length
of time later, as it would have in life, or when its row says that it came. Labels of a file of their own are merged
by time, events before labels at a tie.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from consumers.lines import Row
from stream.decoding import RecordDecoder
from stream.errors import RecordError
from stream.records import Event, Input, Label, Tick, Undecodable

PAST = 1.0
"""Seconds by which the closing tick lies past the last maturity: at that very moment labels are still in time."""


class Position(Struct, frozen=True):
    """How many rows have been fed as events and as labels, and whether the closing tick has been."""

    events: int
    labels: int
    ended: bool = False


class Order(Protocol):
    """Inputs in order; ``position`` is where the next input begins."""

    position: Position

    def inputs(self) -> Iterator[Input]:
        """The inputs from the position on."""


class Delay(Struct, frozen=True):
    """How long after its event a label comes: a number of events, or seconds."""

    events: int = 0
    seconds: float | None = None


class SideBySide:
    """Events with their labels in the same rows.

    ``rows`` begins the rows anew; those before ``first`` were used up by the warm-up. Where the decoder's fields name
    a ``label_time``, labels come at these times, and ``delay`` is none. After the last row comes a tick, late enough
    that every label has matured.
    """

    def __init__(
        self,
        rows: Callable[[], Iterator[Row]],
        decoder: RecordDecoder,
        delay: Delay,
        maturity: float,
        start: Position,
        first: int = 0,
    ) -> None:
        self._first = first
        self._rows = rows
        self._decoder = decoder
        self._delay = delay
        self._maturity = maturity
        self.position = start

    def inputs(self) -> Iterator[Input]:
        """Yields; ``position`` counts an input as fed from the moment it is yielded."""
        if self._decoder.fields.label_time:
            return self._by_time(None)
        if self._delay == Delay():
            return self._at_once()
        return self._by_count(self._delay.events) if self._delay.seconds is None else self._by_time(self._delay.seconds)

    def _by_count(self, events: int) -> Iterator[Input]:
        """Each label so many events after its own."""
        start = self.position
        waiting: deque[tuple[int, Label | Undecodable]] = deque()
        latest = 0.0
        rows = 0
        for index, row in enumerate(self._rows()):
            rows = index + 1
            event = _event(row, self._decoder, index)
            fresh = index >= start.events
            now = event.time if isinstance(event, Event) and not event.ahead else latest
            latest = max(latest, now)
            if fresh:
                self.position = Position(rows, waiting[0][0] if waiting else index)
                yield event
            if isinstance(event, Event) and index >= start.labels:
                label = self._beside(event)
                if label is not None:
                    waiting.append((index, label))
            if fresh:
                self.position = Position(rows, waiting[0][0] if waiting else rows)
            # Not only behind fresh rows: the start may lie between a row's event and the labels due with it.
            while waiting and waiting[0][0] <= index - events:
                yield self._release(waiting, now, rows)
        while waiting:
            yield self._release(waiting, latest, rows)
        if not start.ended:
            self.position = Position(rows, rows, ended=True)
            yield Tick(latest + self._maturity + PAST)

    def _by_time(self, delay: float | None) -> Iterator[Input]:
        """Each label so long after its event, or at its row's own time for it, in the order in which they are due.

        Times need not be in order, so that no row tells which labels are out: the walk always begins behind the
        warm-up, and what was fed before the start is gone through in silence. ``Position.labels`` counts labels here.
        A label older than its event comes right before it; one whose time cannot be read, as if it came with it.
        """
        start = self.position
        waiting: list[tuple[float, int, Label | Undecodable]] = []
        latest = last = 0.0
        rows = released = self._first
        for index, row in enumerate(islice(self._rows(), self._first, None), start=self._first):
            rows = index + 1
            event = _event(row, self._decoder, index)
            now = event.time if isinstance(event, Event) and not event.ahead else latest
            latest = max(latest, now)
            coming = self._label(event, now, delay)
            if coming is not None:
                due, label = coming
                last = last if due > self._decoder.latest else max(last, due)
                heappush(waiting, (due, index, label))
            # Labels due before this event come first; those due at its very time after it.
            while waiting and waiting[0][0] < now:
                label = heappop(waiting)[2]
                released += 1
                if released > start.labels:
                    self.position = Position(index, released)
                    yield label
            if index >= start.events:
                self.position = Position(rows, released)
                yield event
        while waiting:
            label = heappop(waiting)[2]
            released += 1
            if released > start.labels:
                self.position = Position(rows, released)
                yield label
        if not start.ended:
            self.position = Position(rows, released, ended=True)
            yield Tick(max(latest + (delay or 0.0), last) + self._maturity + PAST)

    def _label(
        self, event: Event | Undecodable, now: float, delay: float | None
    ) -> tuple[float, Label | Undecodable] | None:
        """The label in an event's row and when it is due."""
        label = self._beside(event) if isinstance(event, Event) else None
        if label is None or isinstance(event, Undecodable):
            return None
        try:
            due = self._decoder.label_time_of(event.fields) if delay is None else now + delay
        except RecordError as error:
            return now, _undecodable("labels", error, event.raw, event.offset)
        if isinstance(label, Undecodable):
            return due, label
        # Of an event ahead of its time, too, a delay runs from a time that is believed.
        return due, replace(label, time=due, ahead=delay is None and due > self._decoder.latest)

    def _beside(self, event: Event) -> Label | Undecodable | None:
        """The label in an event's row, or what is wrong with it; None where there is none."""
        try:
            return self._decoder.label_beside(event)
        except RecordError as error:
            return _undecodable("labels", error, event.raw, event.offset)

    def _at_once(self) -> Iterator[Input]:
        """The same for labels without delay: the most frequent case, and one that needs no queue."""
        start = self.position
        latest = 0.0
        rows = 0
        for index, row in enumerate(self._rows()):
            rows = index + 1
            event = _event(row, self._decoder, index)
            if index >= start.events:
                self.position = Position(rows, index)
                yield event
            if type(event) is Event:
                if event.time > latest and not event.ahead:
                    latest = event.time
                if index >= start.labels:
                    self.position = Position(rows, rows)
                    label = self._beside(event)
                    if label is not None:
                        yield label
        if not start.ended:
            self.position = Position(rows, rows, ended=True)
            yield Tick(latest + self._maturity + PAST)

    def _release(self, waiting: deque[tuple[int, Label | Undecodable]], now: float, events: int) -> Label | Undecodable:
        _, label = waiting.popleft()
        self.position = Position(events, waiting[0][0] if waiting else events)
        return replace(label, time=max(now, label.time)) if isinstance(label, Label) else label


class TwoFiles:
    """Events and labels from sources of their own, each in the order of its time; merged by time.

    ``skip`` names the events whose labels were used up beforehand, by the warm-up.
    """

    def __init__(
        self,
        events: Callable[[], Iterator[Row]],
        labels: Callable[[], Iterator[Row]],
        decoder: RecordDecoder,
        maturity: float,
        start: Position,
        skip: frozenset[str],
    ) -> None:
        self._events = events
        self._labels = labels
        self._decoder = decoder
        self._maturity = maturity
        self._skip = skip
        self._latest = 0.0
        self.position = start

    def inputs(self) -> Iterator[Input]:
        """Yields; ``position`` counts an input as fed from the moment it is yielded."""
        start = self.position
        events = self._decoded(self._events, start.events, _event)
        labels = self._decoded(self._labels, start.labels, _label)
        event, label = next(events, None), next(labels, None)
        while event is not None or label is not None:
            first = event is not None and (label is None or event[1] <= label[1])
            index, _, record = event if first else label  # type: ignore[misc] # one of them is there
            at = self.position
            if first:
                self.position = Position(index + 1, at.labels)
                event = next(events, None)
            else:
                self.position = Position(at.events, index + 1)
                label = next(labels, None)
                if isinstance(record, Label) and record.event_id in self._skip:
                    continue
            yield record
        if not start.ended:
            self.position = Position(self.position.events, self.position.labels, ended=True)
            yield Tick(self._latest + self._maturity + PAST)

    def _decoded(
        self, rows: Callable[[], Iterator[Row]], start: int, decode: Callable[[Row, RecordDecoder, int], Any]
    ) -> Iterator[tuple[int, float, Input]]:
        """Each row as a record under the time it is merged by: one that has none goes with the row before it."""
        time = float("-inf")
        for index, row in enumerate(rows()):
            record = decode(row, self._decoder, index)
            if isinstance(record, Event | Label):
                # One whose time is past belief must not hold up all that follow it.
                time = time if record.ahead else max(time, record.time)
                self._latest = max(self._latest, 0.0 if record.ahead else record.time)
            if index >= start:
                yield index, time, record


def _event(row: Row, decoder: RecordDecoder, index: int) -> Event | Undecodable:
    fields, raw = row
    if isinstance(fields, RecordError):
        return _undecodable("events", fields, raw, index)
    try:
        return decoder.event(fields, index, float(index), raw)
    except RecordError as error:
        return _undecodable("events", error, raw, index)


def _label(row: Row, decoder: RecordDecoder, index: int) -> Label | Undecodable:
    fields, raw = row
    if isinstance(fields, RecordError):
        return _undecodable("labels", fields, raw, index)
    try:
        return decoder.label(fields, index, float(index), raw)
    except RecordError as error:
        return _undecodable("labels", error, raw, index)


def _undecodable(source: str, error: RecordError, raw: bytes | None, index: int) -> Undecodable:
    return Undecodable(source, str(error), error.field, index, raw or b"")
