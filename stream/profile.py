"""Profiles: what the models saw and said in a run of events, as counts that can be added up.

The scorer makes one of every hundred events and the monitor adds them up; what comes of it is the same for every split
into batches and every order of adding, but for the frequent words, whose bound holds in every order.
"""

from msgspec import Struct

from stream.heavy import Heavy

UNIT = 1 << 20
"""Sums are whole numbers of 1/UNIT of the reference's spread: whole numbers add up to the same in any order."""


class Numbers(Struct, frozen=True):
    """A column of numbers: counts below, between and above the reference's edges, and what they do not tell.

    ``above``: how many lie above the last edge. ``total`` is of the distances from the reference's median, in 1/UNIT of
    its spread, of which 10,000 is the longest.
    """

    counts: list[int]
    missing: int
    above: int
    total: int


class Categories(Struct, frozen=True):
    """A column of categories: counts of those that the reference names, in its order, of others, and of none.

    ``named``: the most frequent three of the others, with their counts.
    """

    counts: list[int]
    other: int
    missing: int
    named: dict[str, int] = {}


class Words(Struct, frozen=True):
    """The words of ``texts`` texts, each once a text: how many, by bucket, how many are new, the frequent ones."""

    texts: int
    words: int
    unseen: int
    buckets: list[int]
    frequent: Heavy


class Answered(Struct, frozen=True):
    """What both models called events: how often the online model this where the baseline that.

    ``judged``: the sum of the probabilities, by the online model, that the baseline's call is wrong, in 1/UNIT; None
    where scores are no probabilities.
    """

    pairs: dict[str, dict[str, int]]
    judged: int | None


class Profile(Struct, frozen=True, tag="profile", tag_field="record"):
    """Of the events ``first``..``last`` (positions), ``events`` of them; ``version`` is the reference's baseline.

    ``numbers`` has ``text`` for the characters of all text fields joined; there ``missing`` counts the empty ones too,
    and ``counts`` all. ``baseline`` has its scores in the bins of the reference's score. ``words`` is of a sample of
    the texts; None where there is nothing to compare words with. ``until``: the greatest time of an event so far, in
    seconds since the epoch. ``labels``: how many were reported since the profile before. Of a baseline without a
    reference there are the answers only. ``partition``: that of the events, in which positions grow. ``unread``: events
    that could not be, by the field that they failed at (empty: none in particular).
    """

    version: str
    first: int
    last: int
    events: int
    numbers: dict[str, Numbers]
    categories: dict[str, Categories]
    baseline: list[int]
    words: Words | None = None
    until: float = 0.0
    answers: Answered | None = None
    labels: int = 0
    partition: int = 0
    unread: dict[str, int] = {}
