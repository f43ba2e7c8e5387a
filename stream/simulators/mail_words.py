"""Words of the simulated mail: real heads, made-up pronounceable tails, disguises, Zipf tables.

Only additions, multiplications, divisions and comparisons of doubles are used, never a power or a logarithm,
so that the same seed gives the same words on every machine.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

TABLE_SIZE: Final = 4096
"""Entries of a Zipf table: a uniform draw times this, rounded down, points at a word."""

_ZIPF_OFFSET: Final = 2.7  # Zipf-Mandelbrot: the first ranks of a real text are flatter than 1 / rank

FUNCTION_WORDS: Final = tuple(
    "the to and of a in you for is your we on this that with it be are have will from our as at not can "
    "if or by i me my all any but please thanks hello dear regards here there now when which what more "
    "about so do has was been one just also only get see let know".split()
)
PITCH_WORDS: Final = tuple(
    "free offer save click today discount new best price exclusive limited deal win gift special order "
    "buy join subscribe unsubscribe members online bonus trial".split()
)
HAM_HEADS: Final = {
    "work": tuple("meeting report project deadline agenda budget review contract schedule draft slides team".split()),
    "family": tuple("dinner weekend kids mum birthday photos school holiday garden grandma visit love".split()),
    "newsletters": tuple("issue edition article readers editor weekly archive story interview column".split()),
    "orders": tuple("invoice delivery shipped parcel receipt payment tracking item refund warehouse".split()),
}
CAMPAIGN_HEADS: Final = (
    ("pills", tuple("viagra pills pharmacy prescription doctor tablets erection dosage".split())),
    ("casino", tuple("casino poker jackpot roulette chips spins betting odds".split())),
    ("loans", tuple("loan mortgage debt refinance lender rates approval credit".split())),
    ("watches", tuple("replica rolex watches luxury handbags designer swiss genuine".split())),
    ("diplomas", tuple("diploma degree university bachelor accredited transcript graduate mba".split())),
    ("lottery", tuple("lottery winner prize claim barrister million beneficiary funds".split())),
    ("parcels", tuple("customs courier clearance redelivery depot fee consignment shipment".split())),
    ("crypto", tuple("bitcoin wallet token mining ledger profit exchange airdrop".split())),
    ("logins", tuple("password account suspended verify mailbox quota login security".split())),
    ("dating", tuple("lonely singles dating charming flirt profile match beautiful".split())),
    ("shares", tuple("stock shares ticker broker rally undervalued investor forecast".split())),
    ("software", tuple("license software activation antivirus windows renewal installer keygen".split())),
)

_ONSETS: Final = "b c d f g h j k l m n p r s t v w z b d f k l m n p r s t br cl dr fl gr pl pr sh st th tr".split()
_VOWELS: Final = "a a e e i i o o u ai ea ou".split()
_CODAS: Final = ["", "", "", "", "", "", "", "n", "n", "r", "s", "l", "t", "m", "nd", "rt"]
_LEET: Final = {"i": "1", "o": "0", "a": "4", "e": "3", "s": "5", "t": "7", "l": "1", "b": "8", "g": "9"}


class Words:
    """The words of one world: `texts[n]` is word number n; no word is made twice.

    >>> words = Words(np.random.Generator(np.random.PCG64(7)))
    >>> first = words.add("viagra")
    >>> [words.texts[number] for number in (words.disguise(first), words.disguise(first))]
    ['v1agra', 'vi4gra']
    >>> len(words.invent(3))
    3
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._known: dict[str, int] = {}
        self.texts: list[str] = []

    def add(self, text: str) -> int:
        """Return the number of `text`, a new one if it was not known."""
        number = self._known.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def invent(self, count: int) -> list[int]:
        """Make `count` new pronounceable words of two or three syllables."""
        made: list[int] = []
        while len(made) < count:
            draws = self._rng.random(10).tolist()
            syllables = 2 if draws[9] < 0.6 else 3  # the share of short words
            text = "".join(
                _pick(part, draw)
                for part, draw in zip((_ONSETS, _VOWELS, _CODAS) * syllables, draws[: 3 * syllables], strict=True)
            )
            if text not in self._known:
                made.append(self.add(text))
        return made

    def disguise(self, number: int) -> int:
        """Return a new word that a person reads like word `number`: one letter is written as a digit."""
        text = self.texts[number]
        for place, letter in enumerate(text):
            if letter in _LEET:
                changed = text[:place] + _LEET[letter] + text[place + 1 :]
                if changed not in self._known:
                    return self.add(changed)
        return self.invent(1)[0]

    def mutate(self, vocabulary: Sequence[int], share: float, disguised: float) -> list[int]:
        """Replace about `share` of a vocabulary, `disguised` of that by disguises, the rest by new words."""
        mutated: list[int] = []
        for number, draw in zip(vocabulary, self._rng.random(len(vocabulary)).tolist(), strict=True):
            if draw < share * disguised:
                mutated.append(self.disguise(number))
            else:
                mutated.append(self.invent(1)[0] if draw < share else number)
        return mutated


def zipf_table(vocabulary: Sequence[int]) -> NDArray[np.intp]:
    """Spread a vocabulary, most frequent word first, over `TABLE_SIZE` entries in Zipf proportions.

    >>> table = zipf_table([10, 11, 12])
    >>> [int((table == number).sum()) for number in (10, 11, 12)]
    [1681, 1324, 1091]
    """
    ranks = np.arange(1, len(vocabulary) + 1, dtype=np.float64)
    cumulative = np.cumsum(1.0 / (ranks + _ZIPF_OFFSET))
    middles = (np.arange(TABLE_SIZE) + 0.5) / TABLE_SIZE
    places = np.searchsorted(cumulative / cumulative[-1], middles, side="right")
    return np.asarray(vocabulary, dtype=np.intp)[np.minimum(places, len(vocabulary) - 1)]


def _pick(parts: Sequence[str], draw: float) -> str:
    return parts[int(draw * len(parts))]
