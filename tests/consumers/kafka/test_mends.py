"""What is mended in the client: sockets of connections that fail are closed, and strange header names can be read."""

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers.kafka import mends
from consumers.kafka.client import connection, open_client, reaching
from consumers.kafka.mends import Name
from stream.broker import Kafka
from stream.errors import TransportError
from tests.broker.ports import HOST
from tests.consumers.kafka.world import World

OPEN = Path("/proc/self/fd")

STRANGE = b"trace-\xff\xfe"


def strange() -> Name:
    return Name(STRANGE.decode("utf-8", "surrogateescape"))


# ------------------------------------------------------------------------------------------- sockets


@pytest.fixture
def collector() -> Iterator[None]:
    """Without the garbage collector, which closes what nobody uses any more, some time or other."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@contextmanager
def hanging_up() -> Iterator[str]:
    """Who takes connections and hangs up: what a client with TLS meets at a listener without."""
    with socket.create_server((HOST, 0)) as server:

        def take() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=take)
        thread.start()
        yield f"{HOST}:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def saying_nothing() -> Iterator[str]:
    """Who takes connections and does not answer."""
    with socket.create_server((HOST, 0)) as server:
        yield f"{HOST}:{server.getsockname()[1]}"


@contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens there."""
    yield f"{HOST}:1"


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("kind", [KafkaConsumer, KafkaProducer, KafkaAdminClient])
@pytest.mark.parametrize(
    ("broker", "tls"),
    [(refusing, False), (saying_nothing, False), (hanging_up, False), (hanging_up, True), (saying_nothing, True)],
)
def test_a_client_that_finds_no_broker_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, kind: type, broker: Callable[[], AbstractContextManager[str]], tls: bool
) -> None:
    monkeypatch.setattr(mends, "HANDSHAKE", 0.2)
    with broker() as address:
        kafka = Kafka(bootstrap=address, tls=tls)
        arguments = connection(kafka, "test")
        counts = []
        for _ in range(4):
            with pytest.raises(TransportError), reaching(kafka):
                open_client(kind, **arguments, bootstrap_timeout_ms=200)
            counts.append((len(list(OPEN.iterdir())), threading.active_count()))
    assert counts == counts[:1] * 4


# ------------------------------------------------------------------------------------------- names of headers


def batch_of(*headers: tuple[str, bytes | None]) -> DefaultRecordBatch:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for offset in range(3):
        builder.append(offset, 1_000 + offset, b"key", b"value %d" % offset, list(headers) if offset == 1 else [])
    return DefaultRecordBatch(bytes(builder.build()))


def test_a_header_whose_name_is_no_utf_8_can_be_read_and_gives_its_bytes_again() -> None:
    before, record, behind = batch_of((strange(), b"1"), ("plain", None))
    assert [(r.offset, r.value) for r in (before, record, behind)] == [(n, b"value %d" % n) for n in range(3)]
    assert [(name.encode("utf-8"), value) for name, value in record.headers] == [(STRANGE, b"1"), (b"plain", None)]
    [_, again, _] = batch_of(*record.headers)
    assert again.headers == record.headers


def test_what_is_corrupt_is_still_found_to_be_so() -> None:
    batch = batch_of((strange(), b"1"))
    batch._buffer = bytearray(batch._buffer[:-30] + b"\xff" * 30)
    with pytest.raises(CorruptRecordError):
        list(batch)


def test_a_record_with_such_a_header_stops_nobody_and_its_dead_letter_has_the_same_bytes(
    kafka: str, stream_name: str, tmp_path: Path
) -> None:
    world = World(kafka, stream_name, tmp_path)
    world.send(5)
    with closing(KafkaProducer(**world.connection)) as producer:
        headers = [(strange(), b"1"), ("plain", b"2")]
        producer.send(f"{stream_name}.events", b"no record", key=b"k", headers=headers).get(10)
    world.send(5)
    world.work(predictions=10, labelled=10)
    assert [p.event_id for p in world.predictions()] == [f"e{n}" for n in range(10)]
    [letter] = world.written("dead_letters")
    assert (letter.key, letter.value) == (b"k", b"no record")
    assert [(name.encode(), value) for name, value in letter.headers][:2] == [(STRANGE, b"1"), (b"plain", b"2")]
    with closing(KafkaConsumer(**world.connection, auto_offset_reset="earliest")) as consumer:
        tp = TopicPartition(f"{stream_name}.events", 0)
        consumer.assign([tp])
        consumer.seek(tp, 5)
        assert consumer.poll(5_000)[tp][0].headers[0][0].encode() == STRANGE
