"""What befalls the broker and the network: nothing is lost, nothing comes twice, and the worker goes on by itself."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.kafka.client import connection
from consumers.kafka.group import MOST_POLLED, Group
from consumers.kafka.placement import group_id, placement, transactional_id
from consumers.kafka.publisher import Publisher
from consumers.kafka.reader import Reader
from consumers.kafka.roles import SCORER
from consumers.kafka.topics import ensure
from stream.errors import CommitFailed, Fenced
from tests.broker.cluster import Cluster
from tests.broker.settings import QUICK
from tests.consumers.kafka.sums import Sums

pytestmark = pytest.mark.usefixtures("outages")


@pytest.fixture(scope="module")
def one() -> Iterator[Cluster]:
    with Cluster(proxied=True) as cluster:
        yield cluster


@pytest.fixture
def world(one: Cluster, stream_name: str) -> Iterator[Sums]:
    world = Sums(one, stream_name)
    yield world
    world.close()


def test_a_network_that_is_cut_for_eight_seconds_loses_and_doubles_nothing(world: Sums) -> None:
    work = world.work()
    with world.flowing():
        world.wait(100)
        world.cluster.proxies[0].cut()
        time.sleep(8)
        assert work.worker.retries.failures or work.transport.runtime.away  # it has noticed
        world.cluster.proxies[0].heal()
        time.sleep(1)
    world.wait()
    work.stop()
    world.check()


def test_a_commit_whose_answer_is_lost_counts_once(world: Sums) -> None:
    proxy = world.cluster.proxies[0]
    lost = threading.Event()

    def lose(step: str) -> None:
        if step == "commit" and world.made and not lost.is_set() and len(world.records("predictions")) > 20:
            lost.set()
            proxy.cut(requests=False)  # the broker hears it and answers; the answer does not arrive

    work = world.work(lose)
    world.produce(200)
    world.until(lost.is_set)
    world.until(lambda: bool(work.notes.reasons))
    proxy.heal()
    world.produce(100)
    world.wait()
    work.stop()
    world.check()


def test_connections_that_are_dropped_again_and_again_lose_and_double_nothing(world: Sums) -> None:
    work = world.work()
    with world.flowing():
        for _ in range(5):
            time.sleep(1)
            world.cluster.proxies[0].refuse()
            time.sleep(0.5)
            world.cluster.proxies[0].heal()
    world.wait()
    work.stop()
    world.check()


def test_a_broker_that_is_killed_and_started_again_loses_and_doubles_nothing(world: Sums) -> None:
    work = world.work()
    world.produce(200)
    world.wait(50)
    world.cluster.kill()
    time.sleep(2)
    world.cluster.restart()
    world.produce(200)
    world.wait()
    work.stop()
    world.check()


def test_a_broker_that_hangs_for_ten_seconds_loses_and_doubles_nothing(world: Sums) -> None:
    work = world.work()
    world.produce(200)
    world.wait(200)
    world.cluster.pause()
    paused = time.monotonic()
    world.until(lambda: bool(work.transport.runtime.away))  # although nothing is wanted of the broker
    assert time.monotonic() - paused < 10
    time.sleep(10)
    world.cluster.resume()
    world.produce(200)
    world.wait()
    work.stop()
    world.check()


def test_a_worker_that_starts_before_its_broker_waits_for_it(world: Sums) -> None:
    world.produce(50)
    world.cluster.proxies[0].refuse()
    work = world.work()
    world.until(lambda: bool(work.transport.runtime.away))
    world.cluster.proxies[0].heal()
    world.wait()
    work.stop()
    assert not work.transport.runtime.away
    world.check()


def test_inputs_that_retention_has_deleted_are_told_loudly_and_the_rest_is_predicted(world: Sums) -> None:
    work = world.work()
    world.produce(100)
    world.wait()
    work.stop()
    world.produce(100)
    world.delete_records("events", 150)
    work = world.work()
    world.wait(150)
    work.stop()
    assert [event for event, _ in world.sums()] == [f"e{n}" for n in (*range(100), *range(150, 200))]
    (alarm,) = world.alarms()
    assert (alarm.kind, alarm.detail["first"], alarm.detail["last"]) == ("inputs_lost:events", 100, 149)


def test_inputs_that_are_deleted_under_a_worker_that_is_behind_are_told_too(world: Sums) -> None:
    world.produce(50)
    work = world.work()
    world.wait()
    held = work.transport.owned["0"]
    work.transport.group.pause(held.inputs)
    world.produce(100)
    world.delete_records("events", 120)
    work.transport.group.resume(held.inputs)
    world.wait(80)
    work.stop()
    lost = [alarm.detail for alarm in world.alarms()]
    predicted = [event for event, _ in world.sums()]
    assert predicted[:50] == [f"e{n}" for n in range(50)]
    assert predicted[-30:] == [f"e{n}" for n in range(120, 150)]
    assert sum(detail["records"] for detail in lost) == 150 - len(predicted)


def test_inputs_that_a_recovery_needs_and_retention_has_deleted_are_told_and_it_goes_on(world: Sums) -> None:
    work = world.work()
    world.produce(100)
    world.wait()
    work.stop()
    work = world.work()
    work.worker.checkpoint_every = 1e9  # from here on there is only the journal
    world.produce(100)
    world.wait()
    work.transport.commit = lambda *_: (_ for _ in ()).throw(Fenced("so that there is no last checkpoint"))
    work.stop()
    world.delete_records("events", 180)
    work = world.work()
    world.produce(50)
    world.wait()
    work.stop()
    assert [event for event, _ in world.sums()] == [f"e{n}" for n in range(250)]  # nothing twice, nothing missing
    (alarm,) = world.alarms()
    assert (alarm.kind, alarm.detail["first"]) == ("inputs_lost:events", 100)
    assert 180 <= alarm.detail["last"] + 1 <= 200  # what was fed in one batch with what is deleted goes too


def test_a_loss_that_a_recovery_finds_is_told_once_however_often_the_worker_dies_behind_it(world: Sums) -> None:
    work = world.work()
    world.produce(100)
    world.wait()
    work.stop()  # with a checkpoint, its last
    for wanted in (200, 210, 220, 230):
        work = world.work()
        work.worker.checkpoint_every = 1e9
        world.produce(wanted - world.made)
        world.wait()
        work.transport.commit = lambda *_: (_ for _ in ()).throw(Fenced("so that there is no last checkpoint"))
        work.stop()
        if wanted == 200:
            world.delete_records("events", 200)
    assert [event for event, _ in world.sums()] == [f"e{n}" for n in range(230)]
    assert [(a.detail["first"], a.detail["last"]) for a in world.alarms()] == [(100.0, 199.0)]


def test_what_a_pause_has_set_aside_comes_after_the_resume(world: Sums) -> None:
    events, labels = (TopicPartition(f"{world.name}.{kind}", 0) for kind in ("events", "labels"))
    group = Group(
        connection(world.inside, "group"),
        f"{world.name}.pauses",
        [events.topic, labels.topic],
        session_timeout=3.0,
        poll_interval=60.0,
        one_member=False,
    )
    seen = {events: 0, labels: 0}

    def read(partition: TopicPartition, count: int) -> bool:
        end = time.monotonic() + 10
        while seen[partition] < count and time.monotonic() < end:
            for tp, records in group.poll(0.2).items():
                seen[tp] += len(records)
        return seen[partition] >= count

    while not group.changes()[1]:
        group.poll(0.2)
    world.produce(10)
    producer = KafkaProducer(**connection(world.inside, "producer"))
    for _ in range(2 * MOST_POLLED):
        producer.send(labels.topic, b"{}", key=b"k")
    producer.flush()
    producer.close()
    group.seek({events: 0, labels: 0})
    assert read(labels, 1)
    assert seen[labels] < 2 * MOST_POLLED  # some are in the client's hand when the pause comes
    group.pause([labels])
    assert read(events, 10)
    world.produce(10)
    assert read(events, 20)
    group.resume([labels])
    assert read(labels, 2 * MOST_POLLED)
    group.close()


def test_a_topic_of_outputs_that_is_deleted_is_waited_for(world: Sums) -> None:
    work = world.work()
    world.produce(50)
    world.wait()
    world.delete_topics(["labelled", "predictions"])
    world.produce(50)
    world.until(lambda: bool(work.notes.reasons))
    ensure(world.inside, world.name, world.stream)
    world.until(lambda: len(world.records("predictions")) >= 50)
    work.stop()
    assert world.sums() == [(f"e{n}", n + 1.0) for n in range(50, 100)]


def test_a_topic_of_inputs_that_is_made_anew_stops_its_task_and_says_so(world: Sums) -> None:
    work = world.work()
    world.produce(50)
    world.wait()
    world.delete_topics(["events"])
    time.sleep(1)
    ensure(world.inside, world.name, world.stream)
    world.made = 0
    world.produce(10)
    world.until(lambda: any("made anew" in reason for reason in work.notes.reasons))
    time.sleep(1)
    assert work.alive
    assert world.sums() == [(f"e{n}", n + 1.0) for n in range(50)]
    work.stop()


def test_a_topic_of_inputs_that_is_made_anew_while_nobody_is_at_work_is_not_gone_on_with(world: Sums) -> None:
    work = world.work()
    world.produce(50)
    world.wait()
    work.stop()
    world.delete_topics(["events"])
    time.sleep(1)
    ensure(world.inside, world.name, world.stream)
    world.made = 0
    world.produce(100)  # there is something behind the old position, so that reading there would seem to do
    work = world.work()
    world.until(lambda: any("made anew" in reason for reason in work.notes.reasons))
    assert work.alive
    assert world.sums() == [(f"e{n}", n + 1.0) for n in range(50)]
    work.stop()


def test_a_partition_too_many_has_no_task_and_the_other_goes_on(world: Sums) -> None:
    world.produce(50)
    admin = KafkaAdminClient(**connection(world.inside, "admin"))
    admin.create_partitions({f"{world.name}.events": 2})
    admin.close()
    work = world.work()
    world.until(lambda: any("has a partition 1, and the stream 1" in reason for reason in work.notes.reasons))
    producer = KafkaProducer(**connection(world.inside, "producer"))
    event = msgspec.json.encode({"event_id": "e50", "time": 1.7e9 + 50})
    producer.send(f"{world.name}.events", event, key=b"k", partition=0).get(10)
    producer.close()
    world.wait(51)
    assert work.alive
    assert world.sums() == [(f"e{n}", n + 1.0) for n in range(51)]
    work.stop()


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    with Cluster(nodes=3) as cluster:
        yield cluster


@pytest.fixture
def wide(three: Cluster, stream_name: str) -> Iterator[Sums]:
    world = Sums(three, stream_name)
    yield world
    world.close()


@pytest.mark.parametrize("kind", ["predictions", "state", "events"])
def test_a_leader_that_dies_in_mid_transaction_loses_and_doubles_nothing(wide: Sums, kind: str) -> None:
    killed: list[int] = []

    def kill(step: str) -> None:
        if step == "settle" and not killed and wide.made >= 100:
            killed.append(wide.cluster.leader(f"{wide.name}.{kind}", 0))
            wide.cluster.kill(killed[0])

    work = wide.work(kill)
    wide.produce(100)
    wide.until(lambda: bool(killed))
    wide.produce(100)
    wide.wait()
    work.stop()
    wide.cluster.restart(killed[0])
    wide.check()


def test_a_reader_that_knows_the_leader_of_before_finds_the_new_one(wide: Sums) -> None:
    state = TopicPartition(f"{wide.name}.state", 0)
    with closing(Reader(connection(wide.outside, "reader"))) as reader:
        assert reader.bounds([state]) == {state: (0, 0)}
        before = wide.cluster.leader(state.topic)
        with closing(KafkaAdminClient(**connection(wide.outside, "test"))) as admin:
            others = [node for node in range(3) if node != before]
            assert admin.alter_partition_reassignments({state: [*others, before]}) == {state: None}
            wide.until(lambda: _led(admin, state, others[0]) and wide.cluster.leader(state.topic) != before)
        assert reader.bounds([state]) == {state: (0, 0)}


def _led(admin: KafkaAdminClient, tp: TopicPartition, node: int) -> bool:
    """Have the first of its replicas lead; whether it does."""
    admin.elect_leaders(0, {tp.topic: [tp.partition]}, raise_errors=False)
    [found] = admin.describe_topics([tp.topic])
    leader: int = found["partitions"][tp.partition]["leader_id"]
    return leader == node


INTERNAL = int(QUICK["offsets.topic.num.partitions"])


def home(name: str) -> int:
    """The partition of the internal topics whose leader coordinates a group or transactional id: by Java's hash."""
    code = 0
    for letter in name:
        code = (31 * code + ord(letter)) & 0xFFFFFFFF
    return (code & 0x7FFFFFFF) % INTERNAL


@pytest.mark.parametrize("internal", ["__consumer_offsets", "__transaction_state"])
def test_a_coordinator_that_moves_loses_and_doubles_nothing(wide: Sums, internal: str) -> None:
    placed = placement(SCORER, wide.name, wide.stream, 0)
    whose = (
        group_id(SCORER, wide.name) if internal == "__consumer_offsets" else transactional_id(SCORER, wide.name, placed)
    )
    work = wide.work()
    with wide.flowing():
        for count in (50, 150):
            wide.wait(count)
            node = wide.cluster.leader(internal, home(whose))
            wide.cluster.restart(node)
            assert wide.cluster.leader(internal, home(whose)) != node
    wide.wait()
    work.stop()
    wide.check()


def publisher(world: Sums) -> Publisher:
    placed = placement(SCORER, world.name, world.stream, 0)
    made = Publisher(connection(world.outside, "worker"), transactional_id(SCORER, world.name, placed), 6.0)
    made.start()
    return made


def test_a_transaction_with_a_record_that_expired_is_never_committed(world: Sums) -> None:
    made = publisher(world)
    made.begin()
    made.send(f"{world.name}.predictions", 0, b"k", b"first", [])
    made.settle()
    world.cluster.proxies[0].cut()
    made.send(f"{world.name}.predictions", 0, b"k", b"lost", [])
    with pytest.raises(CommitFailed):
        made.settle()
    world.cluster.proxies[0].heal()
    made.close()
    newer = publisher(world)  # aborts what the other left open
    assert world.records("predictions") == []
    newer.close()


def test_who_has_been_replaced_is_fenced_at_its_next_step(world: Sums) -> None:
    older = publisher(world)
    older.begin()
    older.send(f"{world.name}.predictions", 0, b"k", b"old", [])
    older.settle()
    newer = publisher(world)
    with pytest.raises((Fenced, CommitFailed)):
        older.commit()
    newer.begin()
    newer.send(f"{world.name}.predictions", 0, b"k", b"new", [])
    newer.settle()
    newer.commit()
    assert [record.value for record in world.records("predictions")] == [b"new"]
    older.close()
    newer.close()


def test_offsets_of_a_member_that_the_group_has_gone_on_without_are_refused(world: Sums) -> None:
    work = world.work()
    world.produce(20)
    world.wait()
    member = work.transport.group.member
    made = publisher(world)
    made.begin()
    stale = member._replace(generation_id=member.generation_id + 7)
    with pytest.raises(Fenced):
        made.offsets({TopicPartition(f"{world.name}.events", 0): (5, "")}, stale)
    made.close()
    world.produce(20)
    world.wait()  # whoever had it was fenced by us, and has taken it back
    work.stop()
    world.check()
    assert work.transport.runtime.fenced == 1
