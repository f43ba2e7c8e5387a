"""Every record that is fed has a known fate: on a real broker, and with one that answers as the test wants."""

from collections import Counter

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.partitioner.default import murmur2

from consumers.kafka import feed as feeding
from consumers.kafka.client import connection
from consumers.kafka.feed import Feed
from consumers.kafka.topics import ensure
from stream.broker import Kafka
from stream.config import Features, Stream
from stream.errors import TransportError


def records(kafka, topic, count):
    consumer = KafkaConsumer(**connection(kafka, "test"), auto_offset_reset="earliest", enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    found = [next(consumer) for _ in range(count)]
    assert sum(consumer.end_offsets(partitions).values()) == count
    consumer.close()
    return found


def test_each_record_arrives_once_in_its_keys_partition_and_order(kafka, stream_name):
    cluster = Kafka(bootstrap=kafka)
    ensure(cluster, stream_name, Stream(features=Features(text=["a"]), partitions=3))
    feed = Feed(cluster, "test", in_flight=50)
    for number in range(500):
        feed.send(f"{stream_name}.events", f"k{number % 7}".encode(), str(number).encode())
    feed.close()
    assert (feed.sent, feed.acknowledged) == (500, 500)
    found = records(cluster, f"{stream_name}.events", 500)
    assert sorted(int(record.value) for record in found) == list(range(500))
    for record in found:
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % 3
    for partition in range(3):
        numbers = [int(record.value) for record in found if record.partition == partition]
        assert numbers == sorted(numbers)


def test_a_record_that_the_topic_does_not_take_fails_the_feed_and_every_call_after(kafka, stream_name):
    cluster = Kafka(bootstrap=kafka)
    ensure(cluster, stream_name, Stream(features=Features(text=["a"])))
    feed = Feed(cluster, "test", in_flight=1)
    feed.send(f"{stream_name}.events", None, b"x" * 3_000_000)
    wanted = rf"topic {stream_name}.events: a record is larger than it takes: raise its max.message.bytes"
    with pytest.raises(TransportError, match=wanted):
        feed.send(f"{stream_name}.events", None, b"x")
    with pytest.raises(TransportError, match=wanted):
        feed.send(f"{stream_name}.events", None, b"x")
    with pytest.raises(TransportError, match=wanted):
        feed.close()
    assert feed.acknowledged == 0


# ------------------------------------------------------------------------------------------- a scripted producer


class Fate:
    """A record's future, settled by the test."""

    def __init__(self, error=None):
        self.error = error
        self.is_done = False
        self.waited = 0

    def get(self, timeout):
        self.waited += 1
        self.is_done = True
        if self.error is not None:
            raise self.error


class Producer:
    def __init__(self, fates):
        self.fates = iter(fates)
        self.closed = Counter()
        self._sender = self

    def send(self, topic, value, key):
        return next(self.fates)

    def flush(self, timeout):
        self.closed["flushed"] += 1

    def force_close(self):
        self.closed["forced"] += 1

    def close(self, timeout):
        self.closed["closed"] += 1


def scripted(monkeypatch, fates, in_flight=3):
    producer = Producer(fates)
    monkeypatch.setattr(feeding, "open_client", lambda *_, **__: producer)
    return Feed(Kafka(), "test", in_flight), producer


def test_no_more_records_are_under_way_than_allowed(monkeypatch):
    fates = [Fate() for _ in range(10)]
    feed, _ = scripted(monkeypatch, fates)
    for sent in range(1, 11):
        feed.send("t", None, b"x")
        assert sum(fate.waited for fate in fates) == max(0, sent - 3)
    assert (feed.sent, feed.acknowledged) == (10, 7)
    feed.close()
    assert feed.acknowledged == 10


def test_a_lost_record_is_noticed_though_the_flush_says_nothing(monkeypatch):
    feed, producer = scripted(monkeypatch, [Fate(), Fate(KafkaTimeoutError("expired")), Fate()])
    for _ in range(3):
        feed.send("t", None, b"x")
    with pytest.raises(TransportError, match="topic t: a record could not be delivered: KafkaTimeoutError.*expired"):
        feed.close()
    assert feed.acknowledged == 1
    assert producer.closed["closed"] == 1
