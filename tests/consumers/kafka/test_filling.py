"""Many records in a batch of the client's at once: the bytes that its own way writes, and a fate for each of them."""

from collections.abc import Callable
from typing import Any

import pytest
from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords

from consumers.kafka.filling import LARGEST, Fates, fill

TP = TopicPartition("s.predictions", 2)

SIZE = 256 * 1024

Records = list[tuple[bytes, bytes]]


def accumulator() -> Any:
    return RecordAccumulator(batch_size=SIZE, delivery_timeout_ms=60_000, request_timeout_ms=20_000)


def records(count: int, size: Callable[[int], int] = lambda i: i % 300) -> Records:
    return [(f"k{i}".encode(), bytes([i % 256]) * size(i)) for i in range(count)]


def put(into: Any, wanted: Records) -> list[Fates]:
    """As the publisher does: the client opens a batch, and the rest is written into it."""
    place, fates = 0, []
    while place < len(wanted):
        into.append(TP, 1_000, *wanted[place], [])
        place, made = fill(into, TP, wanted, place + 1)
        fates += [made] if made is not None and made not in fates else []
    return fates


def read(batch: Any) -> list[tuple[int, bytes, bytes, int]]:
    batch.records.close()
    found = [record for one in MemoryRecords(bytes(batch.records.buffer())) for record in one]
    return [(record.offset, record.key, record.value, record.timestamp) for record in found]


@pytest.mark.parametrize("count", [1, 2, 3, 64, 130, 20_000])
def test_the_batches_hold_what_the_clients_own_way_puts_there_byte_for_byte(count: int) -> None:
    ours, own = accumulator(), accumulator()
    wanted = records(count, size=lambda i: (i * 7) % 90)
    put(ours, wanted)
    for key, value in wanted:
        own.append(TP, 1_000, key, value, [])
    batches = ours._batches[TP], own._batches[TP]
    assert [read(batch) for batch in batches[0]] == [read(batch) for batch in batches[1]]
    for mine, theirs in zip(*batches, strict=True):
        assert bytes(mine.records.buffer()) == bytes(theirs.records.buffer())


@pytest.mark.parametrize("size", [LARGEST - 2, LARGEST, SIZE, 3 * SIZE])
def test_what_is_large_takes_the_clients_way_and_keeps_its_place(size: int) -> None:
    into = accumulator()
    wanted = records(9, size=lambda i: size if i in {2, 3, 8} else 5)
    put(into, wanted)
    found = [(key, value) for batch in into._batches[TP] for _, key, value, _ in read(batch)]
    assert found == wanted


def test_a_closed_batch_is_not_written_into() -> None:
    into = accumulator()
    put(into, records(3))
    into._batches[TP][-1].records.close()
    assert fill(into, TP, records(3), 1) == (1, None)


def fates_of(count: int) -> tuple[Any, Any, Fates]:
    into = accumulator()
    (fates,) = put(into, records(count, size=lambda _: 10))
    batch = into._batches[TP].popleft()
    batch.records.close()
    return into, batch, fates


def test_until_the_broker_has_answered_the_records_fate_is_not_known() -> None:
    _, batch, fates = fates_of(10)
    assert isinstance(fates.failure(), TimeoutError)
    batch.complete(100, -1)
    assert fates.failure() is None


def test_a_batch_that_failed_says_why() -> None:
    _, batch, fates = fates_of(10)
    error = kafka_errors.KafkaTimeoutError("expired")
    batch.complete_exceptionally(error, lambda _: error)
    assert fates.failure() is error


@pytest.mark.parametrize("failing", [None, 0, 1, 2, 3])
def test_of_a_batch_that_the_client_splits_and_splits_again_every_parts_fate_counts(failing: int | None) -> None:
    into, batch, fates = fates_of(11)
    into.split_and_reenqueue(batch)
    halves = [into._batches[TP].popleft() for _ in range(2)]
    for half in reversed(halves):
        half.records.close()
        into.split_and_reenqueue(half)
    parts = list(into._batches[TP])
    assert [len(read(part)) for part in parts] == [3, 3, 3, 2]
    error = kafka_errors.MessageSizeTooLargeError("one record alone is too large")
    for number, part in enumerate(parts):
        assert fates.failure() is not None
        if number == failing:
            part.complete_exceptionally(error, lambda _: error)
        else:
            part.complete(100 * number, -1)
    assert fates.failure() is (None if failing is None else error)


def test_a_record_that_the_client_has_written_behind_keeps_its_own_future() -> None:
    into = accumulator()
    (fates,) = put(into, records(5))
    future = into.append(TP, 1_000, b"last", b"x" * LARGEST, [])[0]
    batch = into._batches[TP].popleft()
    batch.records.close()
    into.split_and_reenqueue(batch)
    for number, part in enumerate(into._batches[TP]):
        part.complete(10 * number, -1)
    assert future.succeeded()
    assert fates.failure() is None
