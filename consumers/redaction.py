"""The redaction that a stream's settings ask for: its hook, and the key of its words."""

from pathlib import Path

from consumers.seal import load_keys
from stream.config import Features
from stream.errors import SettingError
from stream.online import find
from stream.redaction import Redaction


def redaction(key: str, features: Features) -> Redaction | None:
    """What redacts texts, None where they stay as they are; ``key`` is where the features' settings stand.

    Raises SettingError for a hook that cannot be found, StateError for a key that cannot be read.
    """
    hook = find(f"{key}.redact", features.redact, {}) if features.redact else None
    if features.keep == "text":
        return None if hook is None else Redaction(features, hook)
    keys = load_keys(Path(features.word_key_file), "words' key")
    if len(keys) > 1:
        raise SettingError(f"{key}.word_key_file", features.word_key_file, "a file with one key: words have no second")
    return Redaction(features, hook, keys[0])
