"""One task's transactional producer, with a deadline on every call and every record's fate known before it counts.

Found by running kafka-python 3.0.12: a transaction commits although a record of it has expired, and neither ``flush()``
nor ``commit_transaction()`` tells. So each record's future is looked at before the offsets are sent; after any failure
the producer is given up and never used again, as its sender does not recover from an unknown producer id.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from kafka import KafkaProducer, TopicPartition
from kafka import errors as kafka_errors
from kafka.consumer.subscription_state import OffsetAndMetadata
from kafka.serializer import Serializer

from consumers.kafka.client import open_client, told
from consumers.kafka.deadline import Deadline, Overdue
from consumers.kafka.filling import Fates, fill
from stream.errors import CommitFailed, Fenced, TransportError

log = structlog.get_logger()

Headers = list[tuple[str, bytes]]

FENCED = (
    kafka_errors.ProducerFencedError,
    kafka_errors.InvalidProducerEpochError,
    kafka_errors.FencedInstanceIdError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.CommitFailedError,  # the group's generation has moved on
)
"""Somebody newer has the task, or the group has gone on without this member."""

TOO_LARGE = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)


NULL = object()
"""Stands for a value that is null: a record may have neither key nor value, but ``KafkaProducer.send`` takes none."""


class Nulls(Serializer):  # type: ignore[misc] # kafka-python has no types
    """Puts null where NULL stands, behind the client's check."""

    def serialize(self, topic: str, headers: Headers, data: Any) -> Any:
        """The value's bytes."""
        return None if data is NULL else data


class TooLarge(TransportError):  # noqa: N818 - says what is wrong with the record
    """A record is larger than its ``topic`` takes."""

    def __init__(self, text: str, topic: str = "") -> None:
        super().__init__(text)
        self.topic = topic


class Publisher:
    """Sends a task's transactions; ``timeout`` is the transaction's, in seconds."""

    def __init__(self, connection: Mapping[str, Any], transactional_id: str, timeout: float) -> None:
        self.name = transactional_id
        self.timeout = timeout
        self._deadline = Deadline(f"producer {transactional_id}")
        self._futures: list[tuple[str, Any]] = []
        self._fates: dict[int, Fates] = {}
        self._open = False
        self._producer: KafkaProducer | None = None
        self._settings = {
            **connection,
            "transactional_id": transactional_id,
            "transaction_timeout_ms": int(timeout * 1000),
            # A record's delivery must be given up before the transaction is, or it may arrive behind its end.
            "delivery_timeout_ms": int(timeout * 1000 * 2 / 3),
            "request_timeout_ms": int(timeout * 1000 / 3),
            "max_block_ms": int(timeout * 1000 * 2 / 3),
            # At the default of 100 ms, transactions that follow each other at once take 113 ms each.
            "retry_backoff_ms": 5,
            # What is sent is flushed at the end: until then the sender is to leave it together.
            "linger_ms": int(min(1000, timeout * 1000 / 6)),
            "batch_size": 256 * 1024,
            "max_request_size": 64 * 1024 * 1024,  # the topic's own limit decides
            "value_serializer": Nulls(),
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "bootstrap_timeout_ms": 5_000,
        }

    def start(self) -> None:
        """Take the transactional id over: who had it is fenced off, what it left open is aborted. Raises as commit."""
        self._producer = self._call(open_client, KafkaProducer, **self._settings)
        self._call(self._producer.init_transactions)

    def begin(self) -> None:
        """Begin a transaction."""
        self._futures, self._fates = [], {}
        self._open = True
        self._call(self._active.begin_transaction)

    def send(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> int:
        """Add a record; gives its place among the transaction's records."""
        try:
            future = self._active.send(
                topic, NULL if key is value is None else value, key=key, headers=headers, partition=partition
            )
        except (kafka_errors.KafkaError, ValueError) as error:  # ValueError: the topic has no such partition (now)
            raise self._translated(error) from error
        if future.is_done and future.failed():  # it was not even taken: refused, or no topic
            raise self._translated(future.exception) from future.exception
        self._futures.append((topic, future))
        return len(self._futures) - 1

    def send_all(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes]]) -> None:
        """Add many records, keys and values, in their order."""
        tp = TopicPartition(topic, partition)
        place = 0
        while place < len(records):
            # The client's own way opens the partition's next batch, and lets the transaction have the partition.
            self.send(topic, partition, *records[place], [])
            place, fates = fill(self._active._accumulator, tp, records, place + 1)  # noqa: SLF001 - no public way
            if fates is not None:
                self._fates[id(fates)] = fates

    def settle(self) -> list[int]:
        """Wait until the broker has taken every record so far; gives the offsets of those sent one by one.

        Raises as commit, and TooLarge.
        """
        self._flush()
        offsets = []
        for topic, future in self._futures:
            if not future.succeeded():
                try:
                    self._call(future.get, 0.001)  # raises what went wrong
                except TooLarge as error:
                    raise TooLarge(str(error), topic) from error
            offsets.append(future.value.offset)
        for fates in self._fates.values():
            failure = fates.failure()
            if failure is not None:
                raise self._translated(failure) from failure
        return offsets

    def offsets(self, offsets: Mapping[TopicPartition, tuple[int, str]], group: Any) -> None:
        """Add positions, each with its metadata, as the consumer group's member ``group``."""
        committed = {tp: OffsetAndMetadata(offset, metadata, -1) for tp, (offset, metadata) in offsets.items()}
        try:
            self._call(self._active.send_offsets_to_transaction, committed, group)
        except CommitFailed as error:  # kafka-python drops what was refused
            of = ", ".join(sorted({tp.topic for tp in offsets}))
            raise CommitFailed(f"{error}; these were the offsets of {of}") from error

    def commit(self) -> None:
        """Commit the transaction.

        Raises Fenced where somebody newer has the task, CommitFailed for everything else that the broker or the
        network did: whether the transaction was committed then, only the next ``start`` and the offsets can tell.
        """
        self._call(self._active.commit_transaction)
        self._open = False

    def give_up(self) -> None:
        """Let whatever is under way on another thread fail soon; nothing but ``close`` may follow."""
        if self._producer is not None:
            self._producer._sender.force_close()  # noqa: SLF001 - there is no public way
        self._deadline.overdue = True

    def close(self) -> None:
        """Let the producer go, whatever state it is in; an open transaction is aborted if the broker answers soon."""
        producer, self._producer = self._producer, None
        if producer is None:
            self._deadline.close()
            return
        if self._open and not self._deadline.overdue:
            try:
                self._deadline.call(2.0, producer.abort_transaction)
            except Exception as error:  # noqa: BLE001 - it is given up in any case
                log.debug("transaction not aborted", producer=self.name, reason=repr(error))
        # close() flushes first and does not get beyond that while records are stuck: the sender must be told itself.
        producer._sender.force_close()  # noqa: SLF001 - there is no public way
        try:
            self._deadline.call(2.0, producer.close, 0)
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("producer not closed in order", producer=self.name, reason=repr(error))
        self._deadline.close()

    def _flush(self) -> None:
        """As the client's; but that gives up where a batch is larger than its topic takes: it is split, sent anew."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                self._call(self._active.flush, self.timeout)
            except CommitFailed as error:
                if isinstance(error.__cause__, kafka_errors.UnknownError) and time.monotonic() < deadline:
                    continue
                raise
            return

    @property
    def _active(self) -> KafkaProducer:
        if self._producer is None:
            raise CommitFailed(f"{self.name}: the producer has been given up")
        return self._producer

    def _call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._deadline.call(self.timeout, function, *args, **kwargs)
        except Overdue as error:
            raise CommitFailed(str(error)) from error
        except kafka_errors.KafkaError as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> TransportError:
        causes: Sequence[Any] = [error, *error.args, error.__cause__]
        text = f"{self.name}: {told(error)}"
        if any(isinstance(cause, FENCED) for cause in causes):
            return Fenced(text)
        if any(isinstance(cause, TOO_LARGE) for cause in causes):
            return TooLarge(text)
        return CommitFailed(text)
