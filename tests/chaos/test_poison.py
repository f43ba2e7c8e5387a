"""Records that nobody can use among good ones: they are put aside as they came, and nothing else suffers."""

from collections import Counter
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.serializer import Serializer

from tests.chaos.audit import check_sent, check_tasks
from tests.chaos.breaking import UNLEARNED, UNSCORED
from tests.chaos.conftest import Make
from tests.chaos.records import Sent, records, truth
from tests.chaos.world import NUMBERS, World

GOOD = 4_000

HEADERS: list[list[tuple[str, bytes]]] = [
    [],
    [("trace", b"\x00\xff\xfe"), ("trace", b"the same name again")],
    [("empty", b""), ("ümlaut", "ü".encode())],
    [("__streams.errors.topic", b"it was a dead letter before")],
]


class NullsToo(Serializer):
    """Lets out, for "null", what kafka-python takes from nobody and Java from everybody: neither key nor value."""

    def serialize(self, topic: str, headers: Any, data: Any) -> Any:
        return None if data == "null" else data


class NullHeaders(list[tuple[str, bytes]]):
    """Headers whose values are null when they are written, and empty whenever kafka-python looks at them before."""

    looks = 0

    def __iter__(self) -> Any:
        self.looks += 1
        return iter([(name, None) for name, _ in super().__iter__()]) if self.looks == 3 else super().__iter__()


BAD: dict[str, list[bytes | None]] = {
    "events": [
        None,
        b"",
        b"\xff\xfe\x00",
        b"no JSON",
        b'{"event_id": "cut", "time": 17',
        b"[1, 2]",
        b"null",
        b'{"time": 1.0, "n": 1.0, "m": 1.0}',
        b'{"event_id": null, "n": 1.0, "m": 1.0}',
        b'{"event_id": "", "n": 1.0, "m": 1.0}',
        b'{"event_id": "bad-1", "time": "tomorrow", "n": 1.0, "m": 1.0}',
        b'{"event_id": "bad-2", "time": 1.0, "n": "a lot", "m": 1.0}',
        b'{"event_id": "bad-3", "time": [], "n": 1.0, "m": 1.0}',
        b'{"event_id": "bad-4", "time": 1.0, "n": {"of": 1}, "m": 1.0}',
        b'{"event_id": "bad\xff", "n": 1.0, "m": 1.0}',
    ],
    "labels": [
        None,
        b"\xff\xfe\x00",
        b'{"event_id": "e5"}',
        b'{"label": "1"}',
        b'{"event_id": "e6", "label": "seventh"}',
        b'{"event_id": "e7", "label": "1", "time": "never"}',
    ],
}

Letter = tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]


def send_with_poison(world: World, count: int) -> Counter[tuple[str, Letter]]:
    """Send the next events, one in a hundred records poison; gives what must come back."""
    sent: Counter[tuple[str, Letter]] = Counter()
    producer = KafkaProducer(**world.connection, acks="all", value_serializer=NullsToo())
    futures = []
    first, world.sent = world.sent, world.sent + count
    bad = 0
    for number, record in enumerate(records(first, world.sent, world.begin)):
        topic = world.topics[record.kind]
        futures.append(producer.send(topic, record.value, key=record.key.encode()))
        if number % 100:
            continue
        value = BAD[record.kind][bad % len(BAD[record.kind])]
        headers = HEADERS[bad % len(HEADERS)]
        key = None if bad % 3 == 0 else b"\xffbad-%d" % bad
        futures.append(
            producer.send(
                topic,
                "null" if value is None else value,
                key=key,
                headers=headers,
                partition=bad % world.stream.partitions,
            )
        )
        sent[topic, (key, value, tuple(headers))] += 1
        bad += 1
    producer.flush()
    for future in futures:
        future.get(10)
    producer.close()
    return sent


def dead_letters(world: World) -> Counter[tuple[str, Letter]]:
    """The dead letters without what has been added to their headers, which must be the last ones and complete."""
    found: Counter[tuple[str, Letter]] = Counter()
    for record in world.read("dead_letters"):
        names = [name for name, _ in record.headers]
        begin = len(names) - names[::-1].index("__streams.errors.topic") - 1
        added: dict[str, Any] = {
            name.removeprefix("__streams.errors."): value for name, value in record.headers[begin:]
        }
        assert added.keys() - {"exception"} == {"topic", "partition", "offset", "message"}, names
        assert int(added["partition"]) == record.partition, "it stays in its partition"
        assert added["message"], "it says why"
        found[added["topic"].decode(), (record.key, record.value, tuple(record.headers[:begin]))] += 1
    return found


def test_poison_among_good_records_comes_back_untouched_and_all_good_ones_are_answered(make: Make) -> None:
    world = make(partitions=2)
    worker = world.start()
    sent = send_with_poison(world, GOOD // 2)
    world.caught_up()
    worker.kill()
    world.start()
    sent += send_with_poison(world, GOOD // 2)
    world.send_flush()
    world.caught_up()
    world.stop_all()
    assert len({value for _, (_, value, _) in sent}) > 15, "every kind of poison was there"
    assert dead_letters(world) == sent
    stories = check_tasks(world)
    totals = [story.restored.totals().inputs for story in stories]
    assert sum(t.events_dead + t.labels_dead for t in totals) == sent.total()
    check_sent(world, stories, poison=True)


def test_what_kafka_python_cannot_send_is_no_reason_to_stop(make: Make) -> None:
    world = make(partitions=1)
    world.start()
    world.send_events(100)
    producer = KafkaProducer(**world.connection, value_serializer=NullsToo())
    producer.send(world.topics["events"], "null", key=None, partition=0).get(10)
    producer.send(world.topics["labels"], b"?", key=None, headers=NullHeaders([("null", b"")]), partition=0).get(10)
    producer.close()
    assert world.read("labels")[-1].headers == [("null", None)]
    world.send_events(100)
    world.send_flush()
    world.caught_up()
    world.stop_all()
    # A null header is the one thing that does not come back as it was: it comes back empty.
    letters = [(r.key, r.value, r.headers[0]) for r in world.read("dead_letters")]
    assert letters == [
        (None, None, ("__streams.errors.topic", world.topics["events"].encode())),
        (None, b"?", ("null", b"")),
    ]
    check_sent(world, check_tasks(world), poison=True)


def test_an_output_that_its_topic_does_not_take_costs_one_event(make: Make) -> None:
    world = make(partitions=1)
    world.limit("predictions", 900)
    world.start()
    world.send_events(150)
    long = "x" * 500
    fields = {"event_id": long, "time": world.begin + 1.0, **truth(1)[0]}
    large = Sent("events", long, msgspec.json.encode(fields))
    world.send([large])
    world.send_events(150)
    world.send_flush()
    world.caught_up()
    world.stop_all()
    assert [(r.key, r.value) for r in world.read("dead_letters")] == [(long.encode(), large.value)]
    stories = check_tasks(world)
    assert stories[0].restored.totals().inputs.skipped == 1
    check_sent(world, stories, poison=True)


def test_a_record_that_breaks_the_users_model_is_put_aside_once_and_for_all(make: Make) -> None:
    world = make(settings=NUMBERS + 'online = "tests.chaos.breaking:breaking"\n', checkpoint_every=3600)
    worker = world.start()
    world.send_events(300)
    broken = []
    for number, n in enumerate((UNSCORED, UNLEARNED, UNSCORED)):
        fields = {"event_id": f"break-{number}", "time": world.begin + 3.0 + number / 100, "n": n, "m": 0.5}
        label = {"event_id": f"break-{number}", "time": fields["time"], "label": "1"}
        broken += [
            Sent("events", f"break-{number}", msgspec.json.encode(fields)),
            Sent("labels", f"break-{number}", msgspec.json.encode(label)),
        ]
    world.send(broken)
    world.send_events(300)
    world.caught_up()
    worker.kill()  # what follows is fed the journal: the skips are in it, or they would break it again
    world.start()
    world.send_events(300)
    world.send_flush()
    world.caught_up()
    assert not [line for line in world.workers[-1].lines() if line.get("event") == "record skipped"]
    world.stop_all()
    # Two cannot be scored: their labels wait for an event that never comes. One cannot be learned from.
    letters = [(record.key, record.value) for record in world.read("dead_letters")]
    assert sorted(letters) == sorted((broken[i].key.encode(), broken[i].value) for i in (0, 3, 4))
    story = check_tasks(world)[0]
    inputs = story.restored.totals().inputs
    assert (inputs.skipped, inputs.events_dead, inputs.labels_dead) == (3, 2, 1)
    check_sent(world, [story], more=["break-1"], poison=True)
