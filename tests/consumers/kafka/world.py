"""A small stream on the broker, with its producers, workers and a view of all that is written."""

import json
import random
import time
from contextlib import closing
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from consumers import seal, service, upkeep
from consumers.kafka.client import connection
from consumers.kafka.placement import group_id
from consumers.kafka.reader import Reader
from consumers.kafka.roles import MONITOR, SCORER
from consumers.kafka.topics import KINDS, ensure
from stream.broker import Kafka
from stream.config import Features, Settings, Stream, Worker, topic
from stream.duration import Duration
from stream.records import Prediction


def no_question(_what: str) -> None:
    """As --yes."""


class World:
    """A stream on the broker, whose label says whether n is above 0."""

    def __init__(self, kafka: str, name: str, folder: Any) -> None:
        seal.make_key(folder / "key")
        self.name = name
        self.stream = Stream(
            features=Features(numeric=["n"]), classes=["0", "1"], max_ahead=Duration(1e12), recent_ids=2_000
        )
        self.settings = Settings(
            kafka=Kafka(bootstrap=kafka, session_timeout=Duration(2), transaction_timeout=Duration(10)),
            # Checkpoints at the beginning and at the end: what lies between is in the journal.
            worker=Worker(batch=64, checkpoint_every=Duration(60), checkpoint_key_file=str(folder / "key")),
        )
        self.connection = connection(self.settings.kafka, "test")
        ensure(self.settings.kafka, name, self.stream)
        self.sent = 0
        self.chance = random.Random(1)

    def send(self, count: int, *, labels: bool = True) -> None:
        """Events of the next numbers, keyed by their ids, and their labels."""
        with closing(KafkaProducer(**self.connection)) as producer:
            for number in range(self.sent, self.sent + count):
                n = self.chance.uniform(-1, 1)
                key = f"e{number}".encode()
                event = {"event_id": f"e{number}", "time": float(number), "n": n}
                producer.send(topic(self.name, self.stream, "events"), json.dumps(event).encode(), key=key)
                if labels:
                    label = {"event_id": f"e{number}", "time": float(number), "label": str(int(n > 0))}
                    producer.send(topic(self.name, self.stream, "labels"), json.dumps(label).encode(), key=key)
            producer.flush()
        self.sent += count

    def label(self, event_id: str, value: str) -> None:
        with closing(KafkaProducer(**self.connection)) as producer:
            made = {"event_id": event_id, "time": float(self.sent), "label": value}
            to = topic(self.name, self.stream, "labels")
            producer.send(to, json.dumps(made).encode(), key=event_id.encode()).get(10)

    def written(self, kind: str) -> list[Any]:
        with closing(Reader(self.connection)) as reader:
            own = [TopicPartition(topic(self.name, self.stream, kind), p) for p in range(self.stream.partitions)]
            return [record for _, records in reader.read(reader.bounds(own)) for record in records]

    def predictions(self) -> list[Prediction]:
        return [msgspec.json.decode(record.value, type=Prediction) for record in self.written("predictions")]

    def work(self, *, predictions: int, labelled: int | None = None, role: Any = SCORER, begin: Any = None) -> None:
        """A worker, until so much has been written (or read, by a monitor), and then its last checkpoint."""
        deadline = time.monotonic() + 60
        with closing(Reader(self.connection)) as reader:

            def stop() -> bool:
                assert time.monotonic() < deadline, f"{len(self.written('predictions'))} predictions"
                if role is MONITOR:
                    with self.open(MONITOR) as opened:
                        return opened.inspect(opened.placements[0]).inputs[0].position > 0
                for kind, wanted in (("predictions", predictions), ("labelled", labelled)):
                    own = [
                        TopicPartition(topic(self.name, self.stream, kind), p) for p in range(self.stream.partitions)
                    ]
                    bounds = reader.bounds(own)
                    if sum(end for _, end in bounds.values()) < (wanted or 0):
                        return False
                    if wanted and sum(len(rs) for _, rs in reader.read(bounds)) < wanted:
                        return False
                return True

            service.serve(service.Service(self.settings, self.name, self.stream, role, None, begin), stop)

    def open(self, role: Any = SCORER) -> Any:
        return upkeep.opened(self.settings, self.name, self.stream, role)

    def admin(self) -> Any:
        return closing(KafkaAdminClient(**self.connection))

    def members(self) -> int:
        """How many the scorer's group has."""
        group = group_id(SCORER, self.name)
        with self.admin() as admin:
            return len(admin.describe_groups([group])[group]["members"])

    def grow(self, partitions: int) -> None:
        """Add partitions to all topics, and change the setting."""
        with self.admin() as admin:
            admin.create_partitions({topic(self.name, self.stream, kind): partitions for kind in KINDS})
        self.stream = msgspec.structs.replace(self.stream, partitions=partitions)
        time.sleep(1)  # until every client is told of them
