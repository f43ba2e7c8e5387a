"""Profiles: what the models saw and said in a run of events, as counts that can be added up.

The scorer makes one of each batch and adds them up; what comes of it is the same for every split into batches and
every order of adding, but for the frequent words, whose bound holds in every order.
"""

from msgspec import Struct

from stream.drift.heavy import Heavy, merged
from stream.errors import StateError

UNIT = 1 << 20
"""Sums are whole numbers of 1/UNIT of the reference's spread: whole numbers add up to the same in any order."""


class Numbers(Struct, frozen=True):
    """A column of numbers: counts below, between and above the reference's edges, and what they do not tell.

    ``above``: how many lie above the last edge. ``total`` and ``squares`` are of the distances from the reference's
    median, in 1/UNIT of its spread, of which 10,000 is the longest. ``low`` and ``high``: the least and the greatest.
    """

    counts: list[int]
    missing: int
    above: int
    total: int
    squares: int
    low: float | None
    high: float | None


class Categories(Struct, frozen=True):
    """A column of categories: counts of those that the reference names, in its order, of others, and of none."""

    counts: list[int]
    other: int
    missing: int


class Words(Struct, frozen=True):
    """The words of ``texts`` texts, each once a text: how many, by bucket, how many are new, the frequent ones."""

    texts: int
    words: int
    unseen: int
    buckets: list[int]
    frequent: Heavy


class Profile(Struct, frozen=True):
    """Of the events ``first``..``last`` (positions), ``events`` of them; ``version`` is the reference's baseline.

    ``numbers`` has ``text`` for the characters of all text fields joined; there ``missing`` counts the empty ones too,
    and ``counts`` all. ``online`` and ``baseline`` are scores in the bins of the reference's score. ``words`` is of a
    sample of the texts; None where there is nothing to compare words with.
    """

    version: str
    first: int
    last: int
    events: int
    numbers: dict[str, Numbers]
    categories: dict[str, Categories]
    online: list[int]
    baseline: list[int]
    words: Words | None = None


def merge(a: Profile, b: Profile) -> Profile:
    """The profile of both runs; raises StateError where they were made with different references."""
    if a.version != b.version:
        raise StateError(
            f"a profile for baseline {a.version} and one for {b.version} do not add up: begin anew with each version"
        )
    if a.numbers.keys() != b.numbers.keys() or a.categories.keys() != b.categories.keys():
        columns = sorted({*a.numbers, *a.categories} ^ {*b.numbers, *b.categories})
        raise StateError(f"two profiles for baseline {a.version} have different columns: {', '.join(columns)}")
    return Profile(
        a.version,
        min(a.first, b.first),
        max(a.last, b.last),
        a.events + b.events,
        {name: _numbers(each, b.numbers[name]) for name, each in a.numbers.items()},
        {name: _categories(each, b.categories[name]) for name, each in a.categories.items()},
        _added(a.online, b.online),
        _added(a.baseline, b.baseline),
        _words(a.words, b.words) if a.words is not None and b.words is not None else None,
    )


def _added(a: list[int], b: list[int]) -> list[int]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _numbers(a: Numbers, b: Numbers) -> Numbers:
    lows = [each for each in (a.low, b.low) if each is not None]
    highs = [each for each in (a.high, b.high) if each is not None]
    return Numbers(
        _added(a.counts, b.counts),
        a.missing + b.missing,
        a.above + b.above,
        a.total + b.total,
        a.squares + b.squares,
        min(lows, default=None),
        max(highs, default=None),
    )


def _categories(a: Categories, b: Categories) -> Categories:
    return Categories(_added(a.counts, b.counts), a.other + b.other, a.missing + b.missing)


def _words(a: Words, b: Words) -> Words:
    return Words(
        a.texts + b.texts,
        a.words + b.words,
        a.unseen + b.unseen,
        _added(a.buckets, b.buckets),
        merged(a.frequent, b.frequent),
    )
