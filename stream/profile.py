"""Profiles: what the models saw and said in a run of events, as counts that can be added up.

The scorer makes one of each batch and adds them up; what comes of it is the same for every split into batches and
every order of adding, but for the frequent words, whose bound holds in every order.
"""

from msgspec import Struct

from stream.errors import StateError
from stream.heavy import Heavy, merged

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


class Answers(Struct, frozen=True):
    """What both models called events: how often the online model this where the baseline that.

    ``judged``: the sum of the probabilities, by the online model, that the baseline's call is wrong, in 1/UNIT; None
    where scores are no probabilities.
    """

    pairs: dict[str, dict[str, int]]
    judged: int | None


class Profile(Struct, frozen=True, tag="profile", tag_field="record"):
    """Of the events ``first``..``last`` (positions), ``events`` of them; ``version`` is the reference's baseline.

    ``numbers`` has ``text`` for the characters of all text fields joined; there ``missing`` counts the empty ones too,
    and ``counts`` all. ``online`` and ``baseline`` are scores in the bins of the reference's score. ``words`` is of a
    sample of the texts; None where there is nothing to compare words with. ``until``: the greatest time of an event so
    far, in seconds since the epoch. ``labels``: how many were reported since the profile before. Of a baseline without
    a reference there are the answers only.
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
    until: float = 0.0
    answers: Answers | None = None
    labels: int = 0


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
        max(a.until, b.until),
        _answers(a.answers, b.answers) if a.answers is not None and b.answers is not None else None,
        a.labels + b.labels,
    )


def _added(a: list[int], b: list[int]) -> list[int]:
    return [x + y for x, y in zip(a, b, strict=True)]


def _answers(a: Answers, b: Answers) -> Answers:
    pairs = {baseline: dict(counts) for baseline, counts in a.pairs.items()}
    for baseline, counts in b.pairs.items():
        of_it = pairs.setdefault(baseline, {})
        for online, count in counts.items():
            of_it[online] = of_it.get(online, 0) + count
    return Answers(pairs, a.judged + b.judged if a.judged is not None and b.judged is not None else None)


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
