"""What is left of an event's texts before anything else sees them: for those who may not keep what people write.

The user's hook may take out what must not be kept. Where only features are kept, each word is then replaced by a keyed
hash (BLAKE2: RFC 7693): the same word is the same hash everywhere, so that models can tell words apart, and nobody can
read them. Without the key a list of words could be hashed and looked up; with it, how often words occur still says
something about them.

It comes as a record is decoded, so that a task's state and outputs never hold the text itself.
"""

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from stream.config import Features
from stream.errors import RecordError

Hook = Callable[[str], str]

LETTERS = 6
"""Of a word's hash, five bits each. With the blank behind it about as long as a word of mail, since only so many
characters of a text are read; among 200,000 words some twenty pairs share one."""

MOST_KNOWN = 2**17
"""Words whose hashes are remembered: hashing one takes ten times as long."""

_pieces = re.compile(r"\w+|[^\w\s]").findall


class Redaction:
    """Redacts the declared texts of events.

    >>> redact = Redaction(Features(text=["body"]), hook=lambda text: text.replace("Jo", "X"))
    >>> redact({"body": "Jo: hello!", "size": 3})
    {'body': 'X: hello!', 'size': 3}
    >>> words = Redaction(Features(text=["body"], keep="features"), key=b"k" * 32)
    >>> words({"body": "Hello, hello!"})
    {'body': 'e4373k fjyrna e4373k bx37nr'}
    """

    def __init__(self, features: Features, hook: Hook | None = None, key: bytes = b"") -> None:
        self._columns = features.text
        self._cap = features.text_cap
        self._hook = hook
        self._hash = lru_cache(MOST_KNOWN)(_hasher(key)) if features.keep == "features" else None

    def __call__(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields with their texts redacted; raises RecordError, which quotes nothing, where the hook cannot."""
        redacted = {name: self._text(name, fields[name]) for name in self._columns if type(fields.get(name)) is str}
        return {**fields, **redacted}

    def _text(self, name: str, text: str) -> str:
        if self._hook is not None:
            try:
                text = self._hook(text)
            except Exception as error:  # noqa: BLE001 - the user's code: whatever it raises, the record is at fault
                raise RecordError(name, f"the redaction hook raised {type(error).__name__}") from None
            if type(text) is not str:
                raise RecordError(name, f"the redaction hook gave {type(text).__name__}, not text")
        if self._hash is None:
            return text
        return " ".join(map(self._hash, _pieces(text[: self._cap].lower())))


def _hasher(key: bytes) -> Callable[[str], str]:
    keyed = hashlib.blake2b(key=hashlib.sha256(key).digest(), digest_size=5)

    def hashed(word: str) -> str:
        made = keyed.copy()
        made.update(word.encode(errors="surrogatepass"))
        return b32encode(made.digest())[:LETTERS].decode().lower()

    return hashed
