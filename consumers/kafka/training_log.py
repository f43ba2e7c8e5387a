"""The training log as a whole: the labelled records of all partitions, merged by the time of their labels."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from heapq import merge
from itertools import islice
from typing import Any

from kafka import TopicPartition

from consumers.kafka.reader import Reader
from stream.config import Stream, topic
from stream.decoding import decode_labelled
from stream.records import Labelled
from stream.relearning import Logged

BATCH = 1_024


class TrainingLog:
    """What the log holds when this is made; may be gone through more than once, with the same result.

    ``records`` is how many there are at most, ``unreadable`` how many were none when it was last gone through. Raises
    Unavailable.
    """

    def __init__(self, connection: Mapping[str, Any], name: str, stream: Stream) -> None:
        self._connection = connection
        self._max_ahead = stream.max_ahead
        own = topic(name, stream, "labelled")
        with closing(Reader(connection)) as reader:
            self._spans = reader.bounds([TopicPartition(own, number) for number in range(stream.partitions)])
        self.records = sum(end - begin for begin, end in self._spans.values())
        self.unreadable = 0

    def __iter__(self) -> Iterator[list[Logged]]:
        """The records in batches, each partition's in their order."""
        self.unreadable = 0
        sides = [self._side(tp) for tp in self._spans]
        try:
            merged = (logged for _, logged in merge(*sides, key=lambda pair: pair[0]))
            while batch := list(islice(merged, BATCH)):
                yield batch
        finally:
            for side in sides:
                side.close()

    def _side(self, tp: TopicPartition) -> Generator[tuple[float, Logged], None, None]:
        """A partition's records, each with the time it is merged by: its label's, if that is believed."""
        time = float("-inf")
        # A reader of its own: one that reads several partitions gives them as they come.
        with closing(Reader(self._connection)) as reader:
            for _, records in reader.read({tp: self._spans[tp]}):
                for record in records:
                    made = decode_labelled(record.value or b"", record.offset)
                    if not isinstance(made, Labelled):
                        self.unreadable += 1
                        continue
                    published = record.timestamp / 1000
                    if made.label_time <= published + self._max_ahead:
                        time = made.label_time
                    yield time, Logged(made, published)
