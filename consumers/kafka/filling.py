"""Puts many records into a batch of the Kafka client's at once.

``KafkaProducer.send`` takes 15 microseconds a record, most of it for a future of its own, which doubles what a task's
work costs. Here a record takes one: it is written into the batch as the record format says (Kafka's protocol guide,
"Record batch"), and shares the batch's fate. Futures are made only where the client splits the batch.
"""

from collections.abc import Sequence
from typing import Any

from kafka.producer.future import FutureRecordMetadata

LARGEST = 128 * 1024
"""Bytes of a record that are written here; what is larger takes the client's own way, with its checks."""


def varint(number: int) -> bytes:
    """A whole number from 0 on as the record format writes it: zigzag, seven bits a byte, the lowest first.

    >>> [varint(number).hex() for number in (0, 63, 64, 300)]
    ['00', '7e', '8001', 'd804']
    """
    rest, written = number << 1, bytearray()
    while rest > 0x7F:
        written.append(0x80 | rest & 0x7F)
        rest >>= 7
    written.append(rest)
    return bytes(written)


SMALL = [varint(number) for number in range(16_384)]


class Fates(list[Any]):
    """A filled batch's record futures as the client sees them when it splits the batch: made when it asks for one."""

    def __init__(self, batch: Any) -> None:
        super().__init__()
        self.records = batch.records
        self.future = batch.produce_future  # not the batch, which has this: a circle would keep its bytes
        self.made: dict[int, Any] = dict(enumerate(batch._record_futures))

    def __len__(self) -> int:
        """As many as the batch has records."""
        return int(self.records.next_offset())

    def __getitem__(self, index: Any) -> Any:
        """One record's future."""
        if index not in self.made:
            self.made[index] = FutureRecordMetadata(self.future, index, 0, None, -1, -1, -1)
        return self.made[index]

    def append(self, future: Any) -> None:
        """The future of a record that the client has written itself."""
        self.made[future.args[0]] = future

    def failure(self) -> Exception | None:
        """What happened to the records: None where the broker has taken all of them."""
        future = self.future
        if future.is_done:
            if future.failed():
                return future.exception  # type: ignore[no-any-return] # an exception
            reason = future.value[2]
            return None if reason is None else reason(0)
        if len(self.made) < len(self):
            return TimeoutError("the broker has not said what became of a batch")
        pending = [made for made in self.made.values() if not made.succeeded()]
        if not pending:
            return None
        return pending[0].exception or TimeoutError("the broker has not said what became of a record")


def fill(accumulator: Any, tp: Any, records: Sequence[tuple[bytes, bytes]], begin: int) -> tuple[int, Fates | None]:
    """Write keys and values from a place on into the partition's open batch, as many as it has room for.

    Gives the place behind the last one written, and their fates; where there is no open batch or no room, the place is
    the one it began at: the client's own ``send`` opens a batch with the next record.
    """
    with accumulator._tp_lock(tp):
        batches = accumulator._batches[tp]
        if not batches or batches[-1].records._closed:
            return begin, None
        batch = batches[-1]
        if batch.attempts:  # on its way for the second time
            return begin, None
        builder = batch.records._builder
        number = first = batch.record_count
        room = builder._batch_size - builder.size()
        parts: list[bytes] = []
        place = begin
        for place in range(begin, len(records)):
            key, value = records[place]
            k, v = len(key), len(value)
            if k + v > LARGEST:
                break
            at = SMALL[number] if number < len(SMALL) else varint(number)
            key_size = SMALL[k] if k < len(SMALL) else varint(k)
            value_size = SMALL[v] if v < len(SMALL) else varint(v)
            # Attributes, the time's distance from the batch's first, and the count of headers: 0, a byte each.
            size = 3 + len(at) + len(key_size) + k + len(value_size) + v
            head = SMALL[size] if size < len(SMALL) else varint(size)
            room -= len(head) + size
            if room < 0:
                break
            parts += (head, b"\0\0", at, key_size, key, value_size, value, b"\0")
            number += 1
        else:
            place = len(records)
        if number == first:
            return begin, None
        builder._buffer += b"".join(parts)
        builder._num_records += number - first
        builder._last_offset = number - 1
        batch.records._next_offset = number
        if not isinstance(batch._record_futures, Fates):
            batch._record_futures = Fates(batch)
        return place, batch._record_futures
