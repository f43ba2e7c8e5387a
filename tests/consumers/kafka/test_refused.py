"""A task that must not go on is refused alone: the worker lives and says why, and its other tasks go on."""

from typing import Any

import pytest
from kafka import TopicPartition
from kafka import errors as kafka_errors

from consumers.kafka import group as groups
from consumers.kafka.group import Group
from consumers.kafka.transport import KafkaTransport
from consumers.transport import Arrived, Assigned, Notice
from consumers.worker import Worker
from stream.errors import StateError, Unavailable
from stream.records import Event
from stream.testing import RunningSum
from tests.consumers.kafka.failing import EVENTS, LABELS, FailingGroup, event, led
from tests.consumers.kafka.shelf import Life, Shelf
from tests.consumers.kafka.sums import Notes

OTHER = TopicPartition("s.events", 1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> tuple[KafkaTransport, FailingGroup]:
    """Two tasks at work; no test waits for real."""
    monkeypatch.setattr("consumers.kafka.outage.time.sleep", lambda _: None)
    return led(2)


def polled(transport: KafkaTransport, polls: int) -> list[Notice]:
    return [notice for _ in range(polls) for notice in transport.poll(4, 0.0)]


def events(notices: list[Notice]) -> list[tuple[str, str]]:
    batches = [notice for notice in notices if isinstance(notice, Arrived)]
    return [(b.task, made.event_id) for b in batches for made in b.batch.inputs if isinstance(made, Event)]


# ------------------------------------------------------------------------------------------- topics


def test_a_topic_that_ends_before_what_was_read_stops_its_task_alone(
    world: tuple[KafkaTransport, FailingGroup],
) -> None:
    transport, group = world
    transport.owned["1"].intake.place.offsets[0] = 70  # type: ignore[union-attr]
    gap = kafka_errors.OffsetOutOfRangeError({OTHER: 70})
    group.fetched = [gap, {EVENTS: [event(0)]}, gap, {EVENTS: [event(1)]}]
    notices = polled(transport, 10)
    assert [notice.task for notice in notices if isinstance(notice, Assigned)] == ["1"]
    assert events(notices) == [("0", "e0"), ("0", "e1")]
    with pytest.raises(StateError, match=r"s.events-1 ends before offset 70.*has been made anew"):
        transport.recover("1")
    assert OTHER in group.paused  # or each poll would meet it again


def test_half_a_task_is_refused_alone_and_taken_up_once_it_is_whole(
    world: tuple[KafkaTransport, FailingGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, group = world
    whole = {TopicPartition(f"s.{kind}", p) for kind in ("events", "labels") for p in (0, 1)}
    changes = iter([(whole, whole - {TopicPartition("s.labels", 1)})])
    monkeypatch.setattr(group, "changes", lambda: next(changes, (set(), set())))
    notices = polled(transport, 1)
    assert [type(notice).__name__ + notice.task for notice in notices] == [
        "Revoked0",
        "Revoked1",
        "Assigned0",
        "Assigned1",
    ]
    with pytest.raises(StateError, match=r"partition 1 of s.labels did not come.*do all topics have 2 partitions"):
        transport.recover("1")
    transport.leave("1")
    assert TopicPartition("s.labels", 1) not in group.paused  # the client has no such partition to pause
    assert not transport.owned["0"].refused
    changes = iter([(whole, whole)])
    polled(transport, 1)
    assert not transport.owned["1"].refused


def test_a_partition_beyond_those_of_the_stream_is_refused(
    world: tuple[KafkaTransport, FailingGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, group = world
    more = {TopicPartition(f"s.{kind}", 2) for kind in ("events", "labels")}
    changes = iter([(set(), more)])
    monkeypatch.setattr(group, "changes", lambda: next(changes, (set(), set())))
    assert polled(transport, 1) == [Assigned("2")]
    with pytest.raises(StateError, match="has a partition 2, and the stream 2 of them"):
        transport.recover("2")


def test_a_worker_lives_on_with_its_other_tasks_and_says_why_one_is_stopped(
    world: tuple[KafkaTransport, FailingGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport, group = world
    whole = {TopicPartition(f"s.{kind}", p) for kind in ("events", "labels") for p in (0, 1)}
    changes = iter([(whole, whole - {TopicPartition("s.labels", 1)})])
    monkeypatch.setattr(group, "changes", lambda: next(changes, (set(), set())))
    taken: list[str] = []
    recover = transport.recover

    def recovering(task: str) -> Any:
        if transport.owned[task].refused:
            return recover(task)
        taken.append(task)
        raise Unavailable("so far only")

    monkeypatch.setattr(transport, "recover", recovering)
    notes = Notes()
    polls = iter(range(4))
    worker = Worker(
        transport,
        lambda _: RunningSum(),
        batch=4,
        checkpoint_every=60,
        observer=notes,
        stop=lambda: next(polls, None) is None,
    )
    monkeypatch.setattr("consumers.worker.time.sleep", lambda _: None)
    assert worker.run() is False
    assert any("did not come with the task's others" in reason for reason in notes.reasons)
    assert set(taken) == {"0"}


# ------------------------------------------------------------------------------------------- offsets


@pytest.fixture
def life() -> Life:
    """A task with two checkpoints, and batches behind the newest."""
    life = Life(Shelf())
    for first in (0, 20):
        life.live(first, first + 20, checkpoint=True)
    life.live(40, 50)
    return life


@pytest.mark.parametrize("side", [0, 1])
def test_an_offset_that_is_gone_while_the_others_are_there_is_refused(life: Life, side: int) -> None:
    gone = life.placed.inputs[side]
    del life.shelf.group[gone]
    with pytest.raises(StateError, match=rf"lost its offset of {gone.topic}-0.*made anew.*state reset"):
        life.restart()


@pytest.mark.parametrize("offset", [3, 49, 51, 900])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("behind", [True, False])
def test_an_offset_that_somebody_has_set_by_hand_is_refused(life: Life, side: int, offset: int, behind: bool) -> None:
    if not behind:
        life.live(50, 60, checkpoint=True)  # there is no entry behind the checkpoint
    tp = life.placed.inputs[side]
    life.shelf.group[tp] = (offset, life.shelf.group[tp][1])
    reached = 50 if behind else 60
    said = rf"offset of {tp.topic}-0 is {offset}, and the last batch ended at {reached}; .*by hand.*--from committed"
    with pytest.raises(StateError, match=said):
        life.restart()


def test_offsets_that_the_journal_leads_to_are_taken_also_where_inputs_are_lost(life: Life) -> None:
    life.delete(0, 45)
    life.restart()
    life.live(50, 52)
    life.delete(0, 52)
    life.delete(1, 52)
    assert [(side, loss.first, loss.last) for side, loss in life.restart()] == [(0, 40, 51), (1, 40, 51)]
    assert life.standing.place.offsets == [52, 52]


def test_a_journal_entry_that_does_not_begin_where_the_one_before_ended_is_refused(life: Life) -> None:
    life.standing.place.offsets[1] += 5
    life.intake.place.offsets[1] += 5
    life.shelf.ends[LABELS] += 5
    life.live(50, 51)
    with pytest.raises(StateError, match=r"journal entry 51 does not begin where \[50, 50\] was reached"):
        life.restart()


# ------------------------------------------------------------------------------------------- the client


def test_a_client_whose_topics_cannot_be_had_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Consumer:
        closed = 0

        def subscribe(self, *_: Any, **__: Any) -> None:
            pass

        def partitions_for_topic(self, _topic: str) -> set[int]:
            raise kafka_errors.KafkaTimeoutError("no answer")

        def close(self, **_: Any) -> None:
            Consumer.closed += 1

    monkeypatch.setattr(groups, "open_client", lambda *_, **__: Consumer())
    group = Group({}, "g", ["s.events"], session_timeout=3, poll_interval=30, one_member=False)
    for _ in range(3):
        with pytest.raises(Unavailable, match="no answer"):
            group.poll(0.1)
    assert Consumer.closed == 3
    group.close()
