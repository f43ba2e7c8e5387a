"""Outputs as records for their topics."""

from typing import Any, NamedTuple

import msgspec

from consumers.kafka.outputs import Encoder
from stream.config import Stream, Topics
from stream.records import Alarm, DeadLetter, Outputs, Prediction


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def encoder(**topics: Any) -> Encoder:
    return Encoder("spam", Stream(topics=Topics(**topics)))


def test_predictions_are_keyed_by_their_event_and_alarms_by_their_stream() -> None:
    prediction = Prediction("e1", 1.0, "spam", 0.5, "online", 0.5, None, "v", None)
    alarm = Alarm("spam", 3, "e1", 1.0, "adwin:online", "healthy", None, {})
    outputs, made = Outputs([prediction], [], [alarm], []), encoder(predictions="answers")
    ((topic, ((key, value),)),) = made.tables(outputs)
    assert (topic, key) == ("answers", b"e1")
    assert msgspec.json.decode(value, type=Prediction) == prediction
    (record,) = made.records(outputs, [])
    assert (record.topic, record.key) == ("spam.alarms", b"spam")


def test_a_dead_letter_has_the_bytes_key_and_headers_that_it_came_with_and_says_why() -> None:
    came = Record("spam.events", 3, 17, b"\xff key", b"\xfe broken", [("trace", b"\x00")])
    other = Record("spam.labels", 3, 17, b"other", b"other", [])
    letter = DeadLetter("events", "amount", "must be a number", 17, b"\xfe broken")
    (record,) = encoder().records(Outputs([], [], [], [letter]), [other, came, None])
    assert (record.topic, record.key, record.value) == ("spam.dead-letters", b"\xff key", b"\xfe broken")
    assert record.headers[0] == ("trace", b"\x00")
    assert dict(record.headers[1:]) == {
        "__streams.errors.topic": b"spam.events",
        "__streams.errors.partition": b"3",
        "__streams.errors.offset": b"17",
        "__streams.errors.message": b"must be a number",
        "__streams.errors.exception": b"amount",
    }


def test_a_tombstone_stays_one() -> None:
    came = Record("spam.labels", 0, 5, b"k", None, [])
    (record,) = encoder().records(Outputs([], [], [], [DeadLetter("labels", "", "has no value", 5, b"")]), [came])
    assert record.value is None
    assert record.key == b"k"
