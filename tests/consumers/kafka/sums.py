"""A stream of numbered events, and workers that sum them up: what readers see then tells what was lost or doubled.

The n-th prediction of a partition must be n: RunningSum counts 1 an event. Producers and readers go past the proxies,
so that only the workers meet what befalls the network.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.kafka.client import connection
from consumers.kafka.reader import Reader
from consumers.kafka.roles import SCORER
from consumers.kafka.topics import ensure
from consumers.kafka.transport import KafkaTransport
from consumers.observer import Observer
from consumers.worker import Worker
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.duration import Duration
from stream.records import Alarm, Prediction
from stream.testing import RunningSum
from tests.broker.cluster import Cluster

KEYS = [b"k" * 32]

PATIENCE = 90.0


class Notes(Observer):
    """Notes what a worker says."""

    def __init__(self) -> None:
        self.recoveries: list[int] = []
        self.reasons: list[str] = []
        self.commits = 0

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        self.commits += bool(seconds)

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        self.recoveries.append(batches)

    def waiting(self, task: str, reason: str) -> None:
        self.reasons.append(reason)


class Work:
    """A worker in a thread of its own."""

    def __init__(self, sums: "Sums", at_step: Callable[[str], None]) -> None:
        self.notes = Notes()
        self.error: BaseException | None = None
        self._over = threading.Event()
        self.transport = KafkaTransport(
            SCORER,
            sums.name,
            sums.stream,
            sums.outside,
            connection(sums.outside, "worker"),
            KEYS,
            "code",
            at_step=at_step,
        )
        self.worker = Worker(
            self.transport,
            lambda _: RunningSum(),
            batch=50,
            commit_every=0.05,
            checkpoint_every=0.5,
            observer=self.notes,
            stop=self._over.is_set,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:  # noqa: BLE001 - told at the end
            self.error = error

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Drain; raises what the worker ended with."""
        self._over.set()
        self._thread.join(60)
        assert not self.alive, "the worker does not end"
        if self.error is not None:
            raise self.error


class Sums:
    """One stream on a cluster."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.stream = Stream(features=Features(numeric=["n"]), classes=["0", "1"])
        self.outside = Kafka(
            bootstrap=cluster.bootstrap,
            session_timeout=Duration(3),
            transaction_timeout=Duration(6),
            replication=min(3, len(cluster.nodes)),
        )
        self.inside = msgspec.structs.replace(self.outside, bootstrap=cluster.addresses("INNER"))
        self.made = 0
        self.workers: list[Work] = []
        ensure(self.inside, name, self.stream)

    def produce(self, count: int) -> None:
        """Send the next events."""
        producer = KafkaProducer(**connection(self.inside, "producer"), acks="all")
        futures = []
        for number in range(self.made, self.made + count):
            event = {"event_id": f"e{number}", "time": 1.7e9 + number}
            futures.append(producer.send(f"{self.name}.events", msgspec.json.encode(event), key=b"k"))
        for future in futures:
            future.get(60)
        producer.close()
        self.made += count

    @contextmanager
    def flowing(self, rate: float = 200.0) -> Iterator[None]:
        """Events come all the while, some each twentieth of a second."""
        over = threading.Event()

        def flow() -> None:
            while not over.wait(0.05):
                self.produce(max(1, int(rate / 20)))

        thread = threading.Thread(target=flow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(60)

    def work(self, at_step: Callable[[str], None] = lambda _: None) -> Work:
        """Start a worker."""
        self.workers.append(Work(self, at_step))
        return self.workers[-1]

    def records(self, kind: str) -> list[Any]:
        """All committed records of a topic."""
        reader = Reader(connection(self.inside, "reader"))
        tp = TopicPartition(f"{self.name}.{kind}", 0)
        try:
            return [r for _, records in reader.read({tp: reader.bounds([tp])[tp]}) for r in records]
        finally:
            reader.close()

    def sums(self) -> list[tuple[str, float]]:
        """The predictions so far: event and sum."""
        made = [msgspec.json.decode(r.value, type=Prediction) for r in self.records("predictions")]
        return [(p.event_id, p.score) for p in made]  # type: ignore[misc] # a sum is a number

    def alarms(self) -> list[Alarm]:
        """The alarms so far."""
        return [msgspec.json.decode(r.value, type=Alarm) for r in self.records("alarms")]

    def wait(self, count: int | None = None) -> None:
        """Wait until so many events, or all that have been sent, are predicted for readers of committed data."""
        self.until(lambda: len(self.records("predictions")) >= (self.made if count is None else count))

    def until(self, what: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience
        while not what():
            if time.monotonic() > end:
                reasons = [work.notes.reasons[-3:] for work in self.workers]
                raise TimeoutError(f"it did not come to that; the workers say {reasons}")
            time.sleep(0.2)

    def check(self) -> None:
        """Every event was predicted once, in order, and each sum is right."""
        assert self.sums() == [(f"e{number}", number + 1.0) for number in range(self.made)]

    def delete_records(self, kind: str, before: int) -> None:
        """Do what retention does."""
        admin = KafkaAdminClient(**connection(self.inside, "admin"))
        admin.delete_records({TopicPartition(f"{self.name}.{kind}", 0): before})
        admin.close()

    def delete_topics(self, kinds: Sequence[str]) -> None:
        """Delete topics."""
        admin = KafkaAdminClient(**connection(self.inside, "admin"))
        admin.delete_topics([f"{self.name}.{kind}" for kind in kinds])
        admin.close()

    def close(self) -> None:
        """Stop what still works."""
        for proxy in self.cluster.proxies:
            proxy.heal()
        for work in self.workers:
            if work.alive:
                work.stop()
