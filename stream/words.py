"""Words of texts, hashed into a bounded space by one vectorised call a batch.

Words are runs of letters and digits, and each punctuation mark by itself; upper and lower case are one. The words
of the first text field (a mail's subject) count once more under a mark of their own. The hash is MurmurHash3, the
same everywhere; 2**18 places keep memory flat on an endless stream of new words. Which words and which weights:
measured on Enron, see docs/online-models.md.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from sklearn.feature_extraction import FeatureHasher

from stream.config import Features

FIRST = "s:"
"""Marks a word of the first field; no word can begin with it, since a colon is always a word by itself."""

LONGEST = 4_000
"""Characters of an event's text that are read: the rest of a long mail tells little and costs as much."""

_pieces = re.compile(r"\w+|[^\w\s]").findall


class WordHasher:
    """Hashes the words of rows' text fields.

    >>> hasher = WordHasher(Features(text=["subject", "body"]))
    >>> [x] = hasher.inputs([("Win!", "win a prize")])
    >>> len(x), round(sum(value**2 for value in x.values()), 9)
    (6, 1.0)
    """

    def __init__(self, settings: Features) -> None:
        self._hasher = FeatureHasher(1 << settings.hash_bits, input_type="string", alternate_sign=False)
        self._marks = len(settings.text) > 1

    def inputs(self, texts: Iterable[tuple[str, ...]]) -> list[dict[str | int, float]]:
        """For each tuple of text fields: hashed word to weight; every word weighs the same, the squares sum to 1."""
        counts = self._hasher.transform(map(self._tokens, texts))
        places, ends = counts.indices.tolist(), counts.indptr.tolist()
        return [
            dict.fromkeys(places[begin:end], (end - begin) ** -0.5 if end > begin else 0.0)
            for begin, end in pairwise(ends)
        ]

    def _tokens(self, texts: tuple[str, ...]) -> list[str]:
        head = words(texts[0][:LONGEST])
        if not self._marks:
            return list(head)
        found = words(" ".join(texts[1:])[: LONGEST - len(texts[0][:LONGEST])])
        found.update(head)
        return [*found, *[FIRST + word for word in head]]


def words(text: str) -> dict[str, None]:
    """The different words of a text, in the order of a dict.

    >>> list(words("Buy 2, get $5 off. Buy!"))
    ['buy', 'get', '2', ',', '$', '5', 'off', '.', '!']
    """
    found = dict.fromkeys(text.lower().split())
    # Most words stand between spaces; only those that hold something else are taken apart, which is the slow part.
    mixed = [word for word in found if len(word) > 1 and not word.isalnum()]
    for word in mixed:
        del found[word]
    for word in mixed:
        found.update(dict.fromkeys(_pieces(word)))
    return found
