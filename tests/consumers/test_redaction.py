"""The redaction that settings ask for: a hook that is there, and a key that can be read."""

import pytest

from consumers.redaction import redaction
from stream.config import Features
from stream.errors import SettingError, StateError

KEY = "ab" * 32


def redacted(text, **settings):
    made = redaction("streams.s.features", Features(text=["body"], **settings))
    return text if made is None else made({"body": text})["body"]


def test_texts_stay_as_they_are_unless_settings_say_otherwise():
    assert redaction("streams.s.features", Features(text=["body"])) is None


def test_a_hook_is_found_by_its_name():
    assert redacted("Hello", redact="string:capwords") == "Hello"
    assert redacted("hello  you", redact="string:capwords") == "Hello You"


def test_a_hook_that_is_not_there_is_named():
    with pytest.raises(SettingError, match=r"streams\.s\.features\.redact = 'string:nothing': must be module:function"):
        redacted("x", redact="string:nothing")


def test_the_key_of_words_comes_from_its_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY + "\n", "ascii")
    made = redacted("Hello hello", keep="features", word_key_file=str(file))
    assert made.split()[0] == made.split()[1] != "hello"
    assert redacted("hello", keep="features", word_key_file=str(file), redact="string:capwords") == made.split()[0]
    file.write_text("cd" * 32, "ascii")
    assert redacted("hello", keep="features", word_key_file=str(file)) != made.split()[0]


@pytest.mark.parametrize(
    ("content", "error", "reason"),
    [
        (None, StateError, "words' key .* is not there"),
        ("", StateError, "at least one key"),
        ("no hex", StateError, "in hexadecimal"),
        ("ab", StateError, "32 bytes or more"),
        (f"{KEY}\n{KEY}", SettingError, r"streams\.s\.features\.word_key_file = .*one key"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_by_its_file(tmp_path, content, error, reason):
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content, "ascii")
    with pytest.raises(error, match=reason):
        redacted("x", keep="features", word_key_file=str(file))
