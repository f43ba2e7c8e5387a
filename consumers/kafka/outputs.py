"""A task's outputs as records for their topics; dead letters with the bytes, key and headers that they came with.

The headers that say why are named as in KIP-1034 (Kafka Streams' dead letter queues).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from consumers.kafka.publisher import Headers
from stream.config import Stream, topic
from stream.records import DeadLetter, Outputs

PREFIX = "__streams.errors."


class Outgoing(Struct, frozen=True):
    """A record for a topic."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = []


class Encoder:
    """Makes records of a stream's outputs."""

    def __init__(self, name: str, stream: Stream) -> None:
        self.name = name.encode()
        self.topics = {kind: topic(name, stream, kind) for kind in (*Outputs.__struct_fields__, "events", "labels")}
        self._encode = msgspec.json.Encoder().encode

    def tables(self, outputs: Outputs) -> Iterator[tuple[str, list[tuple[bytes, bytes]]]]:
        """The keys and values for the topics that get one for each event or label."""
        encode = self._encode
        for kind in ("predictions", "labelled"):
            made = [(r.event_id.encode(errors="surrogatepass"), encode(r)) for r in getattr(outputs, kind)]
            if made:
                yield self.topics[kind], made

    def records(self, outputs: Outputs, taken: Sequence[Any]) -> Iterator[Outgoing]:
        """The alarms', profiles' and dead letters' records, of outputs that came of the input records ``taken``."""
        encode, topics = self._encode, self.topics
        for alarm in outputs.alarms:
            yield Outgoing(topics["alarms"], self.name, encode(alarm))
        for profile in outputs.profiles:
            yield Outgoing(topics["profiles"], self.name, encode(profile))
        if outputs.dead_letters:
            # A monitor's batch may hold one offset of several partitions: the bytes tell them apart.
            found = {(r.topic, r.offset, r.value or b""): r for r in taken if r is not None}
            for letter in outputs.dead_letters:
                key = (topics.get(letter.source), letter.offset, letter.payload)
                yield self._dead(letter, found.get(key))

    def _dead(self, letter: DeadLetter, record: Any) -> Outgoing:
        to, why = self.topics["dead_letters"], {"message": letter.reason, "exception": letter.field}
        if record is None:
            return Outgoing(to, None, letter.payload, _headers(why))
        where = {"topic": record.topic, "partition": str(record.partition), "offset": str(record.offset)}
        # kafka-python 3.0.12 reads headers without a value and cannot write them: they come out with an empty one.
        own = [(name, content or b"") for name, content in record.headers]
        return Outgoing(to, record.key, record.value, [*own, *_headers({**where, **why})])


def _headers(values: dict[str, str]) -> Headers:
    return [(PREFIX + name, value.encode(errors="replace")) for name, value in values.items() if value]
