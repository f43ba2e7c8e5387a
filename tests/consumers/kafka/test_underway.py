"""What a poll does while commits are under way: it feeds what is there, and leaves the group alone."""

import threading
from concurrent.futures import Future
from typing import Any

import pytest

from consumers.kafka import inflow, outage
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived
from stream.records import Event
from tests.consumers.kafka.failing import EVENTS, FailingGroup, event, led

MOST = 8


@pytest.fixture
def world() -> tuple[KafkaTransport, FailingGroup, Future[Any]]:
    """A transport that has just asked the group, with a commit under way."""
    transport, group = led()
    transport.poll(MOST, 0.0)
    underway: Future[Any] = Future()
    transport.owned["0"].underway = underway
    group.calls.clear()
    return transport, group, underway


def ids(notices: Any) -> list[str]:
    return [made.event_id for notice in notices for made in notice.batch.inputs if isinstance(made, Event)]


def later(seconds: float, underway: Future[Any]) -> None:
    threading.Timer(seconds, underway.set_result, [None]).start()


def test_what_is_there_in_number_is_fed_and_the_group_is_not_asked(
    world: tuple[KafkaTransport, FailingGroup, Future[Any]],
) -> None:
    transport, group, _ = world
    group.fetched = [{EVENTS: [event(i) for i in range(5)]}]
    notices = transport.poll(MOST, 1.0)
    assert ids(notices) == [f"e{i}" for i in range(5)]
    assert group.calls["fetch"] == 1
    assert group.calls["poll"] == group.calls["changes"] == 0


def test_little_is_kept_together_until_the_commit_has_come_to_its_end(
    world: tuple[KafkaTransport, FailingGroup, Future[Any]],
) -> None:
    transport, group, underway = world
    group.fetched = [{EVENTS: [event(0)]}]
    later(0.1, underway)
    assert list(transport.poll(MOST, 1.0)) == []
    assert underway.done()
    transport.owned["0"].underway = None  # the worker has asked for its end
    assert ids(transport.poll(MOST, 0.0)) == ["e0"]


def test_after_a_while_the_commit_is_waited_for_whatever_there_is_to_feed(
    world: tuple[KafkaTransport, FailingGroup, Future[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, group, underway = world
    monkeypatch.setattr(inflow, "POLL_EVERY", 0.0)
    group.fetched = [{EVENTS: [event(i) for i in range(8)]}]
    later(0.1, underway)
    assert list(transport.poll(MOST, 1.0)) == []
    assert underway.done()
    assert sum(group.calls.values()) == 0


def test_a_commit_whose_end_nobody_has_asked_for_keeps_the_group_from_being_asked(
    world: tuple[KafkaTransport, FailingGroup, Future[Any]],
) -> None:
    transport, group, underway = world
    underway.set_result(None)
    for _ in range(3):
        assert list(transport.poll(MOST, 0.0)) == []
    assert group.calls["poll"] == 0


@pytest.mark.parametrize("call", ["fetch", "position", "highwater"])
@pytest.mark.parametrize("number", range(1, 5))
def test_a_broker_that_stops_answering_meanwhile_costs_nothing(
    world: tuple[KafkaTransport, FailingGroup, Future[Any]], call: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, group, underway = world
    monkeypatch.setattr(outage.time, "sleep", lambda _: None)
    later(0.2, underway)
    group.fetched = [{EVENTS: [event(i) for i in range(5)]}, {EVENTS: [event(i) for i in range(5, 12)]}]
    group.fails = {call: {number, number + 1}}
    polled = [notice for _ in range(6) for notice in transport.poll(MOST, 0.0) if isinstance(notice, Arrived)]
    transport.owned["0"].underway = None
    polled += [notice for _ in range(6) for notice in transport.poll(MOST, 0.0) if isinstance(notice, Arrived)]
    assert ids(polled) == [f"e{i}" for i in range(12)]
