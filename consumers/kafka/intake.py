"""What has been fetched and not yet fed: the order in which a task's partitions are merged, and the batches cut of it.

The scorer takes the record with the smallest time, an event before a label at a tie, and within a partition the order
of offsets: a side whose buffer is empty is waited for while its known end lies further on (Kafka Streams does the same,
KIP-695). The monitor takes records as they come. Either order is journalled, so that it can be had again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from consumers.kafka.journal import LOST, SWAP, TICK, Entry, bare, runs
from consumers.kafka.losses import Loss
from consumers.transport import Batch
from stream.records import Event, Input, Label, Labelled, Lost, Skip, Swap, Tick

Record = Any
"""A record as the client gives it: topic, partition, offset, timestamp, key, value, headers."""

Decode = Callable[[int, Record], Input]
"""Makes an input of a side's record."""


class Place(Struct):
    """Where a task stands: the next offset of each side, and the greatest believed time so far."""

    offsets: list[int]
    clock: float

    def copy(self) -> "Place":
        """The same place, to be moved on for itself."""
        return Place(list(self.offsets), self.clock)

    def advance(self, side: int, made: Input, record: Record) -> None:
        """Move behind an input."""
        if side >= 0:
            # What is behind may have been said to be lost before what was fetched was fed.
            self.offsets[side] = max(self.offsets[side], record.offset + 1)
        elif isinstance(made, Lost):
            # What a recovery could not feed again lies before the place.
            self.offsets[LOST - side] = max(self.offsets[LOST - side], made.last + 1)
        time = believed(made)
        if time is not None and time > self.clock:
            self.clock = time


class Mark(Struct):
    """Where a batch's inputs came from: the side and the record of each, and the places before and behind.

    ``skips`` and ``lost`` by place in the batch: why an input is skipped, and what was lost, skipped or not.
    """

    sides: list[int]
    records: list[Record]
    begin: Place
    end: Place
    skips: dict[int, str]
    lost: dict[int, Lost]

    def losses(self) -> list[Loss]:
        """What the batch tells of as lost."""
        return [(LOST - self.sides[place], lost) for place, lost in self.lost.items()]

    def entry(self, number: int, inputs: Sequence[Input], code: str) -> Entry:
        """What the journal keeps of it."""
        ticks = {i: r.time for i, r in enumerate(inputs) if type(r) is Tick}
        lost = {i: (r.source, r.first, r.last) for i, r in self.lost.items()}
        ahead = [i for i, r in enumerate(inputs) if isinstance(r, Event | Label) and r.ahead]
        begin, end = self.begin.offsets, self.end.offsets
        swap = bare(inputs[0]) if type(inputs[0]) is Swap else None
        return Entry(number, begin, end, runs(self.sides), self.end.clock, code, ticks, lost, self.skips, ahead, swap)


CHUNK = 1_024
"""Records that are decoded in one go."""


class Side(Struct):
    """One partition's fetched records: decoded ones, each with the time by which it is merged, and behind them others.

    What was lost between two of them has its place there, without a record. ``size`` is in bytes, ``fetched`` in
    records, both of all of them; ``last`` is the last offset that is accounted for.
    """

    queue: deque[tuple[float, Input, Record]]
    raw: deque[Sequence[Record]]
    time: float
    size: int = 0
    fetched: int = 0
    last: int | None = None
    paused: bool = False


class Intake:
    """One task's fetched records; ``place`` is where its next batch begins. ``ordered``: by time, else as they come."""

    def __init__(self, decode: Decode, place: Place, *, ordered: bool) -> None:
        self.decode = decode
        self.place = place
        self.ordered = ordered
        self.sides = [Side(deque(), deque(), float("-inf")) for _ in place.offsets]
        self._come: deque[int] = deque()
        self._owed: list[Loss] = []

    @property
    def fetched(self) -> int:
        """Records that are here and have not been taken."""
        return sum(side.fetched for side in self.sides)

    def offer(self, side: int, records: Sequence[Record]) -> None:
        """Take in a partition's next records, in the order of their offsets; they are decoded when they are needed."""
        if not records:
            return
        own = self.sides[side]
        if records[0].offset < self.place.offsets[side]:  # fed already: nothing comes twice, whoever has sought where
            records = [record for record in records if record.offset >= self.place.offsets[side]]
            if not records:
                return
        own.raw.extend(records[at : at + CHUNK] for at in range(0, len(records), CHUNK))
        own.size += sum(len(record.value or b"") for record in records)
        own.fetched += len(records)
        own.last = records[-1].offset
        if not self.ordered:
            self._come.extend([side] * len(records))

    def decode_ahead(self) -> None:
        """Decode all that is there, while there is nothing better to do."""
        for side in range(len(self.sides)):
            while self._decode(side):
                pass

    def _decode(self, side: int) -> bool:
        own = self.sides[side]
        if not own.raw:
            return False
        for record in own.raw.popleft():
            made = self.decode(side, record)
            # What has no time, or none that is believed, is merged right behind what came before it.
            if isinstance(made, Event | Label) and not made.ahead:
                own.time = made.time
            own.queue.append((own.time, made, record))
        return True

    def lose(self, side: int, lost: Lost) -> None:
        """Retention has deleted what comes next on a side: say so behind what has been fetched, and go on behind it."""
        while self._decode(side):
            pass
        own = self.sides[side]
        own.queue.append((own.time, lost, None))
        own.last = lost.last
        if not self.ordered:
            self._come.append(side)

    def owe(self, losses: Sequence[Loss]) -> None:
        """What a recovery could not feed again, and nothing else: say so first of all. It lies before the place."""
        self._owed = list(losses)

    def take(self, most: int, wait_for: Callable[[int], bool], tick: float | None = None) -> Batch | None:
        """The next inputs, up to ``most``; None where there are none, or some side must be waited for.

        ``wait_for`` says of a side without records whether more are known to come. ``tick``: the time to say when
        there is nothing else.
        """
        taken = _Taken(self.place)
        for side, lost in self._owed:
            taken.add(LOST - side, lost, None)
        self._owed = []
        if self.ordered:
            self._merge(most, taken, wait_for)
        else:
            while self._come and len(taken.inputs) < most:
                side = self._come.popleft()
                if not self.sides[side].queue:
                    self._decode(side)
                self._move(side, taken)
        if not taken.inputs and tick is not None and not any(wait_for(s) for s in range(len(self.sides))):
            taken.add(TICK, Tick(tick), None)
        if not taken.inputs:
            return None
        self.place = taken.end
        return taken.batch()

    def _merge(self, most: int, taken: "_Taken", wait_for: Callable[[int], bool]) -> None:
        queues = [side.queue for side in self.sides]
        places = range(len(queues))
        done: set[int] = set()  # sides that have no more; asked once, as asking takes its time
        while len(taken.inputs) < most:
            first = -1
            for place in places:
                queue = queues[place]
                if queue or self._decode(place):
                    if first < 0 or queue[0][0] < queues[first][0][0]:
                        first = place
                elif place not in done:
                    if wait_for(place):
                        return
                    done.add(place)
            if first < 0:
                return
            self._move(first, taken)

    def _move(self, place: int, taken: "_Taken") -> None:
        side = self.sides[place]
        _, made, record = side.queue.popleft()
        if record is None:
            taken.add(LOST - place, made, None)
            return
        side.size -= len(record.value or b"")
        side.fetched -= 1
        taken.add(place, made, record)


class _Taken:
    """A batch in the making."""

    def __init__(self, begin: Place) -> None:
        self.begin = begin
        self.end = begin.copy()
        self.inputs: list[Input] = []
        self.sides: list[int] = []
        self.records: list[Record] = []
        self.lost: dict[int, Lost] = {}

    def add(self, side: int, made: Input, record: Record) -> None:
        if side <= LOST:
            self.lost[len(self.inputs)] = made  # type: ignore[assignment] # its side says so
        self.inputs.append(made)
        self.sides.append(side)
        self.records.append(record)
        self.end.advance(side, made, record)

    def batch(self, skips: dict[int, str] | None = None) -> Batch:
        return Batch(self.inputs, Mark(self.sides, self.records, self.begin, self.end, skips or {}, self.lost))


def of_swap(swap: Swap, place: Place) -> Batch:
    """A swap's batch, at a place that it does not move."""
    taken = _Taken(place)
    taken.add(SWAP, swap, None)
    return taken.batch()


def split(batch: Batch) -> tuple[Batch, Batch]:
    """A batch's two halves, each to be fed and committed for itself."""
    mark: Mark = batch.mark
    half = len(batch.inputs) // 2
    first = _Taken(mark.begin)
    for side, made, record in zip(mark.sides[:half], batch.inputs[:half], mark.records[:half], strict=True):
        first.add(side, made, record)
    second = Mark(
        mark.sides[half:],
        mark.records[half:],
        first.end,
        mark.end,
        {place - half: reason for place, reason in mark.skips.items() if place >= half},
        {place - half: lost for place, lost in mark.lost.items() if place >= half},
    )
    return (
        first.batch({place: reason for place, reason in mark.skips.items() if place < half}),
        Batch(batch.inputs[half:], second),
    )


def skip(batch: Batch, source: str, reason: str) -> Batch:
    """A single input's batch with a Skip in its place."""
    mark: Mark = batch.mark
    made = batch.inputs[0]
    record = mark.records[0]
    skipped = Skip("ticks" if record is None else source, reason)
    if record is not None:
        skipped = Skip(source, reason, record.offset, record.value or b"")
    end = mark.begin.copy()
    end.advance(mark.sides[0], skipped if record is not None else made, record)
    return Batch([skipped], Mark(mark.sides, mark.records, mark.begin, end, {0: reason}, mark.lost))


def believed(made: Input) -> float | None:
    """The time by which an input moves the clock; None where it moves none."""
    if isinstance(made, Event | Label):
        return None if made.ahead else made.time
    if isinstance(made, Tick):
        return made.time
    return made.label_time if isinstance(made, Labelled) else None
