"""Reading a known range of partitions, committed data only, outside of any group: for recovery and for the commands."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors

from consumers.kafka.client import open_client, told
from consumers.kafka.deadline import Deadline, Overdue
from stream.errors import Unavailable

PATIENCE = 30.0
"""Seconds without any progress after which a read is given up."""

SOON = 2.0
"""Seconds within which the transactions that are open on a partition must end; one at work commits in less."""


class Reader:
    """Reads ranges, one after the other; raises Unavailable where the broker does not answer."""

    def __init__(self, connection: Mapping[str, Any]) -> None:
        self._settings = {
            **connection,
            "group_id": None,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "max_partition_fetch_bytes": 8 * 1024 * 1024,
            "fetch_max_wait_ms": 50,
            "max_poll_records": 5_000,
            "retry_backoff_ms": 20,
            "metrics_enabled": False,
            "bootstrap_timeout_ms": 5_000,
        }
        self._deadline = Deadline("reader")
        self._consumer: KafkaConsumer | None = None

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset that there is of each partition, and the one behind its last committed record."""
        consumer = self._open()
        begin: dict[TopicPartition, int] = {}
        end: dict[TopicPartition, int] = {}
        # Topic by topic: kafka-python leaves out those that it has not heard of where it knows another one.
        for topic in dict.fromkeys(tp.topic for tp in partitions):
            of_it = [tp for tp in partitions if tp.topic == topic]
            begin |= self._call(consumer.beginning_offsets, of_it, timeout_ms=int(PATIENCE * 1000))
            end |= self._call(consumer.end_offsets, of_it, timeout_ms=int(PATIENCE * 1000))
        return {tp: (begin[tp], end[tp]) for tp in partitions}

    def settled(self, tp: TopicPartition) -> tuple[int, int]:
        """As bounds, once all that the partition holds now is committed or aborted.

        Raises Unavailable while a transaction stays open: whoever has died in one holds back what others committed.
        """
        wanted = self._end(tp)
        deadline = time.monotonic() + SOON
        while True:
            begin, end = self.bounds([tp])[tp]
            if end >= wanted:
                return begin, end
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{tp.topic}-{tp.partition}: a transaction is open from offset {end} on, and what lies behind "
                    "cannot be read until it ends; of a process that died, the broker ends it"
                )
            time.sleep(0.05)

    def _end(self, tp: TopicPartition) -> int:
        """The end of a partition, open transactions included."""
        # By a client of its own: of what has not changed since it was last fetched, brokers tell a client nothing.
        consumer = self._call(open_client, KafkaConsumer, **{**self._settings, "isolation_level": "read_uncommitted"})
        try:
            found: dict[TopicPartition, int] = self._call(consumer.end_offsets, [tp], timeout_ms=int(PATIENCE * 1000))
        finally:
            self._let_go(consumer)
        return found[tp]

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[tuple[TopicPartition, list[Any]]]:
        """Records of the offsets from first on up to, not including, last; in order within each partition.

        Raises Unavailable, also where retention deletes what is being read.
        """
        wanted = {tp: span for tp, span in ranges.items() if span[0] < span[1]}
        if not wanted:
            return
        consumer = self._open()
        self._call(consumer.assign, list(wanted))
        self._call(consumer.resume, *wanted)  # whatever an earlier read has left
        for tp, (first, _) in wanted.items():
            self._call(consumer.seek, tp, first)
        left = set(wanted)
        seen = time.monotonic()
        while left:
            fetched = self._call(consumer.poll, timeout_ms=200)
            for tp, records in fetched.items():
                last = wanted[tp][1]
                inside = records if records[-1].offset < last else [r for r in records if r.offset < last]
                if inside and tp in left:
                    yield tp, inside
                seen = time.monotonic()
            # Behind the last record there may be nothing but marks of transactions, which are never delivered.
            done = {tp for tp in left if (self._call(consumer.position, tp) or 0) >= wanted[tp][1]}
            if done:
                left -= done
                seen = time.monotonic()
                if left:
                    self._call(consumer.pause, *done)
            if time.monotonic() - seen > PATIENCE:
                raise Unavailable(f"no records came within {PATIENCE:g} s from {', '.join(map(str, left))}")

    def close(self) -> None:
        """Let the connection go."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._let_go(consumer)
        self._deadline.close()

    def _let_go(self, consumer: KafkaConsumer) -> None:
        if not self._deadline.overdue:
            with suppress(Overdue, kafka_errors.KafkaError):  # nothing is lost with a reader
                self._deadline.call(5.0, consumer.close)

    def _open(self) -> KafkaConsumer:
        if self._deadline.overdue:
            self._deadline, self._consumer = Deadline("reader"), None
        if self._consumer is None:
            self._consumer = self._call(open_client, KafkaConsumer, **self._settings)
        return self._consumer

    def _call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._deadline.call(PATIENCE * 2, function, *args, **kwargs)
        except (Overdue, kafka_errors.KafkaError, AssertionError, KeyError) as error:
            # KeyError: what kafka-python raises for a partition whose offset the broker has not told.
            raise Unavailable(told(error)) from error
