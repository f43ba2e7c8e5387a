"""Records of the user's own format and field names, from Kafka to Kafka."""

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from consumers import upkeep
from consumers.kafka.roles import MONITOR
from stream.config import Features, Fields, Labels
from stream.records import Labelled
from stream.sample import Sample
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


def test_labels_that_state_how_probable_they_were_are_drawn_on_kafka_and_the_drawn_ones_are_told(
    kafka: str, stream_name: str, tmp_path: Path
) -> None:
    world = World(kafka, stream_name, tmp_path)
    world.stream = msgspec.structs.replace(
        world.stream,
        fields=Fields(inspection_probability="p"),
        labels=Labels(least_inspection_probability=0.25),
    )
    sample = Sample(world.stream)
    stated = {f"e{number}": [1.0, 0.25, 0.5][number % 3] for number in range(60)}
    wrong = {"e60": {"p": 0.1}, "e61": {"p": "often"}, "e62": {}}
    with closing(KafkaProducer(**world.connection)) as producer:

        def send(kind: str, key: str, **fields: Any) -> None:
            value = msgspec.json.encode({"event_id": key, "time": 1.0, **fields})
            producer.send(f"{stream_name}.{kind}", value, key=key.encode())

        for key, probability in stated.items():
            send("events", key, n=1.0)
            send("labels", key, label="1", p=probability)
        for key, fields in wrong.items():
            send("events", key, n=1.0)
            send("labels", key, label="1", **fields)
        producer.flush()
    world.work(predictions=63, labelled=60)
    joined = [msgspec.json.decode(record.value, type=Labelled) for record in world.written("labelled")]
    assert {made.event_id: made.sampled for made in joined} == {key: sample.takes(key, p) for key, p in stated.items()}
    assert 0 < sum(made.sampled for made in joined) < 60
    dead = [msgspec.json.decode(record.value)["event_id"] for record in world.written("dead_letters")]
    assert dead == list(wrong)
    with world.open() as opened:
        assert upkeep.verify(opened)
    world.work(predictions=0, role=MONITOR)
    with world.open(MONITOR) as opened:
        assert upkeep.verify(opened)
