"""Derived columns: of an event's time, and of what is remembered of the entities that it names.

They are put into an event's row before the models see it, so that both learn from the same numbers, and the training
log has them as they were. An event counts for its entities from the next one on.

Labels count when they have arrived, never before: from the end of a span of time on, STEPS of which make the shortest
horizon of a risk. Within a span no label changes any column, so that whole batches can be made ready at once: whoever
feeds events cuts batches where a span ends.
"""

import math
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

from stream.columns import Features
from stream.entities import EntityCounts, EntityTable
from stream.features import Row

STEPS = 24
"""Of the shortest horizon of a risk; a day's labels count from the next full hour on."""

HOUR, DAY, MONDAY = 3_600.0, 86_400.0, 3.0
"""Seconds; the epoch began on a Thursday."""

NIGHT = 6.0
"""Hours of a day that are night, its first ones."""


class Derived:
    """The tables of a stream's entities, and the labels that have come and do not count yet.

    ``span``: of time, in seconds, at whose ends labels begin to count; None where nothing is made of labels.
    """

    def __init__(self, features: Features) -> None:
        self._moments = [_MOMENTS[moment] for moment in features.moments]
        self._names = features.derived
        grouped = {by: [entity for entity in features.entities if entity.by == by] for by in features.keys}
        self.tables = {by: EntityTable(entities, features.entity_capacity) for by, entities in grouped.items()}
        self._columns = {
            by: [name for entity in entities for name in entity.columns] for by, entities in grouped.items()
        }
        self._nobody: dict[str, list[float | None]] = {by: [None] * len(of) for by, of in self._columns.items()}
        horizons = [h for entity in features.entities if "risk" in entity.statistics for h in entity.horizons]
        self.span = min(horizons) / STEPS if horizons else None
        self._risky = [by for by, table in self.tables.items() if table.risks]
        self.waiting: list[tuple[float, int, bool, list[tuple[str, str]]]] = []
        self.came = 0
        self.until = -math.inf

    def __bool__(self) -> bool:
        """Whether there are any derived columns."""
        return bool(self._names)

    def end(self, time: float) -> float:
        """Where the span of a time ends; never, where no label changes anything."""
        return math.inf if self.span is None else (time // self.span + 1.0) * self.span

    def advance(self, time: float) -> None:
        """Let the labels count that came before the span of this time began."""
        if self.span is None or not self.until <= time > -math.inf:
            return
        self.until = self.end(time)
        begin = self.until - self.span
        while self.waiting and self.waiting[0][0] < begin:
            came, _, positive, named = heappop(self.waiting)
            for by, key in named:
                self.tables[by].label(key, came, positive=positive)

    def skip(self, row: Row) -> None:
        """Have None for each derived column in the row of an event that does not count, as it is a repeated one."""
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
        """Take in the label of a row, which has come, or will come, at that time."""
        named = [(by, row[by]) for by in self._risky if row[by] is not None]
        if named:
            heappush(self.waiting, (came, self.came, positive, named))
            self.came += 1

    def counts(self) -> dict[str, tuple[int, EntityCounts]]:
        """By field: how many entities are remembered, and what became of others."""
        return {by: (len(table.slots), table.counts) for by, table in self.tables.items()}

    def state(self) -> tuple[Any, ...]:
        """What a snapshot's body holds."""
        tables = {by: table.state() for by, table in self.tables.items()}
        return tables, self.waiting, self.came, self.until

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """A snapshot's segments."""
        return {name: encode for table in self.tables.values() for name, encode in table.segments().items()}

    def restore(self, state: tuple[Any, ...], segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's; raises StateError where a segment is missing."""
        tables, self.waiting, self.came, self.until = state
        for by, table in self.tables.items():
            table.restore(tables[by], segments)

    def contents(self) -> list[Any]:
        """All that counts of it, for a digest."""
        tables = {by: table.contents() for by, table in self.tables.items()}
        return [tables, sorted(self.waiting), self.came, self.until]


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
