"""Records of the user's own format and field names, from Kafka to Kafka."""

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from stream.config import Features, Fields
from stream.records import Labelled
from tests.consumers.kafka.world import World


def bars(raw: bytes) -> dict[str, Any]:
    """The user's own decoder: ``tx=7|at=12.5|amount=3``."""
    fields: dict[str, Any] = dict(pair.split("=") for pair in raw.decode().split("|"))
    return {name: value if name in ("tx", "verdict") else float(value) for name, value in fields.items()}


def test_records_of_the_users_own_format_and_names_are_decoded_and_joined_on_kafka(
    kafka: str, stream_name: str, tmp_path: Path
) -> None:
    world = World(kafka, stream_name, tmp_path)
    world.stream = msgspec.structs.replace(
        world.stream,
        decoder="tests.consumers.kafka.test_formats:bars",
        fields=Fields(event_id="tx", time="at", label="verdict"),
        features=Features(numeric=["amount"]),
        classes=["good", "bad"],
    )
    broken = [b'{"tx": "e1", "at": 1.0}', b"at=9|amount=1", b"\xff\xfe"]
    with closing(KafkaProducer(**world.connection)) as producer:
        for number in range(20):
            event = f"tx=e{number}|at={number}|amount={number / 10}".encode()
            producer.send(f"{stream_name}.events", event, key=b"k")
            producer.send(f"{stream_name}.labels", f"tx=e{number}|at={number + 0.5}|verdict=bad".encode(), key=b"k")
        for value in broken:
            producer.send(f"{stream_name}.events", value, key=b"k")
        producer.flush()
    world.work(predictions=20, labelled=20)
    assert [made.event_id for made in world.predictions()] == [f"e{number}" for number in range(20)]
    joined = [msgspec.json.decode(record.value, type=Labelled) for record in world.written("labelled")]
    assert [(made.event_id, made.label) for made in joined] == [(f"e{number}", "bad") for number in range(20)]
    assert [made.features for made in joined] == [{"amount": number / 10} for number in range(20)]
    assert [record.value for record in world.written("dead_letters")] == broken
