"""The order of a replay's inputs, and that it goes on from every position as if it had never stopped."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.lines import Row
from consumers.order import PAST, Delay, Order, Position, SideBySide, TwoFiles
from stream.config import Fields
from stream.decoding import RecordDecoder
from stream.errors import RecordError
from stream.records import Event, Input, Label, Tick, Undecodable

NOW = 1_000_000.0
FAR = 4_070_908_800.0
"""A time in 2099."""


def row(event_id: str, time: float, label: str | None = None) -> Row:
    fields: dict[str, Any] = {"event_id": event_id, "time": time}
    if label is not None:
        fields["label"] = label
    return fields, json.dumps(fields).encode()


def broken(raw: bytes = b"{") -> Row:
    return RecordError("", "is no JSON object"), raw


def decoder() -> RecordDecoder:
    return RecordDecoder(Fields(), received=NOW, max_ahead=3600.0)


def beside(
    rows: list[Row], delay: Delay | None = None, start: Position | None = None, maturity: float = 0.0, first: int = 0
) -> SideBySide:
    return SideBySide(lambda: iter(rows), decoder(), delay or Delay(), maturity, start or Position(0, 0), first)


def apart(
    events: list[Row],
    labels: list[Row],
    skip: frozenset[str] = frozenset(),
    start: Position | None = None,
    maturity: float = 0.0,
) -> TwoFiles:
    start = start or Position(0, 0)
    return TwoFiles(lambda: iter(events), lambda: iter(labels), decoder(), maturity, start, skip)


def brief(inputs: Iterator[Input]) -> list[str]:
    """``a`` an event, ``a:1@7`` its label at time 7, ``!`` what is undecodable, ``|9`` the closing tick past 9."""
    found = []
    for record in inputs:
        if isinstance(record, Event):
            found.append(record.event_id)
        elif isinstance(record, Label):
            found.append(f"{record.event_id}:{record.label}@{record.time:g}")
        elif isinstance(record, Undecodable):
            found.append("!")
        elif isinstance(record, Tick):
            found.append(f"|{record.time - PAST:g}")
    return found


FOUR = [row("a", 1.0, "1"), row("b", 2.0, "0"), row("c", 3.0, "1"), row("d", 4.0, "0")]


# ------------------------------------------------------------------------------------------- labels beside events


def test_labels_without_delay_come_at_once_with_their_events_time() -> None:
    assert brief(beside(FOUR).inputs()) == "a a:1@1 b b:0@2 c c:1@3 d d:0@4 |4".split()


def test_a_label_one_event_late_comes_behind_the_next_event_at_its_time() -> None:
    found = brief(beside(FOUR, Delay(events=1)).inputs())
    assert found == "a b a:1@2 c b:0@3 d c:1@4 d:0@4 |4".split()


def test_labels_later_than_the_stream_is_long_all_come_at_its_end() -> None:
    found = brief(beside(FOUR, Delay(events=500), maturity=10.0).inputs())
    assert found == "a b c d a:1@4 b:0@4 c:1@4 d:0@4 |14".split()


def test_a_label_five_hundred_events_late_waits_for_five_hundred_rows() -> None:
    rows = [row(f"e{i}", float(i), "1") for i in range(600)]
    found = brief(beside(rows, Delay(events=500)).inputs())
    assert found.index("e0:1@500") == found.index("e500") + 1
    assert found.index("e99:1@599") == found.index("e599") + 1
    assert len(found) == 1201


def test_labels_late_by_seconds_come_in_the_order_of_time() -> None:
    found = brief(beside(FOUR, Delay(seconds=1.5)).inputs())
    assert found == "a b a:1@2.5 c b:0@3.5 d c:1@4.5 d:0@5.5 |5.5".split()


def test_an_event_comes_before_a_label_that_is_due_at_the_same_time() -> None:
    found = brief(beside(FOUR, Delay(seconds=1.0)).inputs())
    assert found == "a b a:1@2 c b:0@3 d c:1@4 d:0@5 |5".split()


def test_a_delay_of_no_seconds_still_lets_all_events_of_a_moment_come_first() -> None:
    rows = [row("a", 1.0, "1"), row("b", 1.0, "0"), row("c", 2.0, "1")]
    assert brief(beside(rows, Delay(seconds=0.0)).inputs()) == "a b a:1@1 b:0@1 c c:1@2 |2".split()


@pytest.mark.parametrize("delay", [Delay(), Delay(events=1), Delay(seconds=0.5)])
def test_rows_without_a_label_and_rows_that_cannot_be_read_hold_up_nothing(delay: Delay) -> None:
    rows = [row("a", 1.0, "1"), row("b", 2.0), broken(), row("c", 3.0, "1"), broken(), row("d", 4.0)]
    found = brief(beside(rows, delay).inputs())
    assert [name for name in found if ":" not in name] == [
        "a",
        "b",
        "!",
        "c",
        "!",
        "d",
        "|4.5" if delay.seconds else "|4",
    ]
    assert [name.partition("@")[0] for name in found if ":" in name] == ["a:1", "c:1"]


@pytest.mark.parametrize("delay", [Delay(), Delay(events=1), Delay(events=2), Delay(seconds=0.5)])
def test_a_time_past_belief_moves_no_label_but_its_own_and_holds_up_none(delay: Delay) -> None:
    rows = [row("a", 1.0, "1"), row("b", 2.0, "1"), row("far", FAR, "1"), row("c", 3.0, "1"), row("d", 4.0, "1")]
    records = list(beside(rows, delay).inputs())
    labels = [record for record in records if isinstance(record, Label)]
    assert [label.event_id for label in labels] == ["a", "b", "far", "c", "d"]
    assert all(label.time <= 5.0 or label.ahead for label in labels)
    assert all(label.time <= 5.0 for label in labels if label.event_id != "far")
    ends = brief(iter(records))
    assert ends.index("d") > next(place for place, name in enumerate(ends) if name.startswith("a:1"))
    assert isinstance(records[-1], Tick)
    assert records[-1].time <= 5.0 + PAST


def test_a_time_past_belief_does_not_bring_labels_forward() -> None:
    rows = [row("a", 1.0, "1"), row("far", FAR), row("b", 2.0)]
    assert brief(beside(rows, Delay(seconds=5.0)).inputs()) == "a far b a:1@6 |7".split()


def test_events_out_of_order_are_fed_as_they_stand_and_no_label_is_earlier_than_its_event() -> None:
    rows = [row("a", 5.0, "1"), row("b", 1.0, "1"), row("c", 9.0, "1")]
    assert brief(beside(rows, Delay(events=1)).inputs()) == "a b a:1@5 c b:1@9 c:1@9 |9".split()
    assert brief(beside(rows, Delay(seconds=1.0)).inputs()) == "a b b:1@2 a:1@6 c c:1@10 |10".split()


def test_one_far_off_time_holds_back_its_own_label_only() -> None:
    rows = [row("a", 1.0, "1"), row("b", 1e6, "1"), row("c", 2.0, "1"), row("d", 9.0, "1")]
    assert brief(beside(rows, Delay(seconds=1.0)).inputs()) == "a a:1@2 b c c:1@3 d d:1@10 b:1@1e+06 |1e+06".split()


def test_no_rows_give_only_the_closing_tick() -> None:
    assert brief(beside([], maturity=3.0).inputs()) == ["|3"]
    assert brief(apart([], [], maturity=3.0).inputs()) == ["|3"]


def test_the_raw_bytes_and_the_row_number_come_along_with_every_input() -> None:
    rows = [row("a", 1.0, "1"), broken(b"junk"), row("b", 2.0, "1")]
    for delay in (Delay(), Delay(events=1), Delay(seconds=1.0)):
        records = [record for record in beside(rows, delay).inputs() if not isinstance(record, Tick)]
        for record in records:
            assert not isinstance(record, Tick)
            assert record.raw == rows[record.offset][1]


# ------------------------------------------------------------------------------------------- labels with times


def told(event_id: str, time: float, came: Any, label: str | None = "1") -> Row:
    fields, _ = row(event_id, time, label)
    assert isinstance(fields, dict)
    fields["came"] = came
    return fields, json.dumps(fields).encode()


def timed(rows: list[Row], start: Position | None = None, maturity: float = 0.0, first: int = 0) -> SideBySide:
    reader = RecordDecoder(Fields(label_time="came"), received=NOW, max_ahead=3600.0)
    return SideBySide(lambda: iter(rows), reader, Delay(), maturity, start or Position(0, 0), first)


def test_labels_come_when_their_rows_say_events_first_at_a_tie() -> None:
    rows = [told("a", 1.0, 7.5), told("b", 2.0, 3), told("c", 3.0, "4.5", "0"), told("d", 5.0, None, None)]
    assert brief(timed(rows, maturity=1.0).inputs()) == "a b c b:1@3 c:0@4.5 d a:1@7.5 |8.5".split()


def test_a_label_that_is_older_than_its_event_comes_right_before_it() -> None:
    rows = [told("a", 1.0, 1.5), told("b", 3.0, 0.5), told("c", 4.0, 4.0)]
    assert brief(timed(rows).inputs()) == "a b:1@0.5 a:1@1.5 b c c:1@4 |4".split()


@pytest.mark.parametrize("came", [None, "", "noon", float("inf"), True])
def test_a_label_whose_time_cannot_be_read_is_no_label_and_the_field_is_named(came: Any) -> None:
    rows = [told("a", 1.0, 2.0), told("b", 1.5, came), told("c", 3.0, 4.0)]
    records = list(timed(rows).inputs())
    assert brief(iter(records)) == "a b ! a:1@2 c c:1@4 |4".split()
    [dead] = [record for record in records if isinstance(record, Undecodable)]
    assert (dead.source, dead.field, dead.offset, dead.raw) == ("labels", "came", 1, rows[1][1])
    assert "'came'" in dead.reason


def test_a_labels_time_past_belief_is_marked_and_moves_neither_another_label_nor_the_end() -> None:
    rows = [told("a", 1.0, FAR), told("b", 2.0, 3.0), told("c", 4.0, 9.0)]
    records = list(timed(rows).inputs())
    assert brief(iter(records)) == "a b b:1@3 c c:1@9 a:1@4.07091e+09 |9".split()
    assert [record.event_id for record in records if isinstance(record, Label) and record.ahead] == ["a"]


@pytest.mark.parametrize(
    ("delay", "came"), [(Delay(), None), (Delay(events=1), None), (Delay(seconds=0.5), None), (Delay(), 9.0)]
)
def test_labels_bring_their_probability_along_and_without_one_are_none_and_the_field_is_named(delay, came) -> None:
    rows = []
    for at, stated in enumerate([1, "0.5", 0.01, None, 0.25]):
        fields = {"event_id": f"e{at}", "time": float(at), "label": "1", "p": stated, "came": came}
        rows.append((fields, json.dumps(fields).encode()))
    rows.append(row("bare", 6.0, None))
    fields = Fields(label_time="came" if came else "", inspection_probability="p")
    reader = RecordDecoder(fields, received=NOW, max_ahead=3600.0, least=0.1)
    records = list(SideBySide(lambda: iter(rows), reader, delay, 0.0, Position(0, 0)).inputs())
    assert [(r.event_id, r.probability) for r in records if isinstance(r, Label)] == [
        ("e0", 1.0),
        ("e1", 0.5),
        ("e4", 0.25),
    ]
    dead = [r for r in records if isinstance(r, Undecodable)]
    assert [(r.source, r.field, r.offset) for r in dead] == [("labels", "p", 2), ("labels", "p", 3)]
    assert "is 0.01, and labels.least_inspection_probability is 0.1" in dead[0].reason


def test_rows_that_the_warm_up_used_up_give_neither_event_nor_label() -> None:
    rows = [told("a", 1.0, 9.0), told("b", 2.0, 3.0), told("c", 4.0, 4.5)]
    assert brief(timed(rows, Position(1, 1), first=1).inputs()) == "b b:1@3 c c:1@4.5 |4.5".split()


# ------------------------------------------------------------------------------------------- labels of their own


def test_events_and_labels_of_two_files_are_merged_by_time_events_first_at_a_tie() -> None:
    events = [row("a", 1.0), row("b", 2.0), row("c", 3.0)]
    labels = [row("a", 2.0, "1"), row("b", 2.5, "0"), row("c", 9.0, "1")]
    assert brief(apart(events, labels, maturity=1.0).inputs()) == "a b a:1@2 b:0@2.5 c c:1@9 |10".split()


def test_labels_that_the_warm_up_used_up_are_left_out() -> None:
    events = [row("a", 1.0), row("b", 2.0)]
    labels = [row("w", 0.5, "1"), row("a", 1.5, "1"), row("w", 1.7, "1"), row("b", 3.0, "1"), row("w", 4.0, "1")]
    assert brief(apart(events, labels, frozenset({"w"})).inputs()) == "a a:1@1.5 b b:1@3 |4".split()


def test_what_cannot_be_read_goes_with_what_stood_before_it() -> None:
    events = [broken(), row("a", 1.0), broken(), row("b", 5.0)]
    labels = [row("a", 2.0, "1"), broken(), row("b", 6.0, "1")]
    assert brief(apart(events, labels).inputs()) == "! a ! a:1@2 ! b b:1@6 |6".split()


def test_a_file_out_of_order_is_fed_as_it_stands() -> None:
    events = [row("a", 5.0), row("b", 1.0), row("c", 6.0)]
    labels = [row("a", 5.5, "1"), row("b", 2.0, "1"), row("c", 7.0, "1")]
    assert brief(apart(events, labels).inputs()) == "a b a:1@5.5 b:1@2 c c:1@7 |7".split()


@pytest.mark.parametrize("side", ["events", "labels"])
def test_one_time_past_belief_does_not_hold_up_all_that_follow_it(side: str) -> None:
    events, labels = [row("a", 1.0), row("b", 3.0)], [row("a", 2.0, "1"), row("b", 4.0, "1")]
    if side == "events":
        events.insert(1, row("far", FAR))
    else:
        labels.insert(1, row("a", FAR, "0"))
    found = [
        name for name in brief(apart(events, labels).inputs()) if "far" not in name and str(int(FAR))[:3] not in name
    ]
    assert [name for name in found if not name.startswith("a:0")] == "a a:1@2 b b:1@4 |4".split()


# ------------------------------------------------------------------------------------------- going on


def records_with_positions(order: Order) -> list[tuple[Input, Position]]:
    """Each input with the position behind it, as a transport notes it."""
    return [(record, order.position) for record in order.inputs()]


times = st.one_of(st.integers(0, 12).map(float), st.integers(0, 12).map(float), st.just(FAR))
labels_beside = st.sampled_from(["1", "0", None])
events_rows = st.lists(st.one_of(st.tuples(times, labels_beside), st.none()), max_size=9)
delays = st.one_of(
    st.integers(0, 4).map(lambda events: Delay(events=events)),
    st.sampled_from([0.0, 1.0, 2.5, 20.0]).map(lambda seconds: Delay(seconds=seconds)),
)


def rows_of(drawn: list[tuple[float, str | None] | None], *, ordered: bool) -> list[Row]:
    times = [part[0] for part in drawn if part is not None]
    places = iter(sorted(times) if ordered else times)
    return [
        broken(f"junk {index}".encode()) if part is None else row(f"e{index}", next(places), part[1])
        for index, part in enumerate(drawn)
    ]


def check_every_cut(make: Any, begin: Position) -> None:
    whole = records_with_positions(make(begin))
    places = [begin, *(position for _, position in whole)]
    assert len(set(places)) == len(places), "two places in the order have one position"
    for cut, place in enumerate(places):
        assert records_with_positions(make(place)) == whole[cut:]


@settings(max_examples=400, deadline=None)
@given(drawn=events_rows, delay=delays, ordered=st.booleans(), warm=st.integers(0, 3))
def test_an_order_side_by_side_goes_on_from_every_position_with_exactly_the_rest(
    drawn: list[Any], delay: Delay, ordered: bool, warm: int
) -> None:
    rows = rows_of(drawn, ordered=ordered)
    warm = min(warm, len(rows))
    check_every_cut(lambda start: beside(rows, delay, start, maturity=2.0, first=warm), Position(warm, warm))


moments = st.one_of(times, st.just(None), st.just("noon"))
told_rows = st.lists(st.one_of(st.tuples(times, labels_beside, moments), st.none()), max_size=9)


@settings(max_examples=400, deadline=None)
@given(drawn=told_rows, warm=st.integers(0, 3))
def test_an_order_by_the_labels_own_times_goes_on_from_every_position_with_exactly_the_rest(
    drawn: list[Any], warm: int
) -> None:
    rows = [
        broken(f"junk {index}".encode()) if part is None else told(f"e{index}", part[0], part[2], part[1])
        for index, part in enumerate(drawn)
    ]
    warm = min(warm, len(rows))
    check_every_cut(lambda start: timed(rows, start, maturity=2.0, first=warm), Position(warm, warm))


@settings(max_examples=400, deadline=None)
@given(drawn=events_rows, labels=events_rows, ordered=st.booleans(), warm=st.integers(0, 3))
def test_an_order_of_two_files_goes_on_from_every_position_with_exactly_the_rest(
    drawn: list[Any], labels: list[Any], ordered: bool, warm: int
) -> None:
    events, answers = rows_of(drawn, ordered=ordered), rows_of(labels, ordered=ordered)
    warm = min(warm, len(events))
    skip = frozenset(f"e{index}" for index in range(warm))
    check_every_cut(lambda start: apart(events, answers, skip, start, maturity=2.0), Position(warm, 0))


@settings(max_examples=200, deadline=None)
@given(drawn=events_rows, delay=delays, ordered=st.booleans())
def test_every_row_is_fed_once_as_an_event_and_once_as_its_label(drawn: list[Any], delay: Delay, ordered: bool) -> None:
    rows = rows_of(drawn, ordered=ordered)
    records = list(beside(rows, delay).inputs())
    events = [record.offset for record in records if isinstance(record, Event | Undecodable)]
    labels = [record.offset for record in records if isinstance(record, Label)]
    assert events == list(range(len(rows)))
    assert sorted(labels) == [i for i, part in enumerate(drawn) if part is not None and part[1] is not None]
    places = {record.offset: place for place, record in enumerate(records) if isinstance(record, Event)}
    for place, record in enumerate(records):
        if isinstance(record, Label):
            assert place > places[record.offset], "a label came before its event"
