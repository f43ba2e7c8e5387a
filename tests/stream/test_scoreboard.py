"""Figures per segment."""

import msgspec
import pytest

from stream.config import Features, Fields, Labels, Stream
from stream.records import Labelled
from stream.scoreboard import MOST_SEGMENTS, Scoreboard

STREAM = Stream(classes=["ham", "spam"])


def record(position: int, *, right: bool = True, correction: bool = False) -> Labelled:
    said = "spam" if right else "ham"
    return Labelled(
        f"e{position}", 0.0, position, "spam", 0.0, {}, 0.5, 0.5, 0.5, said, said, said, "o", "b", correction=correction
    )


def board(first: int, segment) -> Scoreboard:
    made = Scoreboard(STREAM, first, segment)
    made.update([record(position, right=position % 2 == 0) for position in range(first, first + 25)])
    return made


def test_segments_of_a_length_begin_where_the_figures_begin():
    parts = board(100, 10).segments()
    assert [(part["first"], part["labelled"]) for part in parts] == [(100, 10), (110, 10), (120, 5)]
    assert parts[2]["served"]["errors"] == 2


def test_segments_may_begin_at_listed_positions_in_any_order_and_those_before_the_first_do_not_count():
    parts = board(100, [120, 50, 100, 105, 120]).segments()
    assert [(part["first"], part["labelled"]) for part in parts] == [(100, 5), (105, 15), (120, 5)]


def test_a_position_on_a_border_belongs_to_the_segment_that_begins_there():
    made = Scoreboard(STREAM, 0, [10])
    made.update([record(9), record(10)])
    assert [part["labelled"] for part in made.segments()] == [1, 1]


def test_overall_is_the_sum_of_the_segments():
    made = board(0, 7)
    assert sum(part["online"]["errors"] for part in made.segments()) == made.models()["online"]["errors"] == 12


def test_corrections_do_not_count_and_no_segments_means_none():
    made = Scoreboard(STREAM, 0, 0)
    made.update([record(1), record(2, correction=True)])
    assert (made.segments(), made.models()["served"]["accuracy"]) == ([], 1.0)


def test_the_last_of_so_many_segments_takes_the_rest_instead_of_filling_the_memory():
    made = Scoreboard(STREAM, 0, 1)
    made.update([record(position) for position in range(MOST_SEGMENTS + 5)])
    parts = made.segments()
    assert len(parts) == MOST_SEGMENTS
    assert (parts[-1]["first"], parts[-1]["labelled"]) == (MOST_SEGMENTS - 1, 6)


def test_segments_in_time_begin_with_the_first_event_and_say_from_when_to_when():
    made = Scoreboard(STREAM, 100, 10.0)
    made.update([msgspec.structs.replace(record(at), time=1_000.0 + 3 * at) for at in range(100, 108)])
    made.update([msgspec.structs.replace(record(at), time=1_000.0 + 3 * at) for at in range(108, 110)])
    parts = made.segments()
    assert [(part["first"], part["begin"], part["end"], part["labelled"]) for part in parts] == [
        (100, 1_300.0, 1_310.0, 4), (104, 1_310.0, 1_320.0, 3), (107, 1_320.0, 1_330.0, 3),
    ]  # fmt: skip


def test_an_event_from_before_the_first_belongs_to_the_first_segment_and_one_from_far_off_to_the_last():
    made = Scoreboard(STREAM, 0, 10.0)
    made.update([msgspec.structs.replace(record(at), time=time) for at, time in enumerate((100.0, 50.0, 1e12))])
    parts = made.segments()
    assert [part["labelled"] for part in parts] == [2, 1]
    assert parts[1]["begin"] == 100.0 + 10.0 * (MOST_SEGMENTS - 1)


def test_unfair_samples_count_neither_overall_nor_in_segments():
    made = Scoreboard(STREAM, 0, 10)
    made.update([record(1), msgspec.structs.replace(record(2), sampled=False)])
    assert [part["labelled"] for part in made.segments()] == [1]


@pytest.mark.parametrize(("by", "a_day", "counted"), [("card", 1, True), ("", 1, False), ("card", 0, False)])
def test_card_precision_is_among_the_figures_where_it_is_asked_for(by, a_day, counted):
    stream = Stream(
        classes=["ham", "spam"], features=Features(categorical=["card"]), alerts_by=by, alerts_per_day=a_day
    )
    made = Scoreboard(stream, 0, 2)
    rows = [msgspec.structs.replace(record(at), features={"card": f"c{at}"}, time=5e4 * at) for at in range(4)]
    made.update([msgspec.structs.replace(row, label_time=1e9) for row in rows])
    found = made.models()["online"]
    assert ("card_precision" in found) is counted
    if counted:
        assert (found["card_precision"], found["card_days"]) == (1.0, 2)
        assert [part["served"]["card_days"] for part in made.segments()] == [1, 1]


def test_card_precision_is_of_all_labels_where_they_state_how_probable_they_were_and_figures_of_those_drawn():
    found = []
    for fields, labels in (
        (Fields(), Labels()),
        (Fields(inspection_probability="p"), Labels(least_inspection_probability=0.1)),
    ):
        stream = Stream(
            kind="anomaly",
            classes=["ok", "bad"],
            features=Features(categorical=["card"]),
            alerts_by="card",
            alerts_per_day=2,
            fields=fields,
            labels=labels,
        )
        made = Scoreboard(stream, 0, 10)
        made.update(
            [
                Labelled(
                    f"e{at}", float(at), at, "bad" if at < 2 else "ok", 1.0, {"card": f"c{at}"}, score, score, score,
                    "bad", "bad", "bad", "o", "b", sampled=at > 1,
                )
                for at, score in enumerate((0.9, 0.8, 0.2, 0.1))
            ]
        )  # fmt: skip
        figures = made.models()["baseline"]
        found.append((figures["card_precision"], figures["alerted"], figures["found"]))
    assert found == [(0.0, 2, 0), (1.0, 2, 0)]


def test_records_that_are_none_of_the_sample_are_taken_by_a_board_alone():
    made = Scoreboard(STREAM, 0, 10)
    made.update([msgspec.structs.replace(record(3), sampled=False)])
    assert made.segments() == []
