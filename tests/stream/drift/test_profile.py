import math
from functools import reduce
from itertools import pairwise

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config import Features
from stream.drift.profiler import FARTHEST, Profiler
from stream.errors import StateError
from stream.profile import UNIT, Profile, merge
from stream.training.reference import reference
from stream.training.vocabulary import READ_EVERY
from tests.stream.drift.worlds import World

CHANCE = np.random.default_rng(7)
FEATURES = Features(text=["body"], numeric=["x", "flat"], categorical=["town"])
TRAINED_ON = pd.DataFrame(
    {
        "text": ["win a prize", "see you at noon", "", "noon"] * 50,
        "x": CHANCE.normal(size=200),
        "flat": [1.0] * 200,
        "town": pd.Series(["Oslo", "Bergen", "Bergen", None] * 50, dtype=object),
    }
)
REFERENCE = reference(FEATURES, TRAINED_ON, CHANCE.random(100))
PROFILER = Profiler("v1", FEATURES, REFERENCE)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "body": st.sampled_from(["", "win a prize", "noon", "a word that is new", "new NEW new"]),
            "x": st.one_of(st.none(), st.floats(-1e30, 1e30), st.sampled_from(REFERENCE.histograms["x"].edges)),
            "flat": st.sampled_from([None, 0.0, -0.0, 1.0, 2.0]),
            "town": st.sampled_from([None, "Oslo", "Bergen", "Rome"]),
        }
    ),
    max_size=40,
)
score = st.one_of(st.none(), st.floats(0, 1), st.just([0.2, 0.8]))


def profile(drawn, first=0, scores=None):
    scores = scores or [0.5] * len(drawn)
    return PROFILER.profile(first, drawn, scores, [None] * len(drawn))


@settings(deadline=None, max_examples=60)
@given(rows, st.lists(st.integers(0, 40), max_size=4), st.integers(0, 100))
def test_any_split_into_batches_adds_up_to_the_same_profile(drawn, cuts, first):
    bounds = [0, *sorted(min(cut, len(drawn)) for cut in cuts), len(drawn)]
    parts = [profile(drawn[a:b], first + a) for a, b in pairwise(bounds) if b > a]
    if parts:
        assert msgspec.json.encode(reduce(merge, parts)) == msgspec.json.encode(profile(drawn, first))


@settings(deadline=None, max_examples=60)
@given(rows, rows, rows)
def test_profiles_add_up_in_any_order(a, b, c):
    a, b, c = profile(a), profile(b, 50), profile(c, 100)
    assert msgspec.json.encode(merge(merge(a, b), c)) == msgspec.json.encode(merge(a, merge(b, c)))
    assert msgspec.json.encode(merge(a, b)) == msgspec.json.encode(merge(b, a))


@settings(deadline=None, max_examples=60)
@given(rows)
def test_a_profile_is_the_same_bit_for_bit_when_read_again(drawn):
    made = msgspec.json.encode(profile(drawn))
    read = msgspec.json.decode(made, type=Profile)
    assert read == profile(drawn)
    assert msgspec.json.encode(read) == made


@settings(deadline=None, max_examples=60)
@given(rows)
def test_a_profile_counts_what_a_loop_counts(drawn):
    made = profile(drawn)
    histogram, numbers = REFERENCE.histograms["x"], made.numbers["x"]
    values = [row["x"] for row in drawn if row["x"] is not None]
    counts = [0] * len(histogram.counts)
    for value in values:
        counts[sum(edge <= value for edge in histogram.edges)] += 1
    assert numbers.counts == counts
    assert numbers.missing == len(drawn) - len(values)
    assert numbers.above == sum(value > histogram.edges[-1] for value in values)
    assert (numbers.low, numbers.high) == (min(values, default=None), max(values, default=None))
    towns = [row["town"] for row in drawn]
    known = [name for name in REFERENCE.categories["town"] if name]
    assert made.categories["town"].counts == [towns.count(name) for name in known]
    assert (made.categories["town"].other, made.categories["town"].missing) == (towns.count("Rome"), towns.count(None))
    assert made.numbers["text"].missing == sum(not row["body"] for row in drawn)
    assert made.words.texts == len(drawn[::READ_EVERY])


@given(st.lists(score, max_size=20))
@settings(deadline=None)
def test_scores_are_counted_where_there_are_any_and_of_many_classes_the_likeliest(scores):
    made = profile([{"body": "", "x": 1.0, "flat": 1.0, "town": None}] * len(scores), scores=scores)
    flat = [max(each) if isinstance(each, list) else each for each in scores if each is not None]
    edges = REFERENCE.scores.edges
    expected = [0] * (len(edges) + 1)
    for each in flat:
        expected[sum(edge <= each for edge in edges)] += 1
    assert made.online == expected
    assert sum(made.baseline) == 0


def test_sums_tell_mean_and_spread_in_units_of_the_reference():
    world = World(3)
    drawn, scores = world.draw(4_000)
    made = world.profiler.profile(0, drawn, scores, scores).numbers["x0"]
    assert made.total / UNIT / 4_000 == pytest.approx(0.0, abs=0.06)
    assert math.sqrt(made.squares / UNIT / 4_000) == pytest.approx(1.0, abs=0.06)


def test_a_value_far_off_counts_as_if_it_were_no_farther_than_the_farthest():
    made = profile([{"body": "", "x": 1e30, "flat": 1.0, "town": None}]).numbers["x"]
    assert made.total == FARTHEST * UNIT
    assert made.high == 1e30


def test_profiles_of_different_baselines_do_not_add_up():
    other = Profiler("v2", FEATURES, REFERENCE).profile(0, [], [], [])
    with pytest.raises(StateError, match="baseline v1 and one for v2 do not add up"):
        merge(profile([]), other)


def test_profiles_of_different_columns_do_not_add_up():
    without = Profiler("v1", Features(numeric=["x"]), REFERENCE).profile(0, [], [], [])
    with pytest.raises(StateError, match="different columns: flat, text, town"):
        merge(profile([]), without)


def test_only_what_is_logged_is_in_a_profile():
    profiler = Profiler("v1", msgspec.structs.replace(FEATURES, unlogged=["flat"]), REFERENCE)
    assert list(profiler.profile(0, [], [], []).numbers) == ["x", "text"]


def test_of_long_batches_every_row_is_counted():
    drawn = [{"body": "", "x": float(at % 3), "flat": 1.0, "town": None} for at in range(10_000)]
    made = profile(drawn)
    assert sum(made.numbers["x"].counts) == 10_000
    assert made == reduce(merge, [profile(drawn[at : at + 1_000], at) for at in range(0, 10_000, 1_000)])
