"""Counts as they come: the newest ones in slots, and all of them in a decayed sum; bounded, whatever comes."""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from stream.heavy import Heavy, merged

Array = np.ndarray[Any, np.dtype[Any]]

SLOT = 100
"""Events of a slot, at least."""


class Slot(Struct):
    """Counts of so many events in a row, and the frequent words of so many texts among them."""

    events: int
    vector: list[int]
    texts: int = 0
    frequent: Heavy = Heavy()


class SlotsState(Struct):
    """What slots hold, as JSON."""

    events: int
    filling: Slot | None
    ring: list[Slot]
    decayed: list[float]


class Slots:
    """The newest slots, as many as hold ``most`` events, and a sum of all that loses half in ``half_life`` events."""

    def __init__(self, length: int, most: int, half_life: int) -> None:
        self.events = 0
        self.decayed = np.zeros(length)
        self.vectors: list[Array] = []
        self._most = most
        self._keep = 0.5 ** (1 / half_life)
        self._filling: Slot | None = None
        self._ring: list[Slot] = []

    def add(self, events: int, vector: Array, texts: int, frequent: Heavy) -> int:
        """Add counts; when that makes a slot full how many events it has, else 0."""
        slot = self._filling
        self.events += events
        if slot is not None:
            vector = vector + np.array(slot.vector, dtype=np.int64)
            events, texts, frequent = slot.events + events, slot.texts + texts, merged(slot.frequent, frequent)
        if events < SLOT:
            self._filling = Slot(events, vector.tolist(), texts, frequent)
            return 0
        self._filling = None
        self._ring.append(Slot(events, [], texts, frequent))
        self.vectors.append(vector)
        while len(self._ring) > 1 and sum(each.events for each in self._ring[1:]) >= self._most:
            del self._ring[0], self.vectors[0]
        self.decayed *= self._keep**events
        self.decayed += vector
        return events

    def newest(self, events: int) -> tuple[Array, int]:
        """The sum of the newest slots that hold so many events, or of all there are, and how many events they hold."""
        slots, held = 0, 0
        while slots < len(self._ring) and held < events:
            slots += 1
            held += self._ring[-slots].events
        return np.add.reduce(self.vectors[-slots:]), held

    def forget(self, places: Array, events: int) -> int:
        """Leave of the decayed sum at some places what the newest slots have, which hold so many events; how many."""
        newest, left = self.newest(events)
        self.decayed[places] = newest[places]
        return left

    def words(self) -> tuple[int, Heavy]:
        """How many texts the slots have, and their frequent words."""
        frequent = Heavy()
        for slot in self._ring:
            frequent = merged(frequent, slot.frequent)
        return sum(slot.texts for slot in self._ring), frequent

    def snapshot(self) -> SlotsState:
        """All that there is."""
        pairs = zip(self._ring, self.vectors, strict=True)
        ring = [replace(slot, vector=vector.tolist()) for slot, vector in pairs]
        return SlotsState(self.events, self._filling, ring, self.decayed.tolist())

    def restore(self, state: SlotsState) -> None:
        """Take up a snapshot of slots of the same length."""
        self.events, self._filling = state.events, state.filling
        self._ring = [replace(slot, vector=[]) for slot in state.ring]
        self.vectors = [np.array(slot.vector, dtype=np.int64) for slot in state.ring]
        self.decayed = np.array(state.decayed)
