"""The local transport: one task, its inputs from files in a fixed order, its state in one SQLite file."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from consumers.order import Order, Position
from consumers.store import Journalled, Store
from consumers.transport import Arrived, Assigned, Batch, Drained, Loaded, Notice, Recovery
from stream.errors import Fenced, StateError
from stream.records import Event, Input, Label, Outputs, Skip, Tick, Undecodable
from stream.snapshot import Snapshot

TASK = "replay"


class Mark(Struct):
    """Where a batch begins and ends, and which of its inputs are skipped, by their place in it."""

    begin: Position
    end: Position
    skips: dict[int, str]


class Pace:
    """Lets inputs through at a multiple of the speed at which their times pass; 0 is as fast as can be."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._began: tuple[float, float] | None = None

    def wait(self, record: Input) -> float:
        """Seconds until the record is due."""
        if not self.speed or not isinstance(record, Event | Label) or record.ahead:
            return 0.0
        if self._began is None:
            self._began = (time.monotonic(), record.time)
        started, first = self._began
        return (record.time - first) / self.speed - (time.monotonic() - started)


class LocalTransport:
    """Reads inputs in an Order from where the store says, and commits to the store.

    ``order`` makes the inputs from a position on. Batches are cut by the count of inputs, so that the same files make
    the same batches; at a pace they are cut by what is due, and the journal says where.
    """

    def __init__(self, store: Store, order: Callable[[Position], Order], speed: float = 0.0) -> None:
        self.store = store
        self.order = order
        self.pace = Pace(speed)
        self._assigned = False
        self._recovered = False
        self._committed = store.position()
        self._read: _Cursor | None = None
        self._fenced: Fenced | None = None

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """The next inputs, at most ``most`` of them, or that there are no more."""
        if self._fenced is not None:
            raise self._fenced  # there is one task only, and it will not come back
        if not self._assigned:
            self._assigned = True
            return [Assigned(TASK)]
        if not self._recovered:
            return []
        cursor = self._cursor()
        begin = cursor.position
        inputs = cursor.take(most) if not self.pace.speed else self._due(cursor, most, timeout)
        if inputs:
            return [Arrived(TASK, Batch(inputs, Mark(begin, cursor.position, {})))]
        return [Drained(TASK)] if cursor.peek() is None else []

    def _due(self, cursor: "_Cursor", most: int, timeout: float) -> list[Input]:
        """The inputs that are due; waits up to ``timeout`` seconds for the first."""
        inputs: list[Input] = []
        until = time.monotonic() + timeout
        while len(inputs) < most and (record := cursor.peek()) is not None:
            wait = self.pace.wait(record)
            if wait > 0:
                left = until - time.monotonic()
                if inputs or left <= 0:
                    break
                time.sleep(min(wait, left))
            else:
                inputs += cursor.take_next()
        return inputs

    def _cursor(self) -> "_Cursor":
        if self._read is None or self._read.position != self._committed:
            self._read = _Cursor(self.order(self._committed))
        return self._read

    def recover(self, task: str) -> Recovery:
        """The newest authentic checkpoint, and the journalled batches behind it, read from the files again."""
        self._committed = self.store.position()
        self._recovered = True
        return Recovery(self.store.sequence(), self._load)

    def _load(self) -> Loaded:
        sequence, position, snapshot = self.store.checkpoint()
        replay = self._replay(position, self.store.journal(sequence))
        return Loaded(snapshot, self.store.segments(sequence), replay)

    def _replay(self, position: Position, journal: list[Journalled]) -> Iterator[Batch]:
        if not journal:
            return
        cursor = _Cursor(self.order(position))
        for entry in journal:
            begin = cursor.position
            inputs = [record for _ in range(entry.inputs) for record in cursor.take_next()]
            if len(inputs) < entry.inputs:
                raise StateError(f"the input has ended before batch {entry.sequence}: it has changed since the start")
            for place, reason in entry.skips.items():
                inputs[place] = _skipped(inputs[place], reason)
            yield Batch(inputs, Mark(begin, cursor.position, entry.skips))
        if cursor.position != self._committed:
            raise StateError(
                "the inputs no longer lead to where the last commit was: they have changed since the start"
            )

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> "Durable":
        """Durable when it returns: see Store.commit, which has the steps."""
        began = time.perf_counter()
        entry, position = None, self._committed
        if batch is not None:
            entry = Journalled(self.store.sequence() + 1, len(batch.inputs), batch.mark.skips)
            position = batch.mark.end
        try:
            if snapshot is None:
                self.store.commit(entry, position, outputs, None)
            else:
                self.store.commit(entry, position, outputs, snapshot.body, snapshot.segments)
        except Fenced as error:
            self._fenced = error
            raise
        except BaseException:
            self._recovered = False
            raise
        self._committed = position
        return Durable(time.perf_counter() - began)

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """The same inputs in two batches."""
        half = len(batch.inputs) // 2
        cursor = _Cursor(self.order(batch.mark.begin))
        first = cursor.take(half)
        mark: Mark = batch.mark
        parts: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for place, reason in mark.skips.items():
            parts[place >= half][place if place < half else place - half] = reason
        middle = cursor.position
        behind = Batch(batch.inputs[half:], Mark(middle, mark.end, parts[1]))
        return Batch(first, Mark(mark.begin, middle, parts[0])), behind

    def skip(self, batch: Batch, reason: str) -> Batch:
        """A single input's batch with a Skip in its place."""
        return Batch([_skipped(batch.inputs[0], reason)], Mark(batch.mark.begin, batch.mark.end, {0: reason}))

    def leave(self, task: str) -> None:
        """Deliver nothing more until the task is recovered."""
        self._recovered = False

    def close(self) -> None:
        """Let the store go; readers close when they are dropped."""
        self._read = None


class Durable:
    """A commit that took so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def done(self) -> bool:
        """It is."""
        return True

    def wait(self) -> float:
        """The seconds that it took."""
        return self._seconds


class _Cursor:
    """An order's inputs, with a look at the next; ``position`` is behind the last one taken."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._inputs = order.inputs()
        self._next: list[Input] = []
        self.position = order.position

    def peek(self) -> Input | None:
        """The next input without taking it."""
        if not self._next:
            self._next = list(islice(self._inputs, 1))
        return self._next[0] if self._next else None

    def take_next(self) -> list[Input]:
        """The next input, or none."""
        self.peek()
        taken, self._next = self._next, []
        self.position = self._order.position
        return taken

    def take(self, most: int) -> list[Input]:
        """The next inputs, up to ``most``."""
        inputs = self.take_next()
        inputs += islice(self._inputs, most - len(inputs))
        self.position = self._order.position
        return inputs


def _skipped(record: Input, reason: str) -> Skip:
    source = {Label: "labels", Tick: "ticks"}.get(type(record), "events")
    if isinstance(record, Event | Label):
        return Skip(source, reason, record.offset, record.raw or repr(record).encode())
    if isinstance(record, Undecodable):
        return Skip(record.source, reason, record.offset, record.raw)
    return Skip(source, reason)
