"""Derived columns: of an event's time, and of what is remembered of the entities that it names.

They are put into an event's row before the models see it, so that both learn from the same numbers, and the training
log has them as they were. An event counts for its entities from the next one on.

A label counts from when it has arrived on, never before.
"""

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from stream.columns import Features
from stream.entities import EntityCounts, EntityTable
from stream.features import Row

HOUR, DAY, MONDAY = 3_600.0, 86_400.0, 3.0
"""Seconds; the epoch began on a Thursday."""

NIGHT = 6.0
"""Hours of a day that are night, its first ones."""


class Derived:
    """The tables of a stream's entities, and the labels that are known beforehand to come: those of a warm-up."""

    def __init__(self, features: Features) -> None:
        self._moments = [_MOMENTS[moment] for moment in features.moments]
        self._names = features.derived
        grouped = {by: [entity for entity in features.entities if entity.by == by] for by in features.keys}
        self.tables = {by: EntityTable(entities, features.entity_capacity) for by, entities in grouped.items()}
        self._columns = {
            by: [name for entity in entities for name in entity.columns] for by, entities in grouped.items()
        }
        self._nobody: dict[str, list[float | None]] = {by: [None] * len(of) for by, of in self._columns.items()}
        self._risky = [by for by, table in self.tables.items() if table.risks]
        self.waiting: list[tuple[float, int, bool, list[tuple[str, str]]]] = []
        self.expected = 0

    def __bool__(self) -> bool:
        """Whether there are any derived columns."""
        return bool(self._names)

    def advance(self, time: float) -> None:
        """Let the expected labels count that have come by then."""
        while self.waiting and self.waiting[0][0] <= time:
            came, _, positive, named = heappop(self.waiting)
            self._label(named, came, positive=positive)

    def skip(self, row: Row) -> None:
        """Have None for each derived column of an event that does not count."""
        row.update(dict.fromkeys(self._names))

    def count(self, row: Mapping[str, Any], time: float) -> None:
        """Count an event whose row has its derived columns already."""
        for by, table in self.tables.items():
            if row[by] is not None:
                table.observe(row[by], time, row)

    def add(self, row: Row, time: float) -> None:
        """Put the derived columns of an event of this time into its row, and count the event."""
        for name, of in self._moments:
            row[name] = of(time)
        for by, table in self.tables.items():
            key = row[by]
            told = self._nobody[by] if key is None else table.observe(key, time, row)
            row.update(zip(self._columns[by], told, strict=True))

    def label(self, row: Mapping[str, Any], came: float, *, positive: bool) -> None:
        """Take in the label of a row, which came at that time."""
        self._label(self._named(row), came, positive=positive)

    def expect(self, row: Mapping[str, Any], comes: float, *, positive: bool) -> None:
        """Know beforehand of the label of a row that it will come at that time: until then it does not count."""
        named = self._named(row)
        if named:
            heappush(self.waiting, (comes, self.expected, positive, named))
            self.expected += 1

    def resume(self, later: float, now: float) -> None:
        """Go on at that time, after so many seconds of which little is known."""
        for table in self.tables.values():
            table.resume(later, now)

    def _named(self, row: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(by, row[by]) for by in self._risky if row[by] is not None]

    def _label(self, named: Iterable[tuple[str, str]], came: float, *, positive: bool) -> None:
        for by, key in named:
            self.tables[by].label(key, came, positive=positive)

    def counts(self) -> dict[str, tuple[int, EntityCounts]]:
        """By field: how many entities are remembered, and what became of others."""
        return {by: (len(table.slots), table.counts) for by, table in self.tables.items()}

    def state(self) -> tuple[Any, ...]:
        """What a snapshot's body holds."""
        tables = {by: table.state() for by, table in self.tables.items()}
        return tables, self.waiting, self.expected

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """A snapshot's segments."""
        return {name: encode for table in self.tables.values() for name, encode in table.segments().items()}

    def restore(self, state: tuple[Any, ...], segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's; raises StateError where a segment is missing."""
        tables, self.waiting, self.expected = state
        for by, table in self.tables.items():
            table.restore(tables[by], segments)

    def contents(self) -> list[Any]:
        """All that counts of it, for a digest."""
        tables = {by: table.contents() for by, table in self.tables.items()}
        return [tables, sorted(self.waiting), self.expected]


def _hour(time: float) -> float:
    return time % DAY / HOUR


def _weekday(time: float) -> float:
    return (time // DAY + MONDAY) % 7.0


def _night(time: float) -> float:
    return float(time % DAY < NIGHT * HOUR)


_MOMENTS: dict[str, tuple[str, Callable[[float], float]]] = {
    "hour": ("time.hour", _hour),
    "weekday": ("time.weekday", _weekday),
    "night": ("time.night", _night),
}
