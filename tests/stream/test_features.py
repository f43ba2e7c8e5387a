"""Rows and what the models take of them."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config import Features
from stream.errors import RecordError
from stream.features import FeatureExtractor

ALL = Features(text=["subject", "body"], numeric=["size"], categorical=["city"], onehot={"day": ["mo", "tu"]})
extractor = FeatureExtractor(ALL)


def test_missing_values_are_kept_apart():
    row = extractor.row({})
    assert row == {"subject": "", "body": "", "size": None, "city": None, "day": None}
    [x] = extractor.inputs([row])
    assert x == {"size?": 1.0, "city?": 1.0, "day?": 1.0}
    frame = extractor.frame([row])
    assert math.isnan(frame.loc[0, "size"])
    assert frame.loc[0, "city"] is None


def test_a_column_that_is_not_logged_is_the_online_models_alone():
    features = msgspec.structs.replace(ALL, unlogged=["size", "city", "body"])
    some = FeatureExtractor(features)
    fields = {"subject": "hello", "body": "to you", "size": 3, "city": "Oslo", "day": "mo"}
    row = some.row(fields)
    assert row == extractor.row(fields)
    assert some.inputs([row]) == extractor.inputs([row])
    logged = some.logged(row)
    assert logged == {"subject": "hello", "day": "mo"}
    assert (
        some.frame([logged]).to_dict("records")
        == some.frame([row]).to_dict("records")
        == [{"text": "hello", "day": "mo"}]
    )
    assert features.logged.columns == ["subject", "day"]
    assert features.logged == features.logged.logged


def test_listed_categories_have_their_own_names_and_others_count_as_unseen():
    xs = extractor.inputs([extractor.row({"day": day, "size": 1, "city": "x"}) for day in ("mo", "su")])
    assert [[key for key in x if str(key).startswith("day")] for x in xs] == [["day=mo"], ["day=(unseen)"]]


def test_words_and_categories_are_bounded_and_do_not_meet():
    small = FeatureExtractor(Features(text=["body"], categorical=["city"], hash_bits=8))
    rows = [small.row({"body": f"word{i} other{i}", "city": f"c{i}"}) for i in range(3_000)]
    inputs = small.inputs(rows)
    places = {key for x in inputs for key in x}
    assert places <= set(range(512))
    assert len({key for key in places if key < 256}) == 256
    assert all(sum(key >= 256 for key in x) == 1 for x in inputs)


@given(bodies=st.lists(st.text(max_size=40), min_size=1, max_size=6), cut=st.integers(0, 6))
def test_a_row_gives_the_same_input_in_any_batch_in_the_same_order(bodies, cut):
    rows = [extractor.row({"body": body, "subject": body[:5], "size": len(body), "city": body[:2]}) for body in bodies]
    whole = extractor.inputs(rows)
    parts = extractor.inputs(rows[:cut]) + extractor.inputs(rows[cut:])
    assert [list(x.items()) for x in whole] == [list(x.items()) for x in parts]


def test_known_hashes_stay_what_they_are():
    """Stored models are keyed by them: a change of hash needs a change of schema."""
    only = FeatureExtractor(Features(text=["body"], categorical=["city"]))
    [x] = only.inputs([only.row({"body": "free money", "city": "Oslo"})])
    assert sorted(x) == [120506, 156782, 485281]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"body": 3}, "body"),
        ({"body": ["a"]}, "body"),
        ({"size": "big"}, "size"),
        ({"size": [1]}, "size"),
        ({"size": float("nan")}, "size"),
        ({"size": float("inf")}, "size"),
        ({"size": "NaN"}, "size"),
        ({"size": "1e999"}, "size"),
        ({"size": 10**400}, "size"),
        ({"size": -1.1e30}, "size"),
        ({"city": {"a": 1}}, "city"),
        ({"day": [1]}, "day"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(fields, name):
    with pytest.raises(RecordError) as error:
        extractor.row(fields)
    assert error.value.field == name
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("written", "number"), [(3, 3.0), ("3", 3.0), (" 2.5 ", 2.5), (-1e30, -1e30), (True, 1.0), ("", None), (None, None)]
)
def test_numbers_are_read_however_they_are_written(written, number):
    assert extractor.row({"size": written})["size"] == number


@pytest.mark.parametrize(
    ("written", "category"), [("x", "x"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"), ("", None)]
)
def test_a_category_is_the_same_however_it_is_written(written, category):
    assert extractor.row({"city": written})["city"] == category


def test_long_text_is_cut_at_the_cap():
    capped = FeatureExtractor(Features(text=["body"], text_cap=10))
    assert capped.row({"body": "x" * 5_000_000})["body"] == "x" * 10
