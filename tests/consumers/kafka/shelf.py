"""A broker in memory: what the commit sends and recovery reads, so that state can be tested without a broker.

Of Kafka it has what state relies on: offsets that only grow, a mark behind each transaction, and compaction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kafka import TopicPartition

from consumers.kafka.commit import Committer
from consumers.kafka.intake import Intake, of_swap
from consumers.kafka.losses import Loss
from consumers.kafka.placement import Placement, placement, state_keys
from consumers.kafka.recovery import Recoverer
from consumers.kafka.roles import SCORER, decode_sides
from consumers.transport import Batch
from stream.config import Features, Labels, Stream, topic
from stream.duration import Duration
from stream.errors import Unavailable
from stream.models import Models
from stream.records import Swap
from stream.scoring import ScoringTask
from stream.warmup import warm_up

KEY = b"k" * 32

STREAM = Stream(
    features=Features(numeric=["n"]),
    classes=["0", "1"],
    labels=Labels(maturity=Duration(5)),
    max_ahead=Duration(1e12),
    recent_ids=50,
)


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


class Stored(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = []  # noqa: RUF012 - never changed


class Shelf:
    """Topics and a group's offsets; ``damage`` is done to each record of a state topic that is read.

    ``open``: where another's open transaction begins in a partition. ``waited``: how often its end was asked for.
    """

    def __init__(self) -> None:
        self.topics: dict[TopicPartition, list[Stored]] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.group: dict[TopicPartition, tuple[int, str]] = {}
        self.damage: Callable[[Stored], Stored | None] = lambda record: record
        self.open: dict[TopicPartition, int] = {}
        self.waited = 0

    def append(self, tp: TopicPartition, key: bytes | None, value: bytes | None, headers: Any = ()) -> int:
        offset = self.ends.get(tp, 0)
        self.ends[tp] = offset + 1
        stored = Stored(tp.topic, tp.partition, offset, offset * 1000, key, value, list(headers))
        self.topics.setdefault(tp, []).append(stored)
        return offset

    def compact(self, tp: TopicPartition) -> None:
        """Keep the last record of each key, and no tombstones."""
        last = {record.key: record.offset for record in self.topics[tp]}
        self.topics[tp] = [r for r in self.topics[tp] if last[r.key] == r.offset and r.value is not None]

    # -- as a Reader

    def bounds(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        found = {}
        for tp in partitions:
            records = self.topics.get(tp, [])
            end = self.ends.get(tp, 0)
            begin = 0 if tp.topic.endswith("state") else records[0].offset if records else end
            found[tp] = begin, min(end, self.open.get(tp, end))
        return found

    def settled(self, tp: TopicPartition) -> tuple[int, int]:
        self.waited += 1
        if self.open.get(tp, self.ends.get(tp, 0)) < self.ends.get(tp, 0):
            raise Unavailable(f"{tp.topic}-{tp.partition}: a transaction is open")
        return self.bounds([tp])[tp]

    def read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[tuple[TopicPartition, list[Any]]]:
        for tp, (first, end) in ranges.items():
            assert end <= self.open.get(tp, end), "a reader would wait for ever"
            records = [r for r in self.topics.get(tp, []) if first <= r.offset < end]
            if tp.topic.endswith("state"):
                records = [damaged for r in records if (damaged := self.damage(r)) is not None]
            for at in range(0, len(records), 3):
                yield tp, records[at : at + 3]

    # -- as a Publisher

    def begin(self) -> None:
        self.sent: list[int] = []
        self.touched: set[TopicPartition] = set()

    def send(self, topic: str, partition: int, key: Any, value: Any, headers: Any) -> int:
        tp = TopicPartition(topic, partition)
        self.touched.add(tp)
        self.sent.append(self.append(tp, key, value, headers))
        return len(self.sent) - 1

    def settle(self) -> list[int]:
        return self.sent

    def offsets(self, offsets: Mapping[TopicPartition, tuple[int, str]], _member: Any) -> None:
        self.group.update(offsets)

    def commit(self) -> None:
        for tp in self.touched:
            self.ends[tp] += 1


class Life:
    """A scorer's task that is fed and committed on a shelf; ``digest`` is its state's."""

    def __init__(self, shelf: Shelf, name: str = "s", partition: int = 0, key: bytes = KEY, role: Any = SCORER) -> None:
        self.shelf = shelf
        self.placed: Placement = placement(role, name, STREAM, partition)
        self.keys = state_keys(role, name, self.placed, [key])
        self.committer = Committer(shelf, self.keys, self.placed, "code", lambda _: None)
        self.task = ScoringTask(name, STREAM, warm_up("streams.s", STREAM, []).models)
        self.standing = self.recoverer().standing(dict.fromkeys(self.placed.inputs))
        self.intake = Intake(self.decode(), self.standing.place.copy(), ordered=True)

    def decode(self) -> Any:
        return decode_sides(SCORER.decoder(STREAM), self.placed.sources)

    def recoverer(self, reader: Any = None, keys: list[bytes] | None = None) -> Recoverer:
        own = self.keys if keys is None else type(self.keys)(self.keys.place, self.keys.role, keys)
        return Recoverer(reader or self.shelf, own, self.placed, code="code")

    def live(self, first: int, last: int, *, batch: int = 2, checkpoint: bool = False) -> None:
        """Take in events and labels of these numbers, and commit them; the last batch with a checkpoint."""
        for number in range(first, last):
            for side, tp in enumerate(self.placed.inputs):
                text = f'{{"event_id": "e{number}", "time": {number}, "n": {number % 7}, "label": "{number % 2}"}}'
                self.shelf.append(tp, b"k", text.encode())
                self.intake.offer(side, self.shelf.topics[tp][-1:])
        while (taken := self.intake.take(batch, lambda _: False)) is not None:
            self.feed(taken, checkpoint=checkpoint and not self.intake.fetched)

    def swap(self, swap: Swap) -> None:
        """Feed and commit a swap, as the worker does: with a checkpoint."""
        self.feed(of_swap(swap, self.standing.place), checkpoint=True)

    def feed(self, taken: Batch, *, checkpoint: bool = False) -> None:
        """Feed and commit a batch."""
        self.task.feed(taken.inputs)
        entry = taken.mark.entry(self.standing.number + 1, taken.inputs, "code")
        snapshot = self.task.snapshot() if checkpoint else None
        self.standing = self.committer.commit(self.standing, entry, [], [], snapshot, None).result()

    def restart(self) -> list[Loss]:
        """Another process has the task now; gives what its recovery could not feed again, which is said next."""
        recoverer = self.recoverer()
        self.standing = recoverer.standing(self.committed())
        loaded, lost = recoverer.load(self.standing, self.decode())
        self.task = ScoringTask("s", STREAM, Models(self.task.models.online, "", None))
        self.task.restore(loaded.body, loaded.segments)
        for batch in loaded.batches:
            self.task.feed(batch.inputs)
        self.committer = Committer(self.shelf, self.keys, self.placed, "code", lambda _: None)
        self.intake = Intake(self.decode(), self.standing.place.copy(), ordered=True)
        self.intake.owe(lost)
        return lost

    def delete(self, side: int, before: int) -> None:
        """Do what retention does."""
        tp = self.placed.inputs[side]
        self.shelf.topics[tp] = [record for record in self.shelf.topics[tp] if record.offset >= before]

    def committed(self) -> dict[TopicPartition, tuple[int, str] | None]:
        return {tp: self.shelf.group.get(tp) for tp in self.placed.inputs}

    @property
    def state(self) -> TopicPartition:
        return TopicPartition(topic("s", STREAM, "state"), self.placed.state.partition)
