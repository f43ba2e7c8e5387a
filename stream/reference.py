"""What inputs and scores looked like in training, as counts: what drift is measured against. Cards keep it."""

from msgspec import Struct


class Histogram(Struct, frozen=True):
    """Counts between edges; ``counts`` has one entry more than ``edges`` (below, between, above)."""

    edges: list[float]
    counts: list[int]


class Wander(Struct, frozen=True):
    """How much farther blocks of rows in a row are from one another than independent rows would be: 1 is not at all.

    ``shape``: in the mean over all bins (the design effect of J. N. K. Rao and A. J. Scott, 1981); ``place``: in the
    mean rank. A window of n events is then worth n / place independent ones where a move up or down is looked for.
    """

    shape: float = 1.0
    place: float = 1.0


class Vocabulary(Struct, frozen=True):
    """Of ``texts`` texts: in how many each of the most frequent words is, words by bucket, and which places are seen.

    ``seen`` has a bit a place. ``unseen`` is the share of a further text's words that are expected to be new all the
    same: the share of words that one text only has (I. J. Good, The population frequencies of species, 1953).
    ``wander``: how much farther the buckets of texts in a row are from one another than independent words would be.
    """

    texts: int
    words: dict[str, int]
    buckets: list[int]
    seen: bytes
    unseen: float
    wander: Wander = Wander()


class Reference(Struct, frozen=True):
    """Of ``rows`` rows: histograms of numbers, text lengths and scores; counts of categories; how many are missing.

    Histograms are by column; ``text`` stands for the characters of all text fields joined.
    ``categories`` has "" for all that are not named. A histogram's first and last edge are the least and the greatest
    value. ``vocabulary``: None without texts. ``wander``: of each column and, as "", of the score. Cards from before
    they were there have neither. ``derived`` columns are no fields: whatever they do, no field is broken.
    """

    rows: int
    scores: Histogram
    histograms: dict[str, Histogram]
    categories: dict[str, dict[str, int]]
    missing: dict[str, int]
    vocabulary: Vocabulary | None = None
    wander: dict[str, Wander] = {}
    derived: list[str] = []


class Expected(Struct, frozen=True):
    """What is expected of a baseline where nothing has changed since its training; None or empty: not known.

    ``risk``: the upper end of the 95% interval of the share of errors that it made on rows that it had not learned
    from; of a baseline of an anomaly stream, of the positives that it missed. ``classes``: how many rows of training
    were of each.
    """

    risk: float | None = None
    inputs: Reference | None = None
    classes: dict[str, int] = {}
