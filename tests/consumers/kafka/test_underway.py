"""What a poll does while commits are under way: it feeds what is there, and leaves the group alone."""

import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.kafka import inflow, outage
from consumers.kafka.intake import Place
from consumers.kafka.recovery import Standing
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived
from stream.errors import CommitFailed
from stream.records import Event, Outputs
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


def test_what_was_committed_in_parts_is_not_delivered_again_while_another_tasks_commit_is_under_way() -> None:
    transport, group = led(partitions=2)
    transport.poll(MOST, 0.0)
    isolated, other = transport.owned["0"], transport.owned["1"]
    other.underway = Future()
    later(0.1, other.underway)
    # Its batch was taken apart: the parts are committed, and its intake stands where the batch began.
    isolated.intake.offer(0, [event(i) for i in range(5)])
    isolated.standing = Standing(2, Place([5, 0], 4.0), [], {})
    assert list(transport.poll(MOST, 0.0)) == []
    assert isolated.intake.place.offsets == [5, 0]
    assert group.sought[EVENTS] == 5


def test_a_batch_that_does_not_begin_where_the_last_one_ended_is_not_committed() -> None:
    transport, group = led()
    group.fetched = [{EVENTS: [event(i) for i in range(5)]}]
    (notice,) = transport.poll(MOST, 0.0)
    held = transport.owned["0"]
    held.standing = Standing(2, Place([5, 0], 4.0), [], {})
    held.committer = SimpleNamespace(close=lambda: None)
    with pytest.raises(CommitFailed, match="does not begin where the last one ended"):
        transport.commit("0", notice.batch, Outputs([], [], [], []), None)
    assert held.intake is None  # nothing more until it is recovered


def test_one_tasks_recovery_does_not_make_anothers_records_believed() -> None:
    transport, _ = led(partitions=2)
    far = time.time() + 10 * 365 * 86_400
    first, second = transport.owned["0"], transport.owned["1"]
    transport.inflow._offer({EVENTS._replace(partition=1): [event(0, far)]})
    decodes = []
    first.recoverer = SimpleNamespace(load=lambda _, decode: (decodes.append(decode), []))
    transport._load(first, first.standing)
    batch = second.intake.take(MOST, lambda _: False)
    assert batch.inputs[0].ahead
    assert not decodes[0](0, event(0, far)).ahead  # in a replay, the journal says what was not believed
