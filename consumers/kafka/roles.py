"""The roles of a stream's processes on Kafka: which topics each reads, in which order, and what it makes of them."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from consumers.kafka.intake import Decode
from consumers.lines import decode_json, decoded
from consumers.redaction import redaction
from stream.config import Stream
from stream.decoding import RecordDecoder, decode_labelled, decode_profile
from stream.errors import RecordError
from stream.online import find
from stream.records import Input, Undecodable


class Role(Struct, frozen=True):
    """What a kind of process reads.

    ``reads``: kinds of topic. ``whole``: one task has all partitions of them, read as they come; else a task has one
    partition of each, merged by time. ``decoder`` makes inputs: told the latest time that is believed, it decodes a
    record of a source.
    """

    name: Literal["scorer", "monitor"]
    reads: tuple[str, ...]
    whole: bool
    decoder: Callable[[Stream], "Decoder"]


class Decoder:
    """Decodes a task's records; ``latest`` is the greatest time that is believed, seconds since the epoch."""

    latest: float = float("inf")

    def input(self, source: str, record: Any) -> Input:
        """The input of a record."""
        raise NotImplementedError


class ScorerDecoder(Decoder):
    """Events and labels, by the stream's field mapping and its own decoder where it has one."""

    def __init__(self, stream: Stream) -> None:
        own = find("decoder", stream.decoder, {}) if stream.decoder else None
        self._decode = own if own is not None else decode_json()
        redact = redaction("features", stream.features)
        least = stream.labels.least_inspection_probability
        self._fields = RecordDecoder(stream.fields, 0.0, stream.max_ahead, redact=redact, least=least)

    def input(self, source: str, record: Any) -> Input:
        """An Event or a Label; Undecodable, with its bytes, where the record is neither."""
        value = record.value
        if value is None:
            return Undecodable(source, "has no value", "", record.offset, b"")
        fields = decoded(self._decode, value)
        if isinstance(fields, RecordError):
            return Undecodable(source, fields.reason, fields.field, record.offset, value)
        self._fields.latest = self.latest
        make = self._fields.event if source == "events" else self._fields.label
        try:
            return make(fields, record.offset, record.timestamp / 1000, value)
        except RecordError as error:
            return Undecodable(source, error.reason, error.field, record.offset, value)


class MonitorDecoder(Decoder):
    """Labelled records, and what scorers say of their models and events."""

    def __init__(self, _stream: Stream) -> None:
        pass

    def input(self, source: str, record: Any) -> Input:
        """A Labelled, References or a Profile; Undecodable, with its bytes, where the record is none."""
        if record.value is None:
            return Undecodable(source, "has no value", "", record.offset, b"")
        if source == "profiles":
            return decode_profile(record.value, record.offset)
        return decode_labelled(record.value, record.offset)


SCORER = Role("scorer", ("events", "labels"), False, ScorerDecoder)
MONITOR = Role("monitor", ("labelled", "profiles"), True, MonitorDecoder)


def decode_sides(decoder: Decoder, sources: list[str]) -> Decode:
    """A decoder of sides: each side's records are of its source."""
    return lambda side, record: decoder.input(sources[side], record)
