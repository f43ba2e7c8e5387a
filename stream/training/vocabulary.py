"""The words of the texts that a baseline was trained on, in bounded space, for drift to be measured against."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sklearn.utils import murmurhash3_32

from stream.reference import Vocabulary, Wander
from stream.training.wander import apart
from stream.words import LONGEST, words

Array = np.ndarray[Any, np.dtype[Any]]

PLACES = 1 << 17
"""Places that words are hashed to: those that training has seen are a map of 16 KiB."""

BUCKETS = 256
"""Bins of the histogram of words; a word's bin is its place modulo this."""

NAMED = 500
"""Words that are kept by name, the most frequent ones."""

TEXTS = 5_000
"""Texts that are read, the newest: enough for shares of words, in a second."""

READ_EVERY = 16
"""Of so many texts of a stream one is read for its words: reading is what costs."""

BLOCK = 500 // READ_EVERY
"""Texts of a block by which it is told how far texts wander: those that are read of 500."""

LEAST_BUCKET = 0.002
"""Buckets with a smaller share of the words say little by themselves."""


def found(texts: Iterable[str]) -> list[list[str]]:
    """The different words of each text, of as much of it as the models read."""
    return [list(words(text[:LONGEST])) for text in texts]


def places(texts: Sequence[Sequence[str]]) -> Array:
    """The hashed places of the words of all texts, one after another."""
    # A hundred words at a time: sklearn's FeatureHasher takes ten times as long to begin as to hash them.
    return np.array([abs(murmurhash3_32(word)) % PLACES for text in texts for word in text], dtype=np.intp)


def vocabulary(texts: Sequence[str]) -> Vocabulary:
    """The vocabulary of texts, of which the last are the newest."""
    each = found(texts[-TEXTS:])
    at = places(each) if each else np.zeros(0, dtype=int)
    counts = np.bincount(at, minlength=PLACES)
    named = sorted(Counter(chain.from_iterable(each)).items(), key=lambda item: (-item[1], item[0]))[:NAMED]
    return Vocabulary(
        len(each),
        dict(named),
        counts.reshape(-1, BUCKETS).sum(axis=0).tolist(),
        np.packbits(counts > 0).tobytes(),
        float((counts == 1).sum() / max(1, counts.sum())),
        _wander(each[::READ_EVERY]),
    )


def _wander(read: list[list[str]]) -> Wander:
    parts = [read[begin : begin + BLOCK] for begin in range(0, len(read) - BLOCK + 1, BLOCK)]
    counts = [np.bincount(places(part) % BUCKETS, minlength=BUCKETS) for part in parts]
    made = apart(np.array(counts).reshape(-1, BUCKETS), LEAST_BUCKET)
    return Wander(max(1.0, made.shape), max(1.0, made.place))
