"""When a stream's baseline was last said to have rotted, as its alarms in Kafka have it."""

from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer

from consumers import training
from consumers.kafka.alarm_log import last_rot
from stream.records import Alarm
from stream.training.gathering import Span
from tests.consumers.kafka.world import World


@pytest.fixture
def world(kafka, stream_name, tmp_path):
    return World(kafka, stream_name, tmp_path)


def alarmed(world, *alarms):
    with closing(KafkaProducer(**world.connection)) as producer:
        for at, verdict in alarms:
            alarm = Alarm(world.name, int(at), "e", at, "adwin:baseline", verdict, None, {})
            producer.send(f"{world.name}.alarms", msgspec.json.encode(alarm))
        producer.flush()


def test_the_last_alarm_is_the_newest_that_says_so_and_what_is_none_is_passed_over(world):
    assert last_rot(world.connection, world.name, world.stream) is None
    alarmed(world, (5.0, "baseline_rot"), (9.0, "baseline_rot"), (7.0, "baseline_rot"), (11.0, "healthy"))
    with closing(KafkaProducer(**world.connection)) as producer:
        producer.send(f"{world.name}.alarms", b"no alarm")
    assert last_rot(world.connection, world.name, world.stream) == 9.0


def test_of_many_alarms_the_newest_are_looked_at(world, monkeypatch):
    monkeypatch.setattr("consumers.kafka.alarm_log.NEWEST", 2)
    alarmed(world, (5.0, "baseline_rot"), *((6.0 + n, "healthy") for n in range(3)))
    assert last_rot(world.connection, world.name, world.stream) is None
    alarmed(world, (20.0, "baseline_rot"))
    assert last_rot(world.connection, world.name, world.stream) == 20.0


def test_training_on_the_log_tries_the_rows_since_the_last_alarm(world):
    wanted = training.Wanted(world.settings, world.name, world.stream, None, Span(1_000), 1.0, 1)
    alarmed(world, (5.0, "baseline_rot"))
    assert training._alarmed(wanted, None) == 5.0
