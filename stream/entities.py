"""What is remembered of customers, terminals and the like: a bounded table of fading counts and means.

A count over a horizon of T seconds is the sum of exp(-age / T) over all events before: of events that come evenly it
expects as many as a window of length T holds, and it needs one number where a window needs all its events. Means and
spreads weigh events in the same way (West 1979, with weights that fade).

While a table is younger than a horizon its counts are told as if what it has seen had gone on before, as Adam's means
are (Kingma and Ba 2015): else a stream's first weeks, on which models are trained, would look unlike all that follow.
"""

import math
from array import array
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from stream.columns import OF_VALUES, Entity
from stream.errors import StateError
from stream.scaling import SETTLED, Moments

PAGE = 1_024
"""Entities of one segment of a snapshot: those that have not changed are not written again."""

YOUNGEST = 1 / 24
"""Of a horizon: no table counts as younger than that, so that one event is no flood of them."""

LONGEST = 86_400.0
"""Seconds that a table grows older by at most from one event to the next."""

GROWN = 30.0
"""Horizons from which on a table's age makes no difference to a double."""

NEVER = -math.inf


class EntityCounts(Struct):
    """What became of entities and of their labels; these only grow.

    ``evicted``: entities that gave way to others. ``forgotten``: labels of entities that had given way.
    """

    evicted: int = 0
    forgotten: int = 0


class Group:
    """One entry of the settings as the table keeps it: numbers from ``begin`` on in an entity's place.

    They are the times of its last event and of its last label, and then of each horizon those that are asked for: the
    count of events; count, mean and sum of squares about the mean of values; counts of labels and of positive ones.
    """

    def __init__(self, entity: Entity, begin: int) -> None:
        asked, many = entity.statistics, len(entity.horizons)
        self.value = entity.value
        self.begin = begin
        self.rates = [-1.0 / horizon for horizon in entity.horizons]
        self.columns = len(entity.columns)
        self.counts = "count" in asked
        self.values = any(statistic in OF_VALUES for statistic in asked)
        self.risks = "risk" in asked
        at = 0
        self.at: dict[str, int | None] = dict.fromkeys(("count", *OF_VALUES, "since", "risk"))
        for statistic in asked:
            self.at[statistic] = at
            at += 1 if statistic == "since" else many
        self.end = begin + 2 + many * (self.counts + 3 * self.values + 2 * self.risks)
        self.scale = Moments()

    def observe(
        self, numbers: "array[float]", base: int, now: float, value: float | None, since: tuple[float, bool]
    ) -> list[float | None]:
        """The statistics before this event, and then with it.

        ``since``: the table's age, and whether a label has counted in it.
        """
        at = self.at
        out: list[float | None] = [None] * self.columns
        place = base + self.begin
        age, labelled = now - numbers[place], now - numbers[place + 1]
        if at["since"] is not None and age < math.inf:
            out[at["since"]] = max(0.0, age)
        if not -LONGEST <= age < 0.0:
            numbers[place] = now  # further back than that, and the time before was a wrong one
        age = max(0.0, age)  # the clock went back: nothing grows younger
        labelled, whole = max(0.0, labelled), since[0]
        near = None
        if self.values and value is not None:
            # One absurd value must not stay in an entity's mean for many horizons.
            near = self.scale.near(value) if self.scale.count >= SETTLED else value
        place += 2
        for index, rate in enumerate(self.rates):
            fade = math.exp(age * rate)
            if self.counts:
                count = numbers[place] * fade
                grown = max(YOUNGEST, -whole * rate)
                seen = 1.0 if grown > GROWN else -math.expm1(-grown)
                out[at["count"] + index] = count / seen  # type: ignore[operator] # it is asked for
                numbers[place] = count + 1.0
                place += 1
            if self.values:
                self._values(numbers, place, fade, (value, near), out, index)
                place += 3
            if self.risks:
                if since[1]:
                    fade = math.exp(labelled * rate)
                    risk = numbers[place + 1] * fade / (numbers[place] * fade + 1.0)
                    out[at["risk"] + index] = risk  # type: ignore[operator] # as above
                place += 2
        if near is not None:
            self.scale.learn(near)
        return out

    def _values(
        self,
        numbers: "array[float]",
        place: int,
        fade: float,
        values: tuple[float | None, float | None],
        out: list[float | None],
        index: int,
    ) -> None:
        at, (value, near) = self.at, values
        count, mean, squares = numbers[place] * fade, numbers[place + 1], numbers[place + 2] * fade
        if count > 0.0:
            if at["mean"] is not None:
                out[at["mean"] + index] = mean
            if at["spread"] is not None:
                out[at["spread"] + index] = math.sqrt(squares / count)
        if near is not None and value is not None:
            if at["deviation"] is not None:
                # With one value of all entities' beside the entity's own: it tells something from the first event on.
                usual = (count * mean + self.scale.mean) / (count + 1.0)
                spread = math.sqrt((squares + self.scale.variance) / (count + 1.0))
                out[at["deviation"] + index] = (value - usual) / spread if spread else 0.0
            count += 1.0
            before = near - mean
            mean += before / count
            # Of West's two forms the one that rounding keeps from falling below 0.
            squares += before * before * (1.0 - 1.0 / count)
        numbers[place], numbers[place + 1], numbers[place + 2] = count, mean, squares

    def label(self, numbers: "array[float]", base: int, now: float, positive: float) -> None:
        """Take in a label."""
        if not self.risks:
            return
        place = base + self.begin
        age = now - numbers[place + 1]
        if age < 0.0:
            age = 0.0
        else:
            numbers[place + 1] = now
        step = self.counts + 3 * self.values + 2
        for index, rate in enumerate(self.rates):
            fade = math.exp(age * rate)
            own = place + 2 + index * step + step - 2
            numbers[own] = numbers[own] * fade + 1.0
            numbers[own + 1] = numbers[own + 1] * fade + positive


class EntityTable:
    """The entities of one field, those seen last, up to ``capacity`` of them; every method is O(1).

    Statistics come in the order of the settings' columns. There is None where there is nothing to tell: of a new
    entity, and of risks as long as no label has counted. In each risk one label that was not positive counts from the
    beginning.

    >>> table = EntityTable([Entity("card", "", ["count", "since"], [86_400.0])], 100)
    >>> [table.observe("a", now, {}) for now in (0.0, 86_400.0)]
    [[0.0, None], [0.5819767068693265, 86400.0]]
    """

    def __init__(self, entities: Sequence[Entity], capacity: int) -> None:
        self.by = entities[0].by
        self.capacity = capacity
        self.groups: list[Group] = []
        for entity in entities:
            # The first number of a place says when the entity was seen last, by a count.
            self.groups.append(Group(entity, self.groups[-1].end if self.groups else 1))
        self.width = self.groups[-1].end
        self.risks = any(group.risks for group in self.groups)
        self.empty = self._empty()
        self.slots: OrderedDict[str, int] = OrderedDict()
        self.keys: list[str] = []
        self.numbers = array("d")
        self.seen = 0
        self.age = 0.0
        self.last = math.inf
        self.labelled = False
        self.counts = EntityCounts()
        self.changed: dict[int, int] = {}

    def _empty(self) -> "array[float]":
        empty = array("d", [0.0] * self.width)
        for group in self.groups:
            empty[group.begin] = empty[group.begin + 1] = NEVER
        return empty

    def observe(self, key: str, now: float, row: Mapping[str, Any]) -> list[float | None]:
        """What is known of an entity before an event of that time, of which ``row`` has the values; it is counted."""
        base = self._place(key)
        # One wrong time must neither make an old table of a young one, nor keep it young.
        self.age += min(max(0.0, now - self.last), LONGEST)
        self.last = now if self.last - now > LONGEST else max(self.last, now)
        since = self.age, self.labelled
        told: list[float | None] = []
        for group in self.groups:
            told += group.observe(self.numbers, base, now, row.get(group.value), since)
        return told

    def label(self, key: str, now: float, *, positive: bool) -> None:
        """Take in a label of an event of an entity, which came at that time."""
        self.labelled = True
        slot = self.slots.get(key)
        if slot is None:
            self.counts.forgotten += 1
            return
        self.seen += 1
        self.changed[slot // PAGE] = self.seen
        for group in self.groups:
            group.label(self.numbers, slot * self.width, now, float(positive))

    def _place(self, key: str) -> int:
        """Where an entity's numbers begin; a new one takes the place of that seen longest ago where all are taken."""
        self.seen += 1
        slot = self.slots.get(key)
        if slot is not None:
            self.slots.move_to_end(key)
        else:
            if len(self.slots) < self.capacity:
                slot = len(self.slots)
                self.keys.append(key)
                self.numbers.extend(self.empty)
            else:
                _, slot = self.slots.popitem(last=False)
                self.counts.evicted += 1
                self.keys[slot] = key
                self.numbers[slot * self.width : (slot + 1) * self.width] = self.empty
            self.slots[key] = slot
        base = slot * self.width
        self.numbers[base] = self.seen
        self.changed[slot // PAGE] = self.seen
        return base

    def state(self) -> tuple[Any, ...]:
        """What a snapshot's body holds: how the segments are named, and what is of all entities."""
        scales = [msgspec.structs.astuple(group.scale) for group in self.groups]
        counts = msgspec.structs.astuple(self.counts)
        return self.seen, self.age, self.last, self.labelled, counts, scales, dict(self.changed)

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """Pages of entities, by names that say when each page was last changed."""
        return {self._name(page, seen): partial(self._page, page) for page, seen in self.changed.items()}

    def _page(self, page: int) -> bytes:
        begin, end = page * PAGE, (page + 1) * PAGE
        numbers = self.numbers[begin * self.width : end * self.width]
        return msgspec.msgpack.encode((self.keys[begin:end], numbers.tobytes()))

    def _name(self, page: int, seen: int) -> str:
        return f"entities-{self.by}-{page}-{seen}"

    def restore(self, state: tuple[Any, ...], segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's state; raises StateError where a segment is missing."""
        self.seen, self.age, self.last, self.labelled, counts, scales, self.changed = state
        self.counts = EntityCounts(*counts)
        for group, scale in zip(self.groups, scales, strict=True):
            group.scale = Moments(*scale)
        self.numbers, self.keys = array("d"), []
        for page in sorted(self.changed):
            name = self._name(page, self.changed[page])
            if name not in segments:
                raise StateError(f"the snapshot names a segment that is not there: {name}")
            named, numbers = msgspec.msgpack.decode(segments[name])
            self.keys += named
            self.numbers.frombytes(numbers)
        order = sorted(range(len(self.keys)), key=lambda slot: self.numbers[slot * self.width])
        self.slots = OrderedDict((self.keys[slot], slot) for slot in order)
        if len(order) > self.capacity:
            self._shrink(order[-self.capacity :])

    def _shrink(self, kept: list[int]) -> None:
        """Keep the entities in these slots alone, moved to the first ones: less is to be remembered than was."""
        width = self.width
        self.counts.evicted += len(self.keys) - len(kept)
        keys, numbers = [self.keys[slot] for slot in kept], array("d")
        for slot in kept:
            numbers.extend(self.numbers[slot * width : (slot + 1) * width])
        self.keys, self.numbers = keys, numbers
        self.slots = OrderedDict((key, slot) for slot, key in enumerate(keys))
        self.seen += 1
        self.changed = {slot // PAGE: self.seen for slot in range(len(keys))}

    def resume(self, later: float, now: float) -> None:
        """Go on at that time, after so many seconds of which little is known: entities have gone on as before."""
        self.last = now
        for slot in range(len(self.keys)):
            for group in self.groups:
                place = slot * self.width + group.begin
                self.numbers[place] = min(self.numbers[place] + later, now)
        self.seen += 1
        self.changed = dict.fromkeys(self.changed, self.seen)

    def contents(self) -> list[Any]:
        """All that counts of it, for a digest: the same wherever entities lie."""
        width = self.width
        told = [
            (key, self.numbers[slot * width + 1 : (slot + 1) * width].tobytes()) for key, slot in self.slots.items()
        ]
        return [*self.state()[:-1], told]
