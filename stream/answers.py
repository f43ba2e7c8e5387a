"""From scores to class names, and from an entry to its labelled record."""

from typing import Any

from msgspec.structs import replace

from stream.config import Stream
from stream.entry import IMPLIED, Entry
from stream.records import Labelled, Shadow


class Answers:
    """Says what scores and labels mean in the names of a stream's classes; ``partition``: whose events these are."""

    def __init__(self, stream: Stream, partition: int) -> None:
        self._names = stream.classes
        self._many = stream.kind == "multiclass"
        self._hashed = stream.features.hashed
        self._partition = partition

    def called(self, score: Any, threshold: float) -> int:
        """The index of the class that a score stands for."""
        place: int = score.index(max(score)) if self._many else score >= threshold
        return place

    def name(self, place: int) -> str:
        """The class at an index."""
        return self._names[place]

    def answer(self, score: Any, threshold: float) -> str:
        """The class that a score stands for."""
        return self._names[self.called(score, threshold)]

    def record(self, entry: Entry, shadows: dict[str, Shadow], *, late: bool, sampled: bool) -> Labelled:
        """The labelled record of an entry, with its first label."""
        p = entry.prediction
        return Labelled(
            p.event_id,
            p.time,
            entry.position,
            self._names[entry.label],
            entry.label_time,
            entry.row,
            p.score,
            p.online,
            p.baseline,
            p.label,
            self._names[entry.ours],
            None if p.baseline is None else self._names[entry.theirs],
            p.online_version,
            p.baseline_version,
            entry.state == IMPLIED,
            late,
            sampled,
            shadows=shadows,
            hashed=self._hashed,
            partition=self._partition,
        )

    def correction(self, entry: Entry, last: int, last_time: float, shadows: dict[str, Shadow]) -> Labelled:
        """The record of an entry's last label, of that time, which contradicts what was said before."""
        record = self.record(entry, shadows, late=False, sampled=True)
        label = self._names[last]
        return replace(record, label=label, label_time=last_time, features=None, implied=False, correction=True)
