"""A baseline is for a stream whose logged columns are those that it was made for."""

import pytest
from msgspec.structs import replace

from stream.config import Features, Stream
from stream.fitness import MadeFor, unfit, unlike

COLUMNS = Features(text=["subject", "body"], numeric=["size", "age"], categorical=["city"])
STREAM = Stream(classes=["no", "yes"], features=COLUMNS)


def card(features: Features) -> MadeFor:
    return MadeFor("binary", ["no", "yes"], features)


def test_a_baseline_made_of_the_log_fits_the_stream_whose_log_lacks_columns():
    kept = replace(COLUMNS, unlogged=["age", "city"])
    assert unfit(card(kept.logged), replace(STREAM, features=kept)) == ""
    assert unfit(card(kept), replace(STREAM, features=kept)) == ""


@pytest.mark.parametrize(
    ("made", "asked", "reason"),
    [
        (["age"], [], "its numbers are size, the stream has age, size"),
        ([], ["age"], "its numbers are age, size, the stream has size"),
        (["size"], ["age"], "its numbers are age, the stream has size"),
        (["city"], [], "its categories are none, the stream has city"),
        ([], ["subject"], "its texts are subject, body, the stream has body"),
    ],
)
def test_a_baseline_of_more_or_fewer_columns_than_are_logged_is_refused(made, asked, reason):
    its = replace(COLUMNS, unlogged=made).logged
    assert unfit(card(its), replace(STREAM, features=replace(COLUMNS, unlogged=asked))) == reason


def test_a_baseline_of_readable_texts_is_refused_where_words_are_hashed_and_the_other_way_round():
    hashed = replace(COLUMNS, keep="features", word_key_file="key")
    assert unfit(card(hashed.logged), replace(STREAM, features=hashed)) == ""
    assert (
        unfit(card(COLUMNS), replace(STREAM, features=hashed))
        == "it is for features.keep = 'text', the stream has 'features'"
    )
    assert "it is for features.keep = 'features'" in unfit(card(hashed.logged), STREAM)


def test_what_is_kept_of_texts_matters_to_no_baseline_that_has_none():
    numbers = replace(COLUMNS, text=[])
    hashed = replace(numbers, keep="features", word_key_file="key")
    assert unfit(card(numbers), replace(STREAM, features=hashed)) == ""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"text_cap": 10, "redact": "m:f", "word_key_file": "elsewhere"}, ""),
        ({"hash_bits": 20}, "it is for features.hash_bits = 18, the stream has 20"),
        ({"unlogged": ["age"]}, "its unlogged columns are none, the stream has age"),
        ({"numeric": ["size"]}, "its numbers are age, size, the stream has size"),
        ({"keep": "features"}, "it is for features.keep = 'text', the stream has 'features'"),
    ],
)
def test_a_state_is_for_all_columns_that_its_models_see(changed, reason):
    assert unlike(card(COLUMNS), replace(STREAM, features=replace(COLUMNS, **changed))) == reason


def test_a_state_is_for_classes_in_their_order():
    turned = replace(STREAM, classes=["yes", "no"])
    assert unlike(card(COLUMNS), turned) == "its classes are no, yes, in this order, the stream has yes, no"
