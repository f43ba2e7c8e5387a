"""Recipes in words."""

import pytest

from consumers.page.recipe import words
from stream.config import Features
from stream.training.families import anomaly_candidates, candidates

FEATURES = {
    "text": Features(text=["body"]),
    "table": Features(numeric=list("abcdefgh"), categorical=["town"]),
    "both": Features(text=["body"], numeric=["size"]),
}


@pytest.mark.parametrize("kind", FEATURES)
def test_every_candidate_of_the_search_has_words(kind):
    for candidate in candidates(FEATURES[kind], 5_000, 1):
        said = words(str(candidate))
        assert not set("=:_") & set(said), said
        assert said[0].isupper()


def test_every_candidate_of_an_anomaly_stream_has_words():
    for features in FEATURES.values():
        for candidate in anomaly_candidates(features, 5_000, 1, labels=True):
            said = words(str(candidate))
            assert not set("=:_") & set(said), said


def test_a_recipe_from_elsewhere_stands_as_it_is():
    assert words("my-model, depth=3") == "My-model; depth=3"
