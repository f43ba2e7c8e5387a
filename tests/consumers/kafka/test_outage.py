"""A broker that stops answering between two calls: what has been fetched is in no buffer any more, and must not go."""

import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.kafka import inflow, outage
from consumers.kafka.group import Group
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived
from stream.errors import Unavailable
from stream.records import Event
from tests.consumers.kafka.failing import EVENTS, LABELS, FailingGroup, event, led


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[KafkaTransport, FailingGroup]:
    """No test waits for real."""
    monkeypatch.setattr(outage.time, "sleep", lambda _: None)
    return led()


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


@pytest.mark.parametrize("partitions", [1, 0])
def test_a_broker_that_is_silent_is_asked_and_is_away_until_it_answers(monkeypatch, partitions):
    """kafka-python's poll says nothing of a dead broker: it brings no records, as on a quiet day."""
    monkeypatch.setattr(inflow, "SILENT", 0.0)
    transport, group = led()
    if not partitions:
        transport.leave("0")
        transport.tenancy.given.clear()
    group.fails["ends"] = set(range(1, 100))
    for _ in range(2):
        assert list(transport.poll(10, 0.0)) == []
        assert "the broker does not answer" in transport.runtime.away
    assert transport.runtime.unavailable == 2
    group.fails.clear()
    transport.poll(10, 0.0)
    assert transport.runtime.away == ""


def test_a_commit_that_is_not_answered_does_not_hide_that_the_broker_is_away(monkeypatch):
    monkeypatch.setattr(inflow, "SILENT", 0.01)
    transport, group = led()
    transport.owned["0"].underway = Future()
    group.fails["ends"] = {1}
    assert list(transport.poll(10, 0.0)) == []
    assert "the broker does not answer" in transport.runtime.away
    transport.owned["0"].underway.set_result(None)
    transport.poll(10, 0.0)
    transport.owned["0"].underway = None
    time.sleep(0.02)
    transport.poll(10, 0.0)
    assert transport.runtime.away == ""
