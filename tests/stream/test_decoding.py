"""From a user's fields to an event and a label, or to an error that names the field."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config import Fields
from stream.decoding import RecordDecoder, decode_labelled
from stream.errors import RecordError
from stream.records import Event, Labelled, Undecodable

decoder = RecordDecoder(Fields(), received=1e9, max_ahead=3600)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (12, 12.0),
        (12.5, 12.5),
        ("12.5", 12.5),
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00:00", 3_600.0),
        ("1970-01-01T01:00:00Z", 3_600.0),
        ("1970-01-01T01:00:00+01:00", 0.0),
        (None, 77.0),
        ("", 77.0),
        (-5, -5.0),
    ],
)
def test_times_are_read_in_seconds_and_as_iso_8601_and_fall_back_where_missing(written, seconds):
    assert decoder.event({"event_id": "a", "time": written}, 0, 77.0).time == seconds


def test_milliseconds_are_seconds_times_a_thousand():
    milli = RecordDecoder(Fields(time_unit="ms"), 1e9, 3600)
    assert [milli.event({"event_id": "a", "time": t}, 0, 0.0).time for t in (1500, "1500")] == [1.5, 1.5]


@pytest.mark.parametrize(
    "time", [float("nan"), float("inf"), "soon", "nan", "1e999", 10**400, True, [], {}, "2024-13-01"]
)
def test_what_is_no_time_is_refused_by_name(time):
    with pytest.raises(RecordError, match="'time'"):
        decoder.event({"event_id": "a", "time": time}, 0, 0.0)


@pytest.mark.parametrize("value", ["", None, 1.5, True, [], {}, "x" * 513, 10**600, float("inf")])
def test_what_is_no_id_is_refused_by_name(value):
    with pytest.raises(RecordError, match="'event_id'"):
        decoder.event({"event_id": value}, 0, 0.0)


def test_a_whole_number_is_an_id():
    assert [decoder.event({"event_id": value}, 0, 0.0).event_id for value in (7, 7.0, "7")] == ["7"] * 3


def test_records_without_ids_are_numbered_by_their_offset():
    assert RecordDecoder(Fields(), 0, 0, numbered=True).event({}, 9, 0.0).event_id == "row-9"


@pytest.mark.parametrize(
    ("time", "ahead"), [(1e9 + 3_600, False), (1e9 + 3_601, True), (4_070_908_800, True), (1e308, True)]
)
def test_a_time_too_far_ahead_is_marked(time, ahead):
    assert decoder.event({"event_id": "a", "time": time}, 0, 0.0).ahead is ahead


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (True, "true"),
        ("spam", "spam"),
        (float("nan"), None),
        ("", None),
        (None, None),
    ],
)
def test_a_label_is_the_same_text_however_it_is_written(value, text):
    assert decoder.label_of({"label": value}) == text


def test_a_label_record_without_its_label_is_refused():
    with pytest.raises(RecordError, match="'label'"):
        decoder.label({"event_id": "a"}, 0, 0.0)


def test_fields_are_found_under_the_names_set():
    mapped = RecordDecoder(Fields(event_id="id", time="ts", label="y"), 1e9, 0)
    label = mapped.label({"id": 3, "ts": 5, "y": 0, "label": "no"}, 4, 0.0)
    assert (label.event_id, label.time, label.label, label.offset) == ("3", 5.0, "0", 4)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@settings(max_examples=50)
@given(fields=st.fixed_dictionaries({"event_id": anything, "time": anything, "label": anything}))
def test_whatever_stands_in_the_fields_it_is_an_event_or_a_record_error(fields):
    try:
        event = decoder.event(fields, 0, 0.0)
        label = decoder.label_of(fields)
    except RecordError as error:
        assert error.field in fields  # noqa: PT017 - an event is right, too
        return
    assert isinstance(event, Event)
    assert label is None or isinstance(label, str)


def test_what_counts_as_ahead_follows_the_latest_time_that_is_set():
    moved = RecordDecoder(Fields(), received=1_000.0, max_ahead=10.0)
    row = {"event_id": "a", "time": 1_020.0, "label": "ham"}
    assert moved.event(row, 0, 0.0).ahead
    moved.latest = 1_020.0
    assert not moved.event(row, 0, 0.0).ahead
    assert not moved.label(row, 0, 0.0).ahead


# ------------------------------------------------------------------------------ a scorer's labelled records

LABELLED = Labelled("a", 1.0, 7, "b", 2.0, {"x": 1.0}, [0.1, 0.9], None, 0.5, "b", "b", None, "o", None, late=True)


def test_a_labelled_record_comes_back_as_the_scorer_published_it():
    assert decode_labelled(msgspec.json.encode(LABELLED), 3) == LABELLED


def test_fields_that_a_later_version_adds_are_passed_over():
    later = msgspec.json.encode(msgspec.to_builtins(LABELLED) | {"new": [1]})
    assert decode_labelled(later, 3) == LABELLED


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time": "noon"}, "time"),
        ({"event_id": None}, "event_id"),
        ({"served": [0.1, "x"]}, "served[1]"),
        ({"features": [1]}, "features"),
    ],
)
def test_what_is_wrong_in_a_labelled_record_is_named(change, field):
    raw = msgspec.json.encode(msgspec.to_builtins(LABELLED) | change)
    found = decode_labelled(raw, 3)
    assert isinstance(found, Undecodable)
    assert (found.source, found.field, found.offset, found.raw) == ("labelled", field, 3, raw)
    assert field in found.reason


def test_a_missing_field_of_a_labelled_record_is_named():
    whole = msgspec.to_builtins(LABELLED)
    del whole["baseline_label"]
    found = decode_labelled(msgspec.json.encode(whole), 3)
    assert (found.field, found.reason) == (
        "baseline_label",
        "field 'baseline_label': Object missing required field `baseline_label`",
    )


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[]", b"null", b'{"event_id": "\xff"}', b"[" * 100_000])
def test_bytes_that_are_no_labelled_record_are_undecodable(raw):
    found = decode_labelled(raw, 3)
    assert isinstance(found, Undecodable)
    assert found.reason
