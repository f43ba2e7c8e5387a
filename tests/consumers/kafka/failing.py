"""A transport over a consumer group of one that a test leads, whose calls may fail; no broker is there."""

import json
from collections import Counter
from time import monotonic
from types import SimpleNamespace
from typing import Any

from kafka import TopicPartition
from msgspec.structs import replace

from consumers.kafka.intake import Intake, Place
from consumers.kafka.recovery import Standing
from consumers.kafka.roles import SCORER, decode_sides
from consumers.kafka.transport import KafkaTransport
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.errors import Unavailable

EVENTS, LABELS = TopicPartition("s.events", 0), TopicPartition("s.labels", 0)

STREAM = Stream(features=Features(numeric=["n"]), classes=["0", "1"], partitions=1)


class FailingGroup:
    """A group of one whose every call may fail: ``fails`` says which of the calls of a name do, counted from 1."""

    def __init__(self, partitions: int) -> None:
        self.fails: dict[str, set[int]] = {}
        self.calls: Counter[str] = Counter()
        self.fetched: list[dict[TopicPartition, list[Any]] | Exception] = []
        self.begin: dict[TopicPartition, int] = {}
        self.known: dict[TopicPartition, tuple[int, str]] = {}
        self.paused: set[TopicPartition] = set()
        self.given = {TopicPartition(f"s.{kind}", p) for kind in ("events", "labels") for p in range(partitions)}
        self.end = dict.fromkeys(self.given, 0)
        self.at = dict.fromkeys(self.given, 0)
        self.sought: dict[TopicPartition, int] = {}
        self.rebalances = 1
        self.member = None

    def _try(self, name: str) -> None:
        self.calls[name] += 1
        if self.calls[name] in self.fails.get(name, ()):
            raise Unavailable(f"{name}: the broker does not answer")

    def poll(self, _timeout: float) -> dict[TopicPartition, list[Any]]:
        self._try("poll")
        return self._next()

    def _next(self) -> dict[TopicPartition, list[Any]]:
        fetched = self.fetched.pop(0) if self.fetched else {}
        if isinstance(fetched, Exception):
            raise fetched
        for tp, records in fetched.items():
            self.at[tp] = self.end[tp] = records[-1].offset + 1
        return fetched

    def changes(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        self._try("changes")
        given, self.given = self.given, set()
        return set(), given

    def position(self, tp: TopicPartition) -> int:
        self._try("position")
        return self.at[tp]

    def highwater(self, tp: TopicPartition) -> int:
        self._try("highwater")
        return self.end[tp]

    def pause(self, partitions: Any) -> None:
        self._try("pause")
        self.paused |= set(partitions)

    def resume(self, _partitions: Any) -> None:
        self._try("resume")

    def fetch(self, _timeout: float) -> dict[TopicPartition, list[Any]]:
        self._try("fetch")
        return self._next()

    def seek(self, positions: dict[TopicPartition, int]) -> None:
        self._try("seek")
        self.sought.update(positions)

    def ends(self, partitions: Any, _within: float) -> dict[TopicPartition, int]:
        self._try("ends")
        return {tp: self.end[tp] for tp in partitions}

    def begins(self, partitions: Any) -> dict[TopicPartition, int]:
        self._try("begins")
        return {tp: self.begin.get(tp, 0) for tp in partitions}

    def committed(self, partitions: Any) -> dict[TopicPartition, tuple[int, str] | None]:
        self._try("committed")
        return {tp: self.known.get(tp) for tp in partitions}

    def close(self) -> None:
        pass


def event(offset: int, time: float | None = None) -> Any:
    at = float(offset) if time is None else time
    value = json.dumps({"event_id": f"e{offset}", "time": at, "n": 0.5}).encode()
    return SimpleNamespace(topic="s.events", partition=0, offset=offset, timestamp=0, key=b"k", value=value, headers=[])


def led(partitions: int = 1) -> tuple[KafkaTransport, FailingGroup]:
    """A transport whose tasks have been taken up at the beginning of their partitions."""
    stream = replace(STREAM, partitions=partitions)
    made = KafkaTransport(SCORER, "s", stream, Kafka(), {}, [b"k" * 32], "code")
    group: Any = FailingGroup(partitions)
    made.group = made.inflow.group = made.inflow.backlog.group = made.tenancy.group = group
    made.poll(10, 0.0)
    for held in made.owned.values():
        decode = decode_sides(made.decoder, held.placed.sources)
        held.intake = Intake(decode, Place([0, 0], float("-inf")), ordered=True)
        held.fed_at = monotonic()
        held.standing = Standing(0, Place([0, 0], float("-inf")), [], {})
    return made, group
