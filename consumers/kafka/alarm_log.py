"""The alarms of a stream as they were published: when its baseline was last said to have rotted."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec
from kafka import TopicPartition

from consumers.kafka.reader import Reader
from stream.config import Stream, topic
from stream.records import Alarm

NEWEST = 10_000
"""Alarms that are looked at, of each partition."""


def last_rot(connection: Mapping[str, Any], name: str, stream: Stream) -> float | None:
    """The time of the last alarm whose verdict is ``baseline_rot``; None without one. Raises Unavailable."""
    own = topic(name, stream, "alarms")
    decoder = msgspec.json.Decoder(Alarm)
    last: float | None = None
    with closing(Reader(connection)) as reader:
        spans = reader.bounds([TopicPartition(own, number) for number in range(stream.partitions)])
        newest = {tp: (max(begin, end - NEWEST), end) for tp, (begin, end) in spans.items()}
        for _, records in reader.read(newest):
            for record in records:
                try:
                    alarm = decoder.decode(record.value or b"")
                except msgspec.MsgspecError:
                    continue  # not a monitor's: nothing was promised of it
                if alarm.verdict == "baseline_rot":
                    last = alarm.time if last is None else max(last, alarm.time)
    return last
