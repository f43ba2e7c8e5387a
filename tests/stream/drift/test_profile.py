from itertools import pairwise

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config import Features
from stream.drift.layout import of_inputs, vector
from stream.drift.profiler import FARTHEST, Profiler
from stream.heavy import Heavy, merged
from stream.profile import UNIT, Profile
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
    return PROFILER.profile(first, drawn, scores)


@settings(deadline=None, max_examples=60)
@given(rows, st.lists(st.integers(0, 40), max_size=4), st.integers(0, 100))
def test_the_profiles_of_any_split_into_batches_add_up_to_that_of_the_whole(drawn, cuts, first):
    bounds = [0, *sorted(min(cut, len(drawn)) for cut in cuts), len(drawn)]
    parts = [profile(drawn[a:b], first + a) for a, b in pairwise(bounds)]
    whole, layout = profile(drawn, first), of_inputs(REFERENCE)
    assert sum(vector(layout, part) for part in parts).tolist() == vector(layout, whole).tolist()
    assert sum(part.words.texts for part in parts) == whole.words.texts
    frequent = Heavy()
    for part in parts:
        frequent = merged(frequent, part.words.frequent)
    assert frequent == whole.words.frequent


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
    assert made.baseline == expected


def test_the_sum_tells_the_mean_in_units_of_the_reference():
    world = World(3)
    drawn, scores = world.draw(4_000)
    made = world.profiler.profile(0, drawn, scores).numbers["x0"]
    assert made.total / UNIT / 4_000 == pytest.approx(0.0, abs=0.06)


def test_a_value_far_off_counts_as_if_it_were_no_farther_than_the_farthest():
    made = profile([{"body": "", "x": 1e30, "flat": 1.0, "town": None}]).numbers["x"]
    assert made.total == FARTHEST * UNIT


def test_only_what_is_logged_is_in_a_profile():
    profiler = Profiler("v1", msgspec.structs.replace(FEATURES, unlogged=["flat"]), REFERENCE)
    assert list(profiler.profile(0, [], []).numbers) == ["x", "text"]


def test_of_long_batches_every_row_is_counted():
    drawn = [{"body": "", "x": float(at % 3), "flat": 1.0, "town": None} for at in range(10_000)]
    made = profile(drawn)
    assert sum(made.numbers["x"].counts) == 10_000
