"""Words: which of them are in more texts, or fewer, than in training."""

import math

from msgspec import Struct

from stream.heavy import Heavy
from stream.reference import Vocabulary

TOP = 5
"""Words that are named."""


class Moved(Struct, frozen=True):
    """A word, and the share of texts that have it: in training, and now. Where words are hashed it is a hash."""

    word: str
    reference: float
    present: float

    @property
    def distance(self) -> float:
        """How far it moved in standard deviations of a share, but for the number of texts (arcsine: Cohen's h)."""
        return 2 * abs(math.asin(math.sqrt(self.present)) - math.asin(math.sqrt(self.reference)))


def moved(vocabulary: Vocabulary, frequent: Heavy, texts: int) -> list[Moved]:
    """The words that moved most, the farthest first; ``frequent`` is of so many texts.

    Of a word that the vocabulary does not name the share was at most that of the rarest one it names, which is taken;
    of one that is not among the frequent ones it is at most ``shed`` now, which is taken too: no move is overstated.
    """
    if not texts or not vocabulary.texts:
        return []
    full = vocabulary.words and sum(vocabulary.words.values()) < sum(vocabulary.buckets)
    rarest = min(vocabulary.words.values(), default=0) / vocabulary.texts if full else 0.0
    now = {word: min(1.0, count / texts) for word, count in frequent.counts.items()}
    then = {word: count / vocabulary.texts for word, count in vocabulary.words.items()}
    hidden = min(1.0, frequent.shed / texts)
    made = []
    for word in sorted(now.keys() | then.keys()):
        before = then.get(word, rarest)
        least, most = now.get(word, 0.0), min(1.0, now.get(word, 0.0) + hidden)
        if least > before:
            made.append(Moved(word, before if word in then else 0.0, least))
        elif most < before and word in then:
            made.append(Moved(word, before, most))
    return sorted(made, key=lambda each: (-each.distance, each.word))[:TOP]


def told(movers: list[Moved]) -> str:
    """The words that moved, in a line.

    >>> told([Moved("prize", 0.01, 0.3)])
    "'prize' in 1% -> 30% of texts"
    """
    return ", ".join(f"{each.word!r} in {each.reference:.0%} -> {each.present:.0%} of texts" for each in movers)
