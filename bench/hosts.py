"""Processes that host the same work on Kafka in other ways, to be measured beside ours: run as ``-m bench.hosts``.

``echo`` copies each event to the predictions in transactions, and does nothing else: the least that exactly-once costs
here. ``plain`` does our per-event work in an at-least-once loop: consumer, models, producer, offsets. ``ours`` is the
scorer. ``quix`` is the same work on Quix Streams, exactly-once (its own environment: ``make bench-peers``).
"""

import argparse
import gzip
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stream.config import Features, Stream
from stream.features import FeatureExtractor
from stream.models import Models
from stream.warmup import warm_up

WARM_UP = 2_500

STREAM = Stream(classes=["ham", "spam"], positive="spam", features=Features(text=["body"]), warm_up=WARM_UP)


def texts(data: Path) -> list[dict[str, Any]]:
    """The short texts that everybody is measured on."""
    with gzip.open(data / "sms_spam.jsonl.gz") as file:
        rows = [msgspec.json.decode(line) for line in file]
    return [{"body": row["text"], "label": row["label"]} for row in rows]


def models(data: Path) -> Models:
    """The models that all begin with."""
    rows = texts(data)[:WARM_UP]
    return warm_up("bench", STREAM, [({"body": row["body"]}, row["label"]) for row in rows]).models


Keyed = tuple[str, bytes]
"""A record's key, and the record."""


class Work:
    """The per-event work: decode, features, vectorised baseline, online score, and learning when the label comes."""

    def __init__(self, made: Models) -> None:
        self.extractor = FeatureExtractor(STREAM.features)
        self.online: Any = made.online
        self.baseline: Any = made.baseline
        self.waiting: dict[str, Any] = {}
        self.early: dict[str, dict[str, Any]] = {}
        self.decode = msgspec.json.Decoder(dict[str, Any]).decode
        self.encode = msgspec.json.Encoder().encode

    def events(self, values: list[bytes]) -> tuple[list[Keyed], list[Keyed]]:
        """The answers to events, and the labelled records of labels that were there before them: ids and records."""
        events = [self.decode(value) for value in values]
        rows = [self.extractor.row(event) for event in events]
        frozen = self.baseline.score(self.extractor.frame(rows))
        answers, records = [], []
        for event, row, x, other in zip(events, rows, self.extractor.inputs(rows), frozen, strict=True):
            score, event_id = self.online.score(x), event["event_id"]
            self.waiting[event_id] = (x, row, score, other)
            answer = {"event_id": event_id, "time": event["time"], "online": score, "baseline": other}
            answers.append((event_id, self.encode(answer)))
            if event_id in self.early:
                records.append(self._labelled(self.early.pop(event_id)))
        return answers, records

    def labels(self, values: list[bytes]) -> list[Keyed]:
        """The labelled records of labels whose event has been answered; others wait for it."""
        records = []
        for value in values:
            label = self.decode(value)
            if label["event_id"] in self.waiting:
                records.append(self._labelled(label))
            else:
                self.early[label["event_id"]] = label
        return records

    def _labelled(self, label: dict[str, Any]) -> Keyed:
        x, row, score, other = self.waiting.pop(label["event_id"])
        self.online.learn(x, int(label["label"] == "spam"))
        return label["event_id"], self.encode({**label, "features": row, "online": score, "baseline": other})


def consumer(options: argparse.Namespace, topics: list[str], group: str) -> Any:
    """A consumer with our settings."""
    from kafka import KafkaConsumer

    return KafkaConsumer(
        *topics,
        bootstrap_servers=options.bootstrap,
        group_id=group,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6_000,
        heartbeat_interval_ms=1_500,
        max_poll_records=1_024,
        fetch_max_wait_ms=250,
    )


def echo(options: argparse.Namespace, stop: Callable[[], bool]) -> None:
    """Copy events in transactions."""
    from kafka import KafkaProducer
    from kafka.consumer.subscription_state import OffsetAndMetadata

    reader = consumer(options, [f"{options.name}.events"], f"echo.{options.name}")
    producer = KafkaProducer(
        bootstrap_servers=options.bootstrap,
        transactional_id=f"echo.{options.name}",
        retry_backoff_ms=5,
        linger_ms=1_000,
        batch_size=256 * 1024,
    )
    producer.init_transactions()
    while not stop():
        fetched = reader.poll(timeout_ms=200)
        if not fetched:
            continue
        producer.begin_transaction()
        ends = {}
        for tp, records in fetched.items():
            for record in records:
                producer.send(f"{options.name}.predictions", record.value, key=record.key, partition=0)
            ends[tp] = OffsetAndMetadata(records[-1].offset + 1, "", -1)
        producer.flush()
        producer.send_offsets_to_transaction(ends, reader.group_metadata())
        producer.commit_transaction()


def plain(options: argparse.Namespace, stop: Callable[[], bool]) -> None:
    """The work in an at-least-once loop."""
    from kafka import KafkaProducer

    work = Work(models(options.data))
    reader = consumer(options, [f"{options.name}.events", f"{options.name}.labels"], f"plain.{options.name}")
    producer = KafkaProducer(bootstrap_servers=options.bootstrap, linger_ms=5, batch_size=256 * 1024, acks="all")
    while not stop():
        fetched = reader.poll(timeout_ms=200)
        by_topic = {tp.topic.rsplit(".", 1)[1]: [r.value for r in records] for tp, records in fetched.items()}
        answers, records = work.events(by_topic["events"]) if "events" in by_topic else ([], [])
        records += work.labels(by_topic.get("labels", []))
        for topic, made in (("predictions", answers), ("labelled", records)):
            for event_id, value in made:
                producer.send(f"{options.name}.{topic}", value, key=event_id.encode(), partition=0)
        if fetched:
            producer.flush()
            reader.commit_async()


def ours(options: argparse.Namespace, stop: Callable[[], bool]) -> None:
    """The scorer."""
    from consumers import running
    from consumers.kafka.roles import SCORER
    from consumers.service import Service, serve
    from stream.broker import Kafka
    from stream.config import Settings, Worker
    from stream.duration import Duration

    if options.most_replay is not None:
        running.MOST_REPLAY = options.most_replay
    stream = msgspec.structs.replace(STREAM, partitions=options.partitions)
    settings = Settings(
        streams={options.name: stream},
        kafka=Kafka(bootstrap=options.bootstrap),
        worker=Worker(checkpoint_key_file=str(options.key), checkpoint_every=Duration(options.checkpoint_every)),
    )
    serve(Service(settings, options.name, stream, SCORER, None, lambda: models(options.data)), stop)


def quix(options: argparse.Namespace, _stop: Callable[[], bool]) -> None:
    """The work on Quix Streams: what a batch needs is gathered in memory and given out together."""
    from quixstreams import Application

    work = Work(models(options.data))
    app = Application(
        broker_address=options.bootstrap,
        consumer_group=f"quix.{options.name}",
        processing_guarantee="exactly-once",
        auto_offset_reset="earliest",
        commit_interval=0.25,
        auto_create_topics=False,
        consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_500},
        # Its ids are new at each start: a transaction that a killed process left open ends by its timeout only.
        producer_extra_config={"transaction.timeout.ms": 10_000, "message.timeout.ms": 9_000},
        loglevel="WARNING",
    )
    events = app.topic(f"{options.name}.events", key_deserializer="bytes", value_deserializer="bytes")
    labels = app.topic(f"{options.name}.labels", key_deserializer="bytes", value_deserializer="bytes")
    predictions = app.topic(f"{options.name}.predictions", key_serializer="bytes", value_serializer="bytes")
    labelled = app.topic(f"{options.name}.labelled", key_serializer="bytes", value_serializer="bytes")
    gathered: list[bytes] = []

    def on_event(value: bytes) -> list[tuple[str, bytes]]:
        gathered.append(value)
        if len(gathered) < options.gather:
            return []
        answers, records = work.events(gathered)
        gathered.clear()
        return [*(("answer", made) for _, made in answers), *(("record", made) for _, made in records)]

    def on_label(value: bytes) -> list[bytes]:
        return [record for _, record in work.labels([value])]

    made = app.dataframe(events).apply(on_event, expand=True)
    made.filter(lambda tagged: tagged[0] == "answer").apply(lambda tagged: tagged[1]).to_topic(predictions)
    made.filter(lambda tagged: tagged[0] == "record").apply(lambda tagged: tagged[1]).to_topic(labelled)
    app.dataframe(labels).apply(on_label, expand=True).to_topic(labelled)
    app.run()


def main() -> None:
    """Host one way until SIGTERM, then print the CPU seconds that it took behind its set-up, as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["echo", "plain", "ours", "quix"])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--gather", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--checkpoint-every", type=float, default=10.0)
    parser.add_argument("--most-replay", type=float)
    options = parser.parse_args()
    asked: list[int] = []
    if options.kind != "quix":  # Quix Streams hears it itself
        signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    {"echo": echo, "plain": plain, "ours": ours, "quix": quix}[options.kind](options, lambda: bool(asked))
    sys.stdout.write(msgspec.json.encode({"cpu": cpu()}).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
