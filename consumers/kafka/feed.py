"""A plain producer whose every record is accounted for: what ``rotwatch produce`` sends with."""

from collections import deque
from contextlib import suppress
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from consumers.kafka.client import BOOTSTRAP_MS, connection, open_client, reaching
from stream.broker import Kafka
from stream.errors import TransportError

IN_FLIGHT = 10_000
"""So many records may be unacknowledged: bounds memory, and how much is in doubt when the broker goes away."""

DELIVERY = 120.0
"""Seconds: a record that the broker has not taken by then is lost, and the feed fails."""


class Feed:
    """Sends records to any topics, each to the partition of its key's murmur2; idempotent, taken by all replicas.

    ``sent`` and ``acknowledged`` count records. After the first record that could not be delivered every call raises
    TransportError.
    """

    def __init__(self, kafka: Kafka, client_id: str, in_flight: int = IN_FLIGHT) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._in_flight = in_flight
        self._waiting: deque[tuple[str, Any]] = deque()
        with reaching(kafka):
            self._producer = open_client(
                KafkaProducer,
                **connection(kafka, client_id),
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                batch_size=64 * 1024,
                delivery_timeout_ms=DELIVERY * 1000,
                max_request_size=64 * 1024 * 1024,  # the topic's own limit decides
                max_block_ms=BOOTSTRAP_MS,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )

    def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        """Send a record, with this moment as its timestamp; raises TransportError where it or an earlier one failed."""
        self._settle(self._in_flight - 1)
        try:
            future = self._producer.send(topic, value, key=key)
        except (kafka_errors.KafkaError, ValueError) as error:  # ValueError: no such topic any more
            raise _failed(topic, error, len(value)) from error
        self.sent += 1
        self._waiting.append((topic, future))

    def close(self) -> None:
        """Wait until every record has been taken; raises TransportError where one has not."""
        try:
            self._producer.flush(DELIVERY + 10)
            self._settle(0)
        except kafka_errors.KafkaTimeoutError as error:
            raise TransportError(f"{len(self._waiting)} records have not been acknowledged: {error}") from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let the producer go without waiting for what is under way."""
        # close() flushes first, and waits there for what cannot be delivered: the sender must be told itself.
        self._producer._sender.force_close()  # noqa: SLF001 - there is no public way
        with suppress(kafka_errors.KafkaTimeoutError):
            self._producer.close(1)

    def _settle(self, most: int) -> None:
        """Look at the fate of what has come back, and wait until no more than ``most`` records are under way."""
        waiting = self._waiting
        while waiting and (waiting[0][1].is_done or len(waiting) > most):
            topic, future = waiting[0]
            try:
                future.get(DELIVERY + 10)
            except kafka_errors.KafkaError as error:
                raise _failed(topic, error, None) from error
            waiting.popleft()
            self.acknowledged += 1


def _failed(topic: str, error: Exception, size: int | None) -> TransportError:
    large = (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError)
    if isinstance(error, large):
        return TransportError(f"topic {topic}: a record is larger than it takes: raise its max.message.bytes ({error})")
    what = "a record" if size is None else f"a record of {size} bytes"
    return TransportError(f"topic {topic}: {what} could not be delivered: {type(error).__name__}: {error}")
