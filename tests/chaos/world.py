"""A stream of its own on the broker: its topics, what was sent to them, and what readers of committed data see."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource
from kafka.partitioner.default import murmur2

from consumers.kafka.client import connection
from consumers.kafka.feed import Feed
from consumers.kafka.reader import Reader
from consumers.kafka.topics import ensure, topic_names
from consumers.seal import load_keys, make_key
from consumers.settings import load
from stream.config import Settings, Stream
from stream.errors import Unavailable
from tests.chaos.records import SPACING, Sent, answers, flush, records, truth
from tests.chaos.workers import Nursery, WorkerProcess, await_

WARM_UP = 200

NEVER_COMPACTED = 10 * 365 * 86400 * 1000
"""Milliseconds."""

KAFKA = """
[kafka]
bootstrap = "{bootstrap}"
session_timeout = {session}
transaction_timeout = 10

[worker]
batch = {batch}
commit_every = {commit_every}
checkpoint_every = {checkpoint_every}
checkpoint_key_file = "{folder}/key"

[streams.{name}]
partitions = {partitions}
"""

NUMBERS = """
classes = ["0", "1"]
warm_up = 200
features.numeric = ["n", "m"]
labels.maturity = 0.5
"""


class World:
    """A stream's topics and settings.

    The state topic is never compacted: a task's whole journal can be read. ``begin`` is the time of event 0.
    ``settings``: what else the stream's table holds, those of records.py's unless others are given.
    """

    def __init__(
        self,
        bootstrap: str,
        name: str,
        folder: Path,
        nursery: Nursery,
        *,
        partitions: int = 1,
        batch: int = 64,
        session: float = 2.0,
        commit_every: float = 0.05,
        checkpoint_every: float = 1.0,
        settings: str = NUMBERS,
    ) -> None:
        self.name = name
        self.nursery = nursery
        self.folder = folder / name
        self.folder.mkdir()
        self.file = self.folder / "settings.toml"
        text = KAFKA.format(
            bootstrap=bootstrap,
            session=session,
            batch=batch,
            commit_every=commit_every,
            checkpoint_every=checkpoint_every,
            folder=self.folder,
            name=name,
            partitions=partitions,
        )
        self.file.write_text(text + settings, "utf-8")
        make_key(self.folder / "key")
        self.settings: Settings = load(self.file)
        self.stream: Stream = self.settings.streams[name]
        self.keys = load_keys(self.folder / "key")
        self.connection = connection(self.settings.kafka, "chaos")
        self.topics = topic_names(name, self.stream)
        self.begin = float(round(time.time()) - 50_000)
        self.sent = 0
        self.workers: list[WorkerProcess] = []
        self._make_topics()
        self._warm_up()
        self.reader = Reader(self.connection)
        self._groups = {
            role: KafkaConsumer(
                **self.connection,
                group_id=f"rotwatch.{name}.{role}",
                enable_auto_commit=False,
                isolation_level="read_uncommitted",  # the offsets as they are, while a transaction is open too
                metrics_enabled=False,
            )
            for role in ("scorer", "monitor")
        }

    def _make_topics(self) -> None:
        ensure(self.settings.kafka, self.name, self.stream)
        self._alter("state", {"min.compaction.lag.ms": str(NEVER_COMPACTED)})

    def limit(self, kind: str, size: int) -> None:
        """Let a topic take no more bytes a batch of records."""
        self._alter(kind, {"max.message.bytes": str(size)})

    def _alter(self, kind: str, settings: dict[str, str]) -> None:
        admin = KafkaAdminClient(**self.connection)
        try:
            admin.alter_configs([ConfigResource("TOPIC", self.topics[kind], settings)])
        finally:
            admin.close()

    def _warm_up(self) -> None:
        with (self.folder / "warm-up.jsonl").open("wb") as file:
            for number in range(10_000_000, 10_000_000 + WARM_UP):
                features, label = truth(number)
                row = {"event_id": f"w{number}", "time": self.begin - 1000, **features, "label": label}
                file.write(msgspec.json.encode(row) + b"\n")

    # -- in

    def send(self, sent: Iterable[Sent]) -> None:
        """Send records, each to the partition of its key, and wait until the broker has them."""
        feed = Feed(self.settings.kafka, "chaos-feed")
        for record in sent:
            feed.send(self.topics[record.kind], record.key.encode(), record.value)
        feed.close()

    def send_events(self, count: int) -> None:
        """Send the next events and their labels."""
        first, self.sent = self.sent, self.sent + count
        self.send(records(first, self.sent, self.begin))

    def send_flush(self) -> None:
        """Send each partition an event from so far behind that all others mature."""
        time_behind = self.begin + self.sent * SPACING + 1000
        self.send(flush(self.key_of(partition), time_behind) for partition in range(self.stream.partitions))

    def key_of(self, partition: int) -> str:
        """A key that goes to a partition."""
        return next(key for i in range(10_000) if self.partition_of(key := f"flush-{i}") == partition)

    def partition_of(self, key: str) -> int:
        """Where producers send a key."""
        return int((murmur2(key.encode()) & 0x7FFFFFFF) % self.stream.partitions)

    # -- workers

    def start(self, **order: Any) -> WorkerProcess:
        """Start a scorer; ``order`` as nursery.py takes it."""
        return self.run("consume", "--warm-up", str(self.folder / "warm-up.jsonl"), **order)

    def run(self, command: str, *words: str, **order: Any) -> WorkerProcess:
        """Start any command over this stream."""
        mine = ["--stream", self.name, "--config", str(self.file)]
        self.workers.append(self.nursery.start([command, *words, *mine], **order))
        return self.workers[-1]

    def stop_all(self) -> list[float]:
        """SIGTERM to all that live, one after the other; gives how long each took."""
        return [worker.stop() for worker in self.workers if worker.code is None]

    def kill_all(self) -> None:
        """SIGKILL to all that live."""
        for worker in self.workers:
            worker.send(9)  # type: ignore[arg-type] # a number serves as well
        for worker in self.workers:
            worker.wait()

    def caught_up(self, patience: float = 120.0) -> None:
        """Wait until all that was sent has been read, and what came of it committed."""
        await_(f"all inputs of {self.name} committed", self._is_caught_up, patience, 0.1, self._tails)

    def _is_caught_up(self) -> bool:
        inputs = [tp for p in range(self.stream.partitions) for tp in self.inputs(p)]
        try:
            ends, said = self.ends(inputs), self.committed(inputs)
        except Unavailable:
            return False  # kafka-python at times does not know what it is asked
        return all((said[tp] or (-1, ""))[0] >= ends[tp] for tp in inputs if ends[tp])

    def all_judged(self, patience: float = 120.0) -> None:
        """Wait until the monitor has committed all labelled records that are there."""
        last = {TopicPartition(r.topic, r.partition): r.offset for r in self.read("labelled")}
        await_(
            f"all labelled records of {self.name} judged",
            lambda: all((at or (0, ""))[0] > last[tp] for tp, at in self.committed(last, "monitor").items()),
            patience,
            0.1,
            self._tails,
        )

    def _tails(self) -> str:
        return "\n".join(worker.tail() for worker in self.workers[-3:])

    # -- out

    def inputs(self, partition: int) -> list[TopicPartition]:
        """What a task reads."""
        return [TopicPartition(self.topics[kind], partition) for kind in ("events", "labels")]

    def committed(
        self, partitions: Iterable[TopicPartition], role: str = "scorer"
    ) -> dict[TopicPartition, tuple[int, str] | None]:
        """A role's group's offsets and their metadata."""
        said = {}
        for tp in partitions:
            found = self._groups[role].committed(tp, metadata=True, timeout_ms=30_000)
            said[tp] = None if found is None or found.offset < 0 else (found.offset, found.metadata or "")
        return said

    def ends(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset behind the last committed record of each."""
        return {tp: end for tp, (_, end) in self.reader.bounds(partitions).items()}

    def read(self, kind: str, partition: int | None = None) -> list[Any]:
        """The committed records of a topic, one partition after the other."""
        chosen = range(self.stream.partitions) if partition is None else [partition]
        tps = [TopicPartition(self.topics[kind], number) for number in chosen]
        found: dict[TopicPartition, list[Any]] = {tp: [] for tp in tps}
        for tp, some in self.reader.read(self.reader.bounds(tps)):
            found[tp] += some
        return [record for tp in tps for record in found[tp]]

    def decoded(self, kind: str) -> list[dict[str, Any]]:
        """The committed records of a topic, decoded."""
        return [msgspec.json.decode(record.value) for record in self.read(kind)]

    def predictions(self) -> Counter[tuple[str, bool]]:
        """How often each event has been answered, for the first time and again."""
        return Counter((row["event_id"], row.get("repeated", False)) for row in self.decoded("predictions"))

    @property
    def labelled(self) -> int:
        """How many labelled records must come of what was sent, corrections included, when all labels are final."""
        return sum(len(set(answers(number))) for number in range(self.sent))

    def log_lines(self, event: str) -> list[dict[str, Any]]:
        """What its workers have logged of one kind."""
        return [line for worker in self.workers for line in worker.lines(event)]

    def close(self) -> None:
        """Kill what lives, let the clients go."""
        self.kill_all()
        self.reader.close()
        for group in self._groups.values():
            group.close(autocommit=False)
