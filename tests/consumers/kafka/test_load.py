"""What a slow or overloaded worker does: it keeps its tasks, its memory stays bounded, nothing is lost or doubled."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition

from consumers.kafka import backlog
from consumers.kafka import group as membership
from consumers.kafka.client import connection
from consumers.kafka.intake import Intake, Place
from consumers.kafka.reader import Reader
from consumers.kafka.roles import MONITOR, SCORER, Role
from consumers.kafka.topics import ensure
from consumers.kafka.transport import KafkaTransport
from consumers.observer import Observer
from consumers.runtime import Runtime
from consumers.transport import Arrived, Assigned
from consumers.worker import Worker
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.duration import Duration
from stream.records import Event, Input, Labelled, Outputs, Prediction, Tick
from stream.testing import RunningSum
from tests.chaos.workers import await_

POLL_INTERVAL = 2.0
"""Seconds without a poll after which a member is thrown out."""

Nap = Callable[[Input], float]


def encoded(number: int) -> bytes:
    """An event."""
    return msgspec.json.encode({"event_id": f"e{number}", "time": 1.7e9 + number})


class Slow(RunningSum):
    """A model that takes its time: ``nap`` says how many seconds over each input. Notes the sizes of its batches."""

    def __init__(self, nap: Nap) -> None:
        super().__init__()
        self.nap = nap
        self.batches: list[int] = []

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """As RunningSum, later."""
        self.batches.append(len(batch))
        time.sleep(sum(map(self.nap, batch)))
        return super().feed(batch)


class Life(Observer):
    """A worker in a thread of its own, with settings as shipped."""

    def __init__(self, load: "Load", role: Role, nap: Nap) -> None:
        self.totals: dict[str, Any] = {}
        self.made: list[Slow] = []
        self.recoveries = 0
        self.transport = load.open(role)
        self._over = threading.Event()

        def make(_task: str) -> Slow:
            self.made.append(Slow(nap))
            return self.made[-1]

        self.worker = Worker(
            self.transport,
            make,
            batch=4_096,
            commit_every=0.25,
            checkpoint_every=10,
            observer=self,
            stop=self._over.is_set,
        )
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """The last of each task's totals."""
        self.totals[task] = totals

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        """How often."""
        self.recoveries += 1

    def revoked(self, task: str) -> None:
        """The task is gone."""
        self.totals.pop(task, None)

    def _run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:  # noqa: BLE001 - told at the end
            self._error = error

    def stop(self) -> None:
        """Drain; raises what the worker ended with."""
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the worker does not end"
        if self._error is not None:
            raise self._error


class Load:
    """One stream on the broker; its n-th prediction is n, as each event counts 1."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.name = name
        self.stream = Stream(features=Features(numeric=["n"]), classes=["0", "1"])
        self.kafka = Kafka(bootstrap=bootstrap, session_timeout=Duration(2), transaction_timeout=Duration(10))
        self.connection = connection(self.kafka, "test")
        self.sent = 0
        self.lives: list[Life] = []

    def send(self, count: int) -> None:
        """Send the next events, on a stream of one partition."""
        ensure(self.kafka, self.name, self.stream)
        with closing(KafkaProducer(**self.connection)) as producer:
            for number in range(self.sent, self.sent + count):
                producer.send(f"{self.name}.events", encoded(number), key=b"k")
            producer.flush()
        self.sent += count

    def open(self, role: Role = SCORER) -> KafkaTransport:
        """A worker's transport."""
        return KafkaTransport(
            role, self.name, self.stream, self.kafka, self.connection, [b"k" * 32], "code", poll_interval=POLL_INTERVAL
        )

    def work(self, nap: Nap = lambda _: 0.0, role: Role = SCORER) -> Life:
        """Start a worker."""
        self.lives.append(Life(self, role, nap))
        return self.lives[-1]

    def answers(self) -> list[tuple[str, float]]:
        """The predictions that readers of committed data see: event and sum."""
        tp = TopicPartition(f"{self.name}.predictions", 0)
        with closing(Reader(self.connection)) as reader:
            found = [record for _, records in reader.read(reader.bounds([tp])) for record in records]
        made = [msgspec.json.decode(record.value, type=Prediction) for record in found]
        return [(each.event_id, each.score) for each in made]

    def check(self) -> None:
        """Wait until every event is answered, once, in order, and each sum is right."""
        await_("all answered", lambda: len(self.answers()) >= self.sent, pause=0.2)
        assert self.answers() == [(f"e{number}", number + 1.0) for number in range(self.sent)]


@pytest.fixture
def load(kafka: str, stream_name: str) -> Iterator[Load]:
    made = Load(kafka, stream_name)
    yield made
    for life in made.lives:
        life.stop()


def test_a_slow_model_gets_small_batches_and_its_worker_is_not_thrown_out(load: Load) -> None:
    load.send(300)
    life = load.work(lambda _: 0.009)  # all at once would take longer than a member may be silent
    load.check()
    assert life.transport.runtime.rebalances == 1
    assert (life.transport.runtime.fenced, life.recoveries) == (0, 1)
    assert max(life.made[0].batches[1:]) <= 60  # after the first, as many as take 0.25 s


def once_at(event_id: str, seconds: float) -> tuple[Nap, threading.Event]:
    """A nap over one event, the first time that it is fed; and whether that has come."""
    taken = threading.Event()

    def nap(made: Input) -> float:
        if isinstance(made, Event) and made.event_id == event_id and not taken.is_set():
            taken.set()
            return seconds
        return 0.0

    return nap, taken


def test_a_worker_that_one_input_keeps_longer_than_a_member_may_be_silent_is_thrown_out_and_comes_back(
    load: Load,
) -> None:
    load.send(100)
    nap, taken = once_at("e40", 1.25 * POLL_INTERVAL)
    life = load.work(nap)
    load.check()
    assert taken.is_set()
    assert life.transport.runtime.rebalances > 1


def test_what_a_worker_has_that_is_silent_for_too_long_another_does_and_it_adds_nothing_when_it_wakes(
    load: Load,
) -> None:
    load.send(100)
    nap, taken = once_at("e40", 3 * POLL_INTERVAL)
    sleeper = load.work(nap)
    assert taken.wait(30)
    other = load.work()
    load.check()
    assert len(sleeper.made) == 1
    assert sleeper.made[0].state.events < 100  # it still sleeps
    await_("it is awake", lambda: sleeper.made[0].state.events >= 41)
    load.send(50)
    load.check()
    assert other.recoveries


def test_a_backlog_is_fetched_no_further_ahead_than_is_good_for_the_memory(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, polled = 300, 100
    monkeypatch.setattr(membership, "MOST_POLLED", polled)
    monkeypatch.setattr(backlog, "MOST_BUFFERED", most)
    load.send(2_000)
    fed: list[Input] = []
    ahead: list[int] = []
    with closing(load.open()) as transport:
        end = time.monotonic() + 30
        while len(fed) < load.sent and time.monotonic() < end:
            for notice in transport.poll(50, 0.1):  # each fetches up to 100, and only 50 are fed
                if isinstance(notice, Assigned):
                    transport.recover(notice.task).load()
                elif isinstance(notice, Arrived):
                    fed += notice.batch.inputs
                    ahead.append(transport.owned["0"].intake.fetched)
    assert [made.event_id for made in fed if isinstance(made, Event)] == [f"e{n}" for n in range(load.sent)]
    assert most <= max(ahead) < most + polled
    assert ahead.count(0) <= 2  # at its end; what was paused has been resumed in time


def test_large_records_pause_their_partition_by_their_bytes_until_some_are_fed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "MOST_BYTES", 10 * len(b"value"))
    events, labels = TopicPartition("events", 0), TopicPartition("labels", 0)
    told: list[tuple[str, list[TopicPartition]]] = []
    group: Any = SimpleNamespace(
        pause=lambda tps: tps and told.append(("pause", tps)), resume=lambda tps: tps and told.append(("resume", tps))
    )
    intake = Intake(lambda _, record: Tick(record.offset), Place([0, 0], 0.0), ordered=False)
    held: Any = SimpleNamespace(intake=intake, inputs=[events, labels])
    watch = backlog.Backlog(group, Runtime(), 1)
    intake.offer(0, [SimpleNamespace(value=b"value", offset=offset) for offset in range(10)])
    watch.throttle([held])
    watch.throttle([held])
    assert told == [("pause", [events])]
    intake.take(1, lambda _: False)
    watch.throttle([held])
    assert told == [("pause", [events]), ("resume", [events])]


def labelled(number: int) -> bytes:
    record = Labelled(f"e{number}", 0.0, number, "1", 1.0, {}, 0.5, 0.5, 0.5, "1", "1", "1", "o", "b")
    return msgspec.json.encode(record)


def test_of_two_monitors_one_has_all_partitions_and_the_other_takes_them_all_over(load: Load) -> None:
    load.stream = msgspec.structs.replace(load.stream, partitions=3)
    ensure(load.kafka, load.name, load.stream)

    def send(first: int) -> None:
        with closing(KafkaProducer(**load.connection)) as producer:
            for number in range(first, first + 30):
                producer.send(f"{load.name}.labelled", labelled(number), key=b"k", partition=number % 3)
            producer.flush()

    send(0)
    two = [load.work(role=MONITOR) for _ in range(2)]
    await_("both members", lambda: {life.transport.runtime.standing_by for life in two} == {True, False})
    await_("all read", lambda: [t.labelled for life in two for t in life.totals.values()] == [30])
    one, other = sorted(two, key=lambda life: life.transport.runtime.standing_by)
    assert len(one.transport.owned["all"].inputs) == 6  # labelled records, and profiles
    assert not other.transport.owned
    send(30)
    await_("all read", lambda: one.totals["all"].labelled == 60)
    one.stop()
    send(60)
    await_("all read", lambda: other.totals and other.totals["all"].labelled == 90)
    assert not other.transport.runtime.standing_by
