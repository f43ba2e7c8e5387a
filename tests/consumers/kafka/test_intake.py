"""The order in which partitions are merged, and the batches that are cut of it."""

from collections import deque
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kafka.intake import Intake, Place, skip, split
from consumers.kafka.journal import LOST, TICK, Entry, decode, encode, runs, sides
from consumers.transport import Batch
from stream.errors import StateError
from stream.records import Event, Input, Label, Lost, Skip, Tick, Undecodable

NEVER = float("-inf")


class Record(NamedTuple):
    """As much of a broker's record as the intake looks at."""

    offset: int
    value: bytes | None
    time: float | None = None
    ahead: bool = False


def made(side: int, record: Record) -> Input:
    if record.time is None:
        return Undecodable(("events", "labels")[side], "is broken", "", record.offset, record.value or b"")
    kind = (Event, Label)[side]
    third: Any = ({}, "1")[side]
    return kind(f"{side}.{record.offset}", record.time, third, record.offset, record.ahead, record.value)


def intake(events: list[Record], labels: list[Record], *, ordered: bool = True) -> Intake:
    new = Intake(made, Place([0, 0], NEVER), ordered=ordered)
    new.offer(0, events)
    new.offer(1, labels)
    return new


def at(*times: float | None, first: int = 0) -> list[Record]:
    return [Record(first + i, b"x", time) for i, time in enumerate(times)]


def places(batch: Batch | None) -> list[tuple[int, int]]:
    assert batch is not None
    return [
        (side, -1 if record is None else record.offset)
        for side, record in zip(batch.mark.sides, batch.mark.records, strict=True)
    ]


def nobody(_side: int) -> bool:
    return False


def test_the_smallest_time_comes_first_and_an_event_before_a_label_at_a_tie() -> None:
    batch = intake(at(1, 2, 5), at(1, 3, 5)).take(10, nobody)
    assert places(batch) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


def test_within_a_partition_the_order_is_that_of_offsets_whatever_the_times() -> None:
    batch = intake(at(9, 1, 5), at(2)).take(10, nobody)
    assert places(batch) == [(1, 0), (0, 0), (0, 1), (0, 2)]


def test_what_has_no_time_comes_right_behind_what_came_before_it() -> None:
    batch = intake([*at(1, 4), Record(2, b"?"), Record(3, b"y", 9)], at(4, 5)).take(10, nobody)
    assert places(batch) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (0, 3)]


def test_a_time_that_is_not_believed_holds_nothing_up_and_moves_no_clock() -> None:
    batch = intake([Record(0, b"x", 1), Record(1, b"x", 1e12, ahead=True), Record(2, b"x", 3)], at(2, 4)).take(
        10, nobody
    )
    assert places(batch) == [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1)]
    assert batch is not None
    assert batch.mark.end.clock == 4


def test_a_side_that_is_known_to_have_more_is_waited_for() -> None:
    own = intake(at(1, 2, 3), at(1))
    assert places(own.take(10, lambda side: side == 1)) == [(0, 0), (1, 0)]
    assert own.take(10, lambda side: side == 1) is None
    own.offer(1, at(2, first=1))
    assert places(own.take(10, nobody)) == [(0, 1), (1, 1), (0, 2)]


def test_whether_a_side_has_more_is_asked_once_a_batch() -> None:
    asked = []
    intake(at(*range(100)), []).take(100, lambda side: bool(asked.append(side)))
    assert asked == [1]


def test_the_monitor_takes_records_as_they_come() -> None:
    own = Intake(made, Place([0, 0], NEVER), ordered=False)
    own.offer(1, at(9))
    own.offer(0, at(1, 2))
    own.offer(1, at(3, first=1))
    assert places(own.take(3, nobody)) == [(1, 0), (0, 0), (0, 1)]
    assert places(own.take(3, nobody)) == [(1, 1)]


def test_time_is_fed_only_when_there_is_nothing_else() -> None:
    own = intake(at(1), [])
    assert places(own.take(10, nobody, tick=7.0)) == [(0, 0)]
    assert own.take(10, lambda _: True, tick=7.0) is None
    batch = own.take(10, nobody, tick=7.0)
    assert batch is not None
    assert batch.inputs == [Tick(7.0)]
    assert (batch.mark.end.offsets, batch.mark.end.clock) == ([1, 0], 7.0)


def test_what_retention_has_deleted_is_said_first_and_gone_on_behind() -> None:
    own = intake([], at(4))
    own.lose(0, Lost("events", 0, 9))
    own.offer(0, at(5, first=10))
    batch = own.take(10, nobody)
    assert batch is not None
    assert batch.inputs[0] == Lost("events", 0, 9)
    assert batch.mark.sides == [LOST, 1, 0]
    assert batch.mark.end.offsets == [11, 1]


def test_what_a_recovery_cannot_feed_again_moves_no_place_back() -> None:
    own = Intake(made, Place([200, 7], 3.0), ordered=True)
    own.lose(0, Lost("events", 100, 189))
    batch = own.take(10, nobody)
    assert batch is not None
    assert batch.mark.end.offsets == [200, 7]


def test_a_skip_carries_the_bytes_and_stands_in_the_same_place() -> None:
    batch = intake(at(1), at(2)).take(1, nobody)
    assert batch is not None
    skipped = skip(batch, "events", "broke it")
    assert skipped.inputs == [Skip("events", "broke it", 0, b"x")]
    assert skipped.mark.end.offsets == [1, 0]
    assert skipped.mark.entry(1, skipped.inputs, "c").skips == {0: "broke it"}


def test_a_tick_can_be_skipped_too() -> None:
    own = intake(at(1), [])
    own.take(1, nobody)
    batch = own.take(1, nobody, tick=5.0)
    assert batch is not None
    assert skip(batch, "events", "broke it").inputs == [Skip("ticks", "broke it")]


times = st.one_of(st.none(), st.floats(0, 20).map(lambda t: round(t, 1)))


@given(st.lists(times, max_size=20), st.lists(times, max_size=20), st.integers(1, 7), st.randoms())
@settings(max_examples=150)
def test_the_journal_says_in_which_order_inputs_were_fed_however_they_were_cut(
    first: list[float | None], second: list[float | None], most: int, chance: Any
) -> None:
    own = intake(at(*first), at(*second))
    cuts: list[Batch] = []
    while (batch := own.take(most, nobody)) is not None:
        parts = [batch]
        while any(len(part.inputs) > 1 for part in parts) and chance.random() < 0.5:
            part = next(p for p in parts if len(p.inputs) > 1)
            where = parts.index(part)
            parts[where : where + 1] = split(part)
        cuts += parts
    queues = [deque(at(*first)), deque(at(*second))]
    place = [0, 0]
    clock = NEVER
    for number, cut in enumerate(cuts):
        entry = decode(encode(cut.mark.entry(number, cut.inputs, "code")))
        assert isinstance(entry, Entry)
        assert entry.begin == place
        again = [made(side, queues[side].popleft()) for side in sides(entry.runs)]
        assert again == cut.inputs
        place = entry.end
        clock = max([clock, *(r.time for r in again if isinstance(r, Event | Label))])
        assert entry.clock == clock
    assert place == [len(first), len(second)]
    assert not any(queues)


@given(st.lists(st.sampled_from([0, 1, 2, TICK, LOST])))
def test_an_order_comes_back_from_its_runs(order: list[int]) -> None:
    assert sides(runs(order)) == order


def test_a_batch_of_alternating_sides_takes_little_room_in_the_journal() -> None:
    order = [0, 1] * 512
    entry = Entry(7, [0, 0], [512, 512], runs(order), 1.0, "c" * 64)
    assert len(encode(entry)) < 200
    assert decode(encode(entry)) == entry


@pytest.mark.parametrize("damage", [b"", b"\1", b"\1abc", b"\0\x93", b"\2"])
def test_what_is_no_entry_is_refused(damage: bytes) -> None:

    with pytest.raises(StateError):
        decode(damage)
