"""What is left of an event's texts before anything else sees them."""

import re

import pytest

from stream.config import Features
from stream.errors import RecordError
from stream.features import FeatureExtractor
from stream.redaction import LETTERS, MOST_KNOWN, Redaction

COLUMNS = Features(text=["subject", "body"], numeric=["size"])
HASHED = Features(text=["subject", "body"], numeric=["size"], keep="features", word_key_file="k")
KEY = b"k" * 32

MAIL = {"event_id": "e1", "subject": "Lunch?", "body": "Dear Jo,\nlunch at 12? Lunch, Jo!", "size": 3}


def hashed(text, key=KEY):
    return Redaction(HASHED, key=key)({"body": text})["body"]


def test_a_hook_sees_each_text_whole_and_nothing_else():
    seen = []

    def hook(text):
        seen.append(text)
        return text.replace("Jo", "[name]")

    redacted = Redaction(Features(text=["subject", "body", "cc"], text_cap=5), hook)(
        {**MAIL, "body": "x" * 9, "cc": None}
    )
    assert seen == ["Lunch?", "x" * 9]
    assert redacted == {**MAIL, "body": "x" * 9, "cc": None}
    assert Redaction(COLUMNS, hook)(MAIL)["body"] == "Dear [name],\nlunch at 12? Lunch, [name]!"
    assert MAIL["body"].startswith("Dear Jo")


@pytest.mark.parametrize("given", [None, 3, b"bytes", ["a"]])
def test_a_hook_that_gives_no_text_makes_an_error_that_names_the_field(given):
    with pytest.raises(
        RecordError, match=rf"field 'subject': the redaction hook gave {type(given).__name__}, not text"
    ):
        Redaction(COLUMNS, lambda _: given)(MAIL)


def test_a_hook_that_raises_makes_an_error_that_names_the_field_and_quotes_nothing_of_the_text():
    def hook(text):
        raise ValueError(text)

    with pytest.raises(RecordError) as error:
        Redaction(COLUMNS, hook)(MAIL)
    assert str(error.value) == "field 'subject': the redaction hook raised ValueError"


def test_what_is_no_text_is_left_to_whoever_checks_it():
    assert Redaction(HASHED, key=KEY)({"subject": 7, "body": None, "size": "x"}) == {
        "subject": 7,
        "body": None,
        "size": "x",
    }


def test_words_become_hashes_of_one_length_the_same_for_the_same_word_in_any_case_and_field():
    made = Redaction(HASHED, key=KEY)(MAIL)
    subject, body = made["subject"].split(), made["body"].split()
    assert [len(word) for word in body] == [LETTERS] * 11
    assert re.fullmatch("[a-z2-7 ]+", made["body"])
    assert subject[0] == body[3] == body[7]  # Lunch, lunch, Lunch
    assert subject[1] == body[6]  # the question mark
    assert len({*body}) == 8
    assert made["size"] == 3


def test_the_same_word_has_the_same_hash_in_every_process_and_another_with_another_key():
    assert hashed("hello") == "e4373k"
    assert hashed("hello", b"l" * 32) != "e4373k"
    assert hashed("hello", b"k" * 100) != "e4373k"
    assert hashed("\ud800") == hashed("\ud800")


def test_the_hook_goes_before_the_hashes():
    both = Redaction(HASHED, lambda text: text.replace("Jo", ""), KEY)
    assert both({"body": "Dear Jo"})["body"] == hashed("Dear")


def test_no_more_of_a_text_is_hashed_than_is_kept():
    capped = Redaction(Features(text=["body"], keep="features", text_cap=6), key=KEY)
    assert capped({"body": "ab cd ef gh"})["body"] == hashed("ab cd")


def test_the_online_model_tells_hashed_words_apart_as_it_does_words():
    plain, hidden = FeatureExtractor(COLUMNS), FeatureExtractor(HASHED)
    [x] = plain.inputs([plain.row(MAIL)])
    [y] = hidden.inputs([hidden.row(Redaction(HASHED, key=KEY)(MAIL))])
    assert sorted(x.values()) == sorted(y.values())
    assert x.keys() - {"size"} != y.keys() - {"size"}


def test_no_more_words_are_remembered_than_that():
    redact = Redaction(HASHED, key=KEY)
    for first in range(0, MOST_KNOWN + 20_000, 10_000):
        redact({"body": " ".join(f"{n:06d}" for n in range(first, first + 9_000))})
    assert redact._hash.cache_info().currsize <= MOST_KNOWN
