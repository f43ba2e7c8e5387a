"""The contract suite over the Kafka transport, on a real broker."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError

from consumers.kafka.client import connection
from consumers.kafka.commit import STEPS
from consumers.kafka.reader import Reader
from consumers.kafka.roles import SCORER
from consumers.kafka.state import found
from consumers.kafka.topics import ensure
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Transport
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.duration import Duration
from stream.records import DeadLetter, Input, Label, Outputs, Prediction
from tests.consumers.contract import Handle, Make, Revocable

KEYS = [b"k" * 32]

STREAM = Stream(features=Features(numeric=["n"]), classes=["0", "1"], max_ahead=Duration(1e12))


class Flipping(Reader):
    """A reader to which some records look damaged: one bit of each is another."""

    def __init__(self, connection: Any, damaged: set[int]) -> None:
        super().__init__(connection)
        self.damaged = damaged

    def read(self, ranges: Any) -> Iterator[tuple[TopicPartition, list[Any]]]:
        for tp, records in super().read(ranges):
            yield (
                tp,
                [self._damage(r) if tp.topic.endswith(".state") and r.offset in self.damaged else r for r in records],
            )

    def _damage(self, record: Any) -> Any:
        return record._replace(value=record.value[:-1] + bytes([record.value[-1] ^ 1]))


class OnKafka(Handle):
    """A scorer's transport over topics of its own."""

    steps = STEPS

    def __init__(self, inputs: Sequence[Input], bootstrap: str, name: str) -> None:
        super().__init__(inputs)
        self.kafka = Kafka(bootstrap=bootstrap, session_timeout=Duration(2), transaction_timeout=Duration(10))
        self.name = name
        self.connection = connection(self.kafka, "test")
        ensure(self.kafka, name, STREAM)
        producer = KafkaProducer(**self.connection)
        for record in inputs:
            topic = f"{name}.{'labels' if isinstance(record, Label) else 'events'}"
            producer.send(topic, record.raw, key=b"k").get(10)
        producer.close()
        self.transports: list[KafkaTransport] = []
        self.damaged: set[int] = set()

    def open(self) -> Transport:
        transport = KafkaTransport(
            SCORER,
            self.name,
            STREAM,
            self.kafka,
            self.connection,
            KEYS,
            "code",
            poll_interval=3.0,
            at_step=self.at_step,
        )
        transport.reader = Flipping(self.connection, self.damaged)
        self.transports.append(transport)
        return transport

    def kill(self, transport: Transport) -> None:
        assert isinstance(transport, KafkaTransport)
        for held in transport.tenancy.tasks.values():
            if held.committer is not None:
                held.committer.publisher._open = False  # a transaction stays open, as a dead process leaves it
        transport.close()
        self.transports.remove(transport)

    def close(self) -> None:
        for transport in list(self.transports):
            transport.close()

    def _read(self, kind: str) -> Iterator[Any]:
        reader = Reader(self.connection)
        tp = TopicPartition(f"{self.name}.{kind}", 0)
        for _, records in reader.read({tp: reader.bounds([tp])[tp]}):
            yield from records
        reader.close()

    def committed(self) -> Outputs:
        predictions = [msgspec.json.decode(r.value, type=Prediction) for r in self._read("predictions")]
        letters = [DeadLetter("events", "", "", r.offset, r.value) for r in self._read("dead-letters")]
        return Outputs(predictions, [], [], letters)

    def fail(self, step: str) -> None:
        self.interrupt(step, KafkaConnectionError("so says the test"))

    def damage(self, newest: int) -> None:
        transport = self.open()
        assert isinstance(transport, KafkaTransport)
        while not transport.owned:
            transport.poll(1, 0.1)
        tp = transport.owned["0"].inputs[0]
        said = transport.group.committed([tp])[tp]
        assert said is not None
        self.damaged |= {pointer.manifest for pointer in found(said[1]).generations[-newest:]}
        self.kill(transport)

    def revoke(self, transport: Transport) -> None:
        assert isinstance(transport, KafkaTransport)
        transport.group._consumer._coordinator.request_rejoin()


class TestOnKafka(Revocable):
    drains = False

    @pytest.fixture
    def make(self, kafka: str, stream_name: str) -> Iterator[Make]:
        made: list[OnKafka] = []
        numbers = itertools.count()

        def make(inputs: Sequence[Input]) -> Handle:
            made.append(OnKafka(inputs, kafka, f"{stream_name}-{next(numbers)}"))
            return made[-1]

        yield make
        for handle in made:
            handle.close()
