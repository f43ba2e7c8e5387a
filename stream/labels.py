"""Where events wait for their labels, and how each label is told from the others.

All tables are bounded. *recent* knows the last events by their ids, so that a repeated event is known again and a
second label is told apart from a first. The waiting room holds events until their label is final: as *young* until
``maturity``, labelled or not, then as *overdue* until the label comes or ``ttl`` ends the wait. *early* holds labels
whose event has not come yet.

At every moment::

    predicted   = joined + implied + waiting + expired + evicted
    labels read = joined + early + orphaned + duplicate + conflicting + dead-lettered

Eviction, when more than ``capacity`` events wait, is by a hash of the event's id: those above a threshold go, labelled
or not, and nothing above it is admitted; the threshold doubles while less than half the room is taken. What is still
there at maturity is a sample that does not depend on the label or on when it came. That needs a maturity no shorter
than the labels' delay: an event that leaves at its label, because there is no maturity or because the label was
late, may have left before others like it were evicted. While there is such pressure, these are not ``sampled``.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from stream import segments
from stream.config import Labels
from stream.entry import EVICTED, EXPIRED, IMPLIED, JOINED, WAITING, Entry
from stream.segments import Tables
from stream.snapshot import Snapshot

Fate = Literal["joined", "early", "orphaned", "duplicate", "conflicting"]

ALL = 1 << 64


NOBODY: tuple[Entry, ...] = ()


class Early(Struct, gc=False, array_like=True):
    """A label whose event has not come: the first, when it came by the task's clock, and the last if they differ.

    ``fair``: as of an entry.
    """

    label: int
    time: float
    came: float
    last: int = -1
    last_time: float = 0.0
    fair: bool = True


class LabelCounts(Struct, gc=False):
    """How many events and labels met each fate; these only grow."""

    joined: int = 0
    implied: int = 0
    expired: int = 0
    evicted: int = 0
    unsampled: int = 0
    orphaned: int = 0
    duplicate: int = 0
    conflicting: int = 0
    late: int = 0


class LabelJoin:
    """The tables and their counts; all methods are O(1), but for an eviction's amortised scan.

    ``implied`` is the class that an absent label means, or -1.
    """

    def __init__(self, settings: Labels, recent_ids: int, implied: int) -> None:
        self.settings = settings
        self.implied = implied
        self.recent_ids = recent_ids
        self.recent: OrderedDict[str, Entry] = OrderedDict()
        self.young: OrderedDict[str, Entry] = OrderedDict()
        self.overdue: OrderedDict[str, Entry] = OrderedDict()
        self.early: OrderedDict[str, Early] = OrderedDict()
        self.counts = LabelCounts()
        self.waiting = 0
        self.admitted = 0
        self.begun: tuple[int, float] | None = None
        self.threshold = ALL
        self.pressed: float | None = None
        self._holds = settings.maturity > 0

    def known(self, event_id: str) -> Entry | None:
        """The entry of an event that has been here before, if it is still remembered."""
        return self.recent.get(event_id) or self.young.get(event_id) or self.overdue.get(event_id)

    def admit(self, event_id: str, entry: Entry) -> Sequence[Entry]:
        """Let an event wait; answers the labelled entries that leave before their time because of it."""
        entry.number = self.admitted
        self.admitted += 1
        self.recent[event_id] = entry
        if len(self.recent) > self.recent_ids:
            self.recent.popitem(last=False)
        if self.threshold < ALL:
            self.pressed = entry.arrived
            if self.held() < self.settings.capacity // 2:
                self.threshold = min(ALL, self.threshold * 2)
            if _hash(event_id) >= self.threshold:
                self._evict(entry)
                return NOBODY
        self.waiting += 1
        (self.young if self._holds else self.overdue)[event_id] = entry
        return self._make_room() if len(self.young) + len(self.overdue) > self.settings.capacity else NOBODY

    def join(
        self, event_id: str, label: int, time: float, clock: float, *, fair: bool = True
    ) -> tuple[Fate, Entry | None, bool]:
        """Meet a label with its event. ``fair``: whether it is in the sample that is judged by, if it is the first.

        Gives the entry where the label is its first, or contradicts what has been published; and whether a first label
        is final at once, not held for maturity: the entry has then left the room.
        """
        entry = self.known(event_id)
        if entry is None:
            return self._meet_early(event_id, Early(label, time, clock, fair=fair)), None, False
        counts = self.counts
        if entry.state == WAITING:
            counts.joined += 1
            self.waiting -= 1
            entry.state, entry.label, entry.label_time, entry.fair = JOINED, label, time, fair
            if event_id in self.young:
                return "joined", entry, False
            del self.overdue[event_id]
            counts.late += self._holds
            return "joined", entry, True
        if entry.label < 0:
            counts.orphaned += 1
            return "orphaned", None, False
        if label == (entry.label if entry.last < 0 else entry.last):
            counts.duplicate += 1
            return "duplicate", None, False
        counts.conflicting += 1
        entry.last, entry.last_time = label, time
        # Until the record itself has left, its correction waits: it is published behind it.
        return "conflicting", None if event_id in self.young else entry, False

    def begin(self, clock: float) -> None:
        """Set the first clock: what came before anything moved it has arrived now."""
        self.begun = self.admitted, clock
        for table in (self.young, self.overdue, self.recent):
            for entry in table.values():
                entry.arrived = clock
        for early in self.early.values():
            early.came = clock

    def take_early(self, event_id: str) -> Early | None:
        """The label that came before its event, if one did."""
        return self.early.pop(event_id, None)

    def advance(self, clock: float) -> Iterator[Entry]:
        """Let time pass: yields, in event order, the entries whose label has become final, implied ones included."""
        settings = self.settings
        while self.young:
            event_id, entry = next(iter(self.young.items()))
            # A label that comes at the very moment is in time.
            if entry.arrived + settings.maturity >= clock:
                break
            del self.young[event_id]
            if entry.state == JOINED:
                yield entry
            elif self.implied >= 0:
                self.waiting -= 1
                self.counts.implied += 1
                entry.state, entry.label = IMPLIED, self.implied
                entry.label_time = entry.arrived + settings.maturity
                yield entry
            else:
                self.overdue[event_id] = entry
        while self.overdue:
            event_id, entry = next(iter(self.overdue.items()))
            if entry.arrived + settings.ttl >= clock:
                break
            del self.overdue[event_id]
            self.waiting -= 1
            self.counts.expired += 1
            entry.state = EXPIRED
            entry.drop()
        while self.early:
            event_id, early = next(iter(self.early.items()))
            if early.came + settings.ttl >= clock:
                break
            del self.early[event_id]
            self.counts.orphaned += 1

    def oldest(self) -> float | None:
        """The arrival time of the event that has waited longest."""
        heads = [next(iter(table.values())).arrived for table in (self.young, self.overdue) if table]
        return min(heads, default=None)

    def undisturbed(self, entry: Entry) -> bool:
        """Whether nothing has been evicted, or turned away, since the entry came."""
        return self.pressed is None or entry.arrived > self.pressed

    def in_room(self) -> Iterator[Entry]:
        """Entries in the room, the longest in it first."""
        yield from self.overdue.values()
        yield from self.young.values()

    def first(self) -> int:
        """The number of the first entry that is still held; all that come later have greater ones."""
        tables = (self.young, self.overdue, self.recent)
        return min((next(iter(table.values())).number for table in tables if table), default=self.admitted)

    def held(self) -> int:
        """Entries in the room: those that wait for a label and those whose label is not final yet."""
        return len(self.young) + len(self.overdue)

    def _meet_early(self, event_id: str, early: Early) -> Fate:
        before = self.early.get(event_id)
        if before is not None:
            if early.label == (before.label if before.last < 0 else before.last):
                self.counts.duplicate += 1
                return "duplicate"
            self.counts.conflicting += 1
            before.last, before.last_time = early.label, early.time
            return "conflicting"
        self.early[event_id] = early
        if len(self.early) > self.settings.capacity:
            self.early.popitem(last=False)
            self.counts.orphaned += 1
        return "early"

    def _make_room(self) -> list[Entry]:
        """Evict the sixteenth of the room whose hashes are greatest, and admit nothing above that from now on."""
        hashes = {event_id: _hash(event_id) for table in (self.young, self.overdue) for event_id in table}
        self.threshold = sorted(hashes.values())[len(hashes) * 15 // 16]
        self.pressed = max(entry.arrived for table in (self.young, self.overdue) for entry in table.values())
        leaving: list[Entry] = []
        for table in (self.young, self.overdue):
            for event_id in [event_id for event_id in table if hashes[event_id] >= self.threshold]:
                entry = table.pop(event_id)
                if entry.state == JOINED:
                    self.counts.unsampled += 1
                    leaving.append(entry)
                else:
                    self.waiting -= 1
                    self._evict(entry)
        return leaving

    def _evict(self, entry: Entry) -> None:
        self.counts.evicted += 1
        entry.state = EVICTED
        entry.drop()

    def snapshot(self) -> Snapshot:
        """All of it; taken between batches."""
        entries = segments.snapshot(self._tables())
        return Snapshot(msgspec.msgpack.encode((entries.body, *self._rest())), entries.segments)

    def restore(self, body: bytes, kept: Mapping[str, bytes]) -> None:
        """Take up a snapshot's state in place of this one's; raises StateError where a segment is missing."""
        entries, early, counts, self.waiting, threshold, self.pressed = msgspec.msgpack.decode(body)
        tables = segments.restore(entries, kept)
        self.counts = LabelCounts(*counts)
        self.threshold = threshold + 1
        self.admitted, self.begun = tables.admitted, tables.begun
        self.young, self.overdue, self.recent = (
            OrderedDict((entry.prediction.event_id, entry) for entry in table)
            for table in (tables.young, tables.overdue, tables.recent)
        )
        self.early = OrderedDict((event_id, Early(*values)) for event_id, values in early)

    def digest(self) -> str:
        """The sha256 of the contents: lists in their order, floats bit by bit."""
        made = hashlib.sha256(msgspec.msgpack.encode(self._rest()))
        for part in segments.contents(self._tables()):
            made.update(part)
        return made.hexdigest()

    def _tables(self) -> Tables:
        young, overdue, recent = (list(table.values()) for table in (self.young, self.overdue, self.recent))
        return Tables(young, overdue, recent, self.admitted, self.begun)

    def _rest(self) -> tuple[Any, ...]:
        early = [(event_id, astuple(early)) for event_id, early in self.early.items()]
        return early, astuple(self.counts), self.waiting, self.threshold - 1, self.pressed


def _hash(event_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(event_id.encode(errors="surrogatepass"), digest_size=8).digest(), "big")
