"""A broker that stops answering between two calls: what has been fetched is in no buffer any more, and must not go."""

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from consumers.kafka import transport as module
from consumers.kafka.group import Group
from consumers.kafka.intake import Intake, Place
from consumers.kafka.roles import SCORER, decode_sides
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.errors import Unavailable
from stream.records import Event

EVENTS, LABELS = TopicPartition("s.events", 0), TopicPartition("s.labels", 0)

STREAM = Stream(features=Features(numeric=["n"]), classes=["0", "1"], partitions=1)


class FailingGroup:
    """A group of one whose every call may fail: ``fails`` says which of the calls of a name do, counted from 1."""

    def __init__(self) -> None:
        self.fails: dict[str, set[int]] = {}
        self.calls: Counter[str] = Counter()
        self.fetched: list[dict[TopicPartition, list[Any]]] = []
        self.given = {EVENTS, LABELS}
        self.end = {EVENTS: 0, LABELS: 0}
        self.at = {EVENTS: 0, LABELS: 0}
        self.rebalances = 1
        self.member = None

    def _try(self, name: str) -> None:
        self.calls[name] += 1
        if self.calls[name] in self.fails.get(name, ()):
            raise Unavailable(f"{name}: the broker does not answer")

    def poll(self, _timeout: float) -> dict[TopicPartition, list[Any]]:
        self._try("poll")
        fetched = self.fetched.pop(0) if self.fetched else {}
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

    def pause(self, _partitions: Any) -> None:
        self._try("pause")

    def resume(self, _partitions: Any) -> None:
        self._try("resume")

    def close(self) -> None:
        pass


def event(offset: int) -> Any:
    value = json.dumps({"event_id": f"e{offset}", "time": float(offset), "n": 0.5}).encode()
    return SimpleNamespace(topic="s.events", partition=0, offset=offset, timestamp=0, key=b"k", value=value, headers=[])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[KafkaTransport, FailingGroup]:
    """A transport whose one task has been taken up at the beginning of its partitions."""
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    made = KafkaTransport(SCORER, "s", STREAM, Kafka(), {}, [b"k" * 32], "code")
    group: Any = FailingGroup()
    made.group = made.backlog.group = made.tenancy.group = group
    made.poll(10, 0.0)
    held = made.owned["0"]
    held.intake = Intake(decode_sides(made.decoder, held.placed.sources), Place([0, 0], float("-inf")), ordered=True)
    return made, group


def polled(transport: KafkaTransport, polls: int) -> list[str]:
    """The ids of the events that come in so many polls."""
    notices = [notice for _ in range(polls) for notice in transport.poll(4, 0.0)]
    batches = [notice.batch for notice in notices if isinstance(notice, Arrived)]
    return [made.event_id for batch in batches for made in batch.inputs if isinstance(made, Event)]


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("call", ["poll", "changes", "position", "highwater", "pause"])
def test_whatever_call_fails_nothing_that_was_fetched_is_lost(
    world: tuple[KafkaTransport, FailingGroup], call: str, number: int
) -> None:
    transport, group = world
    group.fetched = [{EVENTS: [event(i) for i in range(6)]}, {EVENTS: [event(i) for i in range(6, 10)]}]
    group.end[LABELS] = 0
    group.calls.clear()
    group.fails = {call: {number, number + 1}}
    assert polled(transport, 12) == [f"e{i}" for i in range(10)]
    assert group.calls[call] > number


def test_a_batch_in_the_cutting_when_the_broker_stops_answering_is_cut_later(
    world: tuple[KafkaTransport, FailingGroup],
) -> None:
    transport, group = world
    group.fetched = [{EVENTS: [event(i) for i in range(2)]}]
    group.end[LABELS] = 5  # more labels are known of, which do not come
    group.calls.clear()
    group.fails = {"position": {1}}
    assert polled(transport, 1) == []
    group.end[LABELS] = 0
    assert polled(transport, 3) == ["e0", "e1"]


def test_a_rebalance_is_told_of_when_the_broker_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group({}, "g", ["s.events"], session_timeout=3, poll_interval=30, one_member=False)
    answers = iter([Unavailable("no answer"), "member"])

    def call(*_: Any, **__: Any) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(group, "_call", call)
    monkeypatch.setattr(group, "_open", lambda: SimpleNamespace(group_metadata=None))
    group._marks.given = {EVENTS}  # as the client's listener does
    with pytest.raises(Unavailable):
        group.changes()
    assert group.changes() == (set(), {EVENTS})
    assert group.member == "member"
