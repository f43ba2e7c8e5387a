"""A load on a broker, and what a reader of the answers sees of it: for the benchmarks of hosts (bench.hosts)."""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from bench.hosts import STREAM, texts
from bench.report import DATA
from consumers.kafka.topics import ensure
from stream.broker import Kafka

TICKS = os.sysconf("SC_CLK_TCK")


class Host:
    """A process that hosts the work; ``python`` may be another environment's. What it says goes into ``log``."""

    def __init__(
        self,
        kind: str,
        bootstrap: str,
        name: str,
        folder: Path,
        python: str = sys.executable,
        gather: int = 1,
        *options: str,
    ) -> None:
        key = folder / "key"
        if not key.exists():
            key.write_text(secrets.token_hex(32))
        words = ["--bootstrap", bootstrap, "--name", name, "--data", str(DATA), "--key", str(key)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
        self.log = folder / f"{name}-{secrets.token_hex(2)}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python, "-W", "ignore", "-m", "bench.hosts", kind, *words, "--gather", str(gather), *options],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=folder,
            )

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def kill(self) -> None:
        """At once."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """In order, or at once where that takes too long."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()


class Seen:
    """Reads the answers all the while: how many there are, and how long each took from its event."""

    def __init__(self, bootstrap: str, name: str, *, committed: bool, partitions: int = 1) -> None:
        self.count = 0
        self.last = 0.0
        self.delays: list[float] = []
        self.host: Host | None = None
        self.first: tuple[int, float, float] | None = None
        self._over = False
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            isolation_level="read_committed" if committed else "read_uncommitted",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=20,
            max_poll_records=5_000,
        )
        self._consumer.assign([TopicPartition(f"{name}.predictions", number) for number in range(partitions)])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        time_of = msgspec.json.Decoder(Answer).decode
        while not self._over:
            for records in self._consumer.poll(timeout_ms=50).values():
                now = time.time()
                self.delays += [now - time_of(record.value).time for record in records]
                self.count += len(records)
                self.last = time.monotonic()
                if self.first is None and self.host is not None:
                    self.first = (self.count, self.last, self.host.cpu())

    def wait(self, count: int, patience: float) -> bool:
        """Whether so many have come in time."""
        until = time.monotonic() + patience
        while self.count < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.count >= count

    def close(self) -> None:
        """Read no more."""
        self._over = True
        self._thread.join()
        self._consumer.close()


class Answer(msgspec.Struct):
    """What is looked at of a prediction, or of an event that came back."""

    time: float


class Load:
    """Sends events and labels."""

    def __init__(self, bootstrap: str, partitions: int = 1) -> None:
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.kafka = Kafka(bootstrap=bootstrap)
        self.rows = texts(DATA)

    def topics(self, name: str) -> None:
        """Make a stream's topics."""
        ensure(self.kafka, name, msgspec.structs.replace(STREAM, partitions=self.partitions))

    def send(self, name: str, count: int, rate: float | None = None) -> None:
        """Send so many events, each with its label behind it; at so many a second."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2 if rate else 20, batch_size=200_000)
        partition = 0 if self.partitions == 1 else None  # the key's
        began = time.monotonic()
        for number, row in enumerate(cycle(self.rows)):
            if number == count:
                break
            if rate is not None and number % 10 == 0:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            event_id = f"{began:.6f}-{number}"
            head = {"event_id": event_id, "time": time.time()}
            event, label = {**head, "body": row["body"]}, {**head, "label": row["label"]}
            producer.send(f"{name}.events", msgspec.json.encode(event), key=event_id.encode(), partition=partition)
            producer.send(f"{name}.labels", msgspec.json.encode(label), key=event_id.encode(), partition=partition)
        producer.flush()
        producer.close()


@contextmanager
def hosted(
    load: Load,
    kind: str,
    folder: Path,
    *options: str,
    python: str = sys.executable,
    gather: int = 1,
    filled: int = 0,
) -> Iterator[tuple[str, Host, Seen]]:
    """A host at work on topics of its own, and what is seen of it; the topics hold ``filled`` events beforehand."""
    name = f"{kind}-{secrets.token_hex(4)}"
    load.topics(name)
    if filled:
        load.send(name, filled)
    seen = Seen(load.bootstrap, name, committed=kind != "plain", partitions=load.partitions)
    host = seen.host = Host(kind, load.bootstrap, name, folder, python, gather, *options)
    try:
        yield name, host, seen
    finally:
        if host.process.poll() is None:
            host.stop()
        seen.close()


def throughput(seen: Seen, host: Host, count: int, patience: float = 300.0) -> dict[str, Any]:
    """Events a second and CPU seconds per 100,000 events, from the first answers seen to the last."""
    assert seen.wait(count - 1_024, patience), f"{seen.count} of {count} answers came"  # what is gathered may be left
    assert seen.first is not None
    number, at, spent = seen.first
    events = seen.count - number
    return {"rate": events / (seen.last - at), "cpu": (host.cpu() - spent) / events * 1e5}


def delays(load: Load, name: str, seen: Seen, rate: float, seconds: float, warm_up: float = 5.0) -> list[float]:
    """How long each answer took, at so many events a second for so long, behind a warm-up at the same rate."""
    load.send(name, 1_000)  # what has to be made first is made
    assert seen.wait(seen.count + 500, 60.0), f"{name}: no answers come"
    sender = threading.Thread(target=load.send, args=(name, int(rate * (warm_up + seconds)), rate))
    sender.start()
    time.sleep(warm_up)
    seen.delays.clear()
    sender.join()
    time.sleep(2)
    return list(seen.delays)


def quantile(values: list[float], share: float) -> float:
    """A quantile of a list."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
