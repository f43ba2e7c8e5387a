"""The most frequent words of a stream, in bounded space (Misra-Gries; merged as Agarwal et al. do).

J. Misra, D. Gries: Finding repeated elements (1982). P. K. Agarwal et al.: Mergeable summaries (2012).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from operator import itemgetter

from msgspec import Struct

MOST = 256
"""Words that are kept."""


class Heavy(Struct, frozen=True):
    """Words with counts that are too low by ``shed`` at most, out of ``total``; a word that is not there has 0.

    ``shed`` is at most total / (MOST + 1), in whatever order parts were merged.
    """

    counts: dict[str, int] = {}
    total: int = 0
    shed: int = 0


def heavy(words: Iterable[str]) -> Heavy:
    """The frequent ones among words.

    >>> heavy(["b", "a", "b"])
    Heavy(counts={'b': 2, 'a': 1}, total=3, shed=0)
    """
    counts = Counter(words)
    return _cut(counts, counts.total(), 0)


def merged(a: Heavy, b: Heavy) -> Heavy:
    """The frequent words of both; the same for (b, a), and exact as long as all words fit."""
    counts = Counter(a.counts)
    counts.update(b.counts)
    return _cut(counts, a.total + b.total, a.shed + b.shed)


def _cut(counts: Mapping[str, int], total: int, shed: int) -> Heavy:
    ranked = sorted(counts.items())
    ranked.sort(key=itemgetter(1), reverse=True)  # stable: among equals by the word
    if len(ranked) <= MOST:
        return Heavy(dict(ranked), total, shed)
    least = ranked[MOST][1]
    return Heavy({word: count - least for word, count in ranked[:MOST] if count > least}, total, shed + least)
