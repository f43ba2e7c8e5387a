"""The scorer's side of profiles: the events since the last one, and what was said of them."""

from typing import Any

import numpy as np
from msgspec.structs import replace

from stream.config import Stream
from stream.drift.profiler import Profiler
from stream.features import Row
from stream.models import Models
from stream.profile import UNIT, Answered, Profile
from stream.records import Score

EVERY = 100
"""Events of a profile: numpy's calls cost what they cost, so that fewer would cost more an event."""


class Profiling:
    """Gathers events that the baseline in use has scored; one in EVERY gives a profile of all since the last.

    So does one in EVERY that could not be read.
    """

    def __init__(self, stream: Stream, partition: int) -> None:
        self._features = stream.features
        self._names = stream.classes
        self._kind = stream.kind
        self._partition = partition
        self._profiler: Profiler | None = None
        self._made_for: tuple[str | None, Any] | None = None
        self.count = 0
        self.labels = 0
        self.places = (-1, -1)
        self.unread: dict[str, int] = {}
        self.rows: list[Row] = []
        self.online: list[Score] = []
        self.baseline: list[Score] = []
        self.calls: list[tuple[int, int]] = []

    def add(self, position: int, row: Row, online: Score, baseline: Score, calls: tuple[int, int]) -> bool:
        """Take the event at a position of its partition; whether it is time for a profile.

        ``calls``: the indices of the classes that the online model and the baseline called.
        """
        self.places = (self.places[0] if self.rows else position, position)
        self.rows.append(row)
        self.online.append(online)
        self.baseline.append(baseline)
        self.calls.append(calls)
        return len(self.rows) >= EVERY

    def lost(self, field: str) -> bool:
        """Take note of an event that could not be read; whether it is time for a profile."""
        self.unread[field] = self.unread.get(field, 0) + 1
        return sum(self.unread.values()) >= EVERY

    def profile(self, models: Models, until: float, labels: int) -> Profile | None:
        """The profile of all since the last one, None without any; ``models`` are those that have scored them.

        ``labels``: so many have been reported so far.
        """
        if not self.rows and not self.unread:
            return None
        version, inputs = models.baseline_version or "", models.expected.inputs
        if self._made_for is None or self._made_for[0] != version or self._made_for[1] is not inputs:
            self._profiler = None if inputs is None else Profiler(version, self._features, inputs)
            self._made_for = version, inputs
        if self._profiler is None:
            made = Profile(version, 0, 0, len(self.rows), {}, {}, [])
        else:
            made = self._profiler.profile(self.count, self.rows, self.baseline)
        first, last = self.places if self.rows else (self.places[1], self.places[1])
        told = {"first": first, "last": last, "until": until, "labels": labels - self.labels}
        made = replace(made, answers=self._called(), partition=self._partition, unread=self.unread, **told)
        self.labels = labels
        self.count += len(self.rows)
        self.rows, self.online, self.baseline, self.calls, self.unread = [], [], [], [], {}
        return made

    def _called(self) -> Answered:
        if not self.rows:
            return Answered({}, None if self._kind == "anomaly" else 0)
        online = np.array(self.online, dtype=float)
        ours, theirs = np.array(self.calls).T
        if self._kind == "multiclass":
            doubted: Any = 1.0 - online[np.arange(len(online)), theirs]
        else:
            doubted = np.where(theirs, 1.0 - online, online)
        names = self._names
        table = np.bincount(theirs * len(names) + ours, minlength=len(names) ** 2).reshape(len(names), -1).tolist()
        pairs = {
            theirs: {ours: count for ours, count in zip(names, counts, strict=True) if count}
            for theirs, counts in zip(names, table, strict=True)
            if any(counts)
        }
        return Answered(pairs, None if self._kind == "anomaly" else round(float(doubted.sum()) * UNIT))

    def state(self) -> tuple[Any, ...]:
        """What a snapshot holds of it."""
        held = self.rows, self.online, self.baseline, self.calls
        return self.count, self.labels, self.places, self.unread, *held

    def restore(self, state: tuple[Any, ...]) -> None:
        """Take up what a snapshot held."""
        self.count, self.labels, self.places, self.unread, *held = state
        self.rows, self.online, self.baseline, self.calls = held
