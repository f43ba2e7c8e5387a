"""Where the counts of each column stand in one long vector, and what the reference's are.

So a profile is added up, and compared, in a few numpy calls over all columns.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from stream.drift.scale import quantile, scale
from stream.errors import StateError
from stream.features import TEXT
from stream.profile import Profile
from stream.reference import Histogram, Reference, Wander
from stream.training.vocabulary import LEAST_BUCKET

Array = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["number", "length", "category", "score", "words", "label"]

LEAST_SHARE = 0.01
"""Bins with less of the reference are taken together: what is rare there says little, and by chance a lot."""

NARROW = 0.05
"""Of a score, as little as matters of its place: a baseline that is sure of itself has most in a few narrower bins."""


class Column:
    """One column: its bins and how they are taken together.

    ``missing``, ``outside``: places, from the column's first on, of counts of missing values, and of values that
    training has not had; the shares of them there are ``usual`` (missing first), None where they are not known.
    ``total``: the place of the sum of distances from the median, -1: there is none.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        counts: list[int],
        *,
        histogram: Histogram | None = None,
        usual: tuple[float | None, float | None] = (None, None),
        least: float = LEAST_SHARE,
        wander: Wander | None = None,
    ) -> None:
        self.name, self.kind, self.counts, self.usual = name, kind, counts, usual
        self.histogram = histogram
        self.wander = wander or Wander()
        self.scale = scale(histogram) if histogram is not None else None
        edges = histogram.edges if histogram is not None and kind == "score" else []
        self.groups = _groups(counts, least, edges)
        # Behind the bins: missing, outside, the sum of distances.
        self.size = len(counts) + 3

    def widths(self) -> list[float]:
        """Of the groups, in spreads (a score's: as they are), of what lies in the middle 90% of the reference."""
        made = [0.0] * (self.groups[-1] + 1)
        if self.histogram is None or self.scale is None or not self.histogram.edges:
            return made
        edges = self.histogram.edges
        low, high = (quantile(edges, self.counts, share) for share in (0.05, 0.95))
        unit = 1.0 if self.kind == "score" else self.scale.spread
        for at, (left, right) in enumerate(pairwise(edges), start=1):
            made[self.groups[at]] += max(0.0, min(right, high) - max(left, low)) / unit
        return made

    def ranks(self) -> tuple[Array, float]:
        """The mean rank of each group's values among the reference's, and the variance of ranks."""
        p = np.bincount(self.groups, weights=self.counts) / max(1, sum(self.counts))
        ranks = np.cumsum(p) - p / 2
        return ranks, float((p * ranks**2).sum() - (p * ranks).sum() ** 2)


def _groups(counts: list[int], least: float, edges: Sequence[float] = ()) -> list[int]:
    """For each bin the group it is in: neighbours together until they hold the least share.

    With ``edges``, those of a score, they are NARROW at least, too.
    """
    total = max(1, sum(counts))
    widths = [0.0, *(b - a for a, b in pairwise(edges)), 0.0] if edges else [NARROW] * len(counts)
    groups, held, wide = [0], float(counts[0]), widths[0]
    for count, width in zip(counts[1:], widths[1:], strict=True):
        full = held >= least * total and wide >= NARROW
        groups.append(groups[-1] + full)
        held, wide = (float(count), width) if full else (held + count, wide + width)
    if (held < least * total or wide < NARROW) and groups[-1]:
        groups = [min(group, groups[-1] - 1) for group in groups]
    return groups


class Layout:
    """Columns one after another; ``reference`` has their groups' counts."""

    def __init__(self, columns: list[Column]) -> None:
        self.columns = columns
        sizes = [column.size for column in columns]
        self.begins = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
        self.length = int(self.begins[-1])
        self.column = np.repeat(np.arange(len(columns)), sizes)
        behind = np.array([begin + len(column.counts) for begin, column in zip(self.begins, columns, strict=False)])
        self.missing, self.outside, self.total = behind, behind + 1, behind + 2
        shaped = np.ones(self.length, dtype=bool)
        shaped[np.concatenate([behind, behind + 1, behind + 2])] = False
        self._shaped = np.flatnonzero(shaped)
        groups, starts, at = [], [], 0
        for column in columns:
            starts.append(at)
            groups += [at + group for group in column.groups]
            at += column.groups[-1] + 1
        self._groups, self.starts, self._count = np.array(groups), np.array(starts), at
        self.reference = np.bincount(
            self._groups, weights=np.concatenate([column.counts for column in columns]), minlength=at
        )
        ranks = [column.ranks() for column in columns]
        self.ranks = np.concatenate([each for each, _ in ranks])
        self.variance = np.array([variance for _, variance in ranks])
        self.wander = np.array([[column.wander.shape, column.wander.place] for column in columns]).T
        self.widths = np.concatenate([column.widths() for column in columns])

    def shapes(self, vector: Array) -> Array:
        """The groups' counts of a vector."""
        return np.bincount(self._groups, weights=vector[self._shaped], minlength=self._count)


def of_inputs(reference: Reference) -> Layout:
    """The layout of a baseline's reference: its numbers, texts, categories, words and score."""
    columns = []
    rows = max(1, reference.rows)
    missing, wander = reference.missing, reference.wander
    for name, histogram in reference.histograms.items():
        length = name == TEXT
        # A text that is longer than any before is no broken field.
        usual = (missing[name] / rows if name in missing else None, None if length else 0.0)
        if name in reference.derived:
            usual = (None, None)
        kind: Kind = "length" if length else "number"
        columns.append(Column(name, kind, histogram.counts, histogram=histogram, usual=usual, wander=wander.get(name)))
    for name, counts in reference.categories.items():
        named = [count for category, count in counts.items() if category]
        other = counts.get("", 0)
        there = max(1, sum(named) + other)
        shares = (missing.get(name, 0) / rows, other / there)
        column = Column(name, "category", [*named, other], usual=shares, wander=wander.get(name))
        columns.append(column)
    if reference.vocabulary is not None:
        seen = reference.vocabulary
        column = Column(TEXT, "words", seen.buckets, usual=(None, seen.unseen), least=LEAST_BUCKET, wander=seen.wander)
        columns.append(column)
    scores = reference.scores
    columns.append(Column("score", "score", scores.counts, histogram=scores, wander=wander.get("")))
    return Layout(columns)


def of_labels(classes: Mapping[str, int]) -> Layout:
    """The layout of the labels' shares; ``classes``: how many rows of training were of each."""
    return Layout([Column("label", "label", list(classes.values()))])


def vector(layout: Layout, profile: Profile) -> Array:
    """A profile as the layout's vector, of whole numbers; raises StateError where it lacks a column."""
    names = {*profile.numbers, *profile.categories}
    for column in layout.columns:
        if column.kind in ("number", "length", "category") and column.name not in names:
            raise StateError(f"a profile for baseline {profile.version} has no column {column.name}: begin it anew")
    flat: list[int] = []
    for column in layout.columns:
        if column.kind in ("number", "length"):
            numbers = profile.numbers[column.name]
            flat += numbers.counts
            flat += (numbers.missing, numbers.counts[0] + numbers.above, numbers.total)
        elif column.kind == "category":
            categories = profile.categories[column.name]
            flat += categories.counts
            flat += (categories.other, categories.missing, categories.other, 0)
        elif column.kind == "words":
            words = profile.words
            flat += words.buckets if words is not None else [0] * len(column.counts)
            flat += (0, words.unseen if words is not None else 0, 0)
        else:
            flat += profile.baseline
            flat += (0, 0, 0)
    return np.array(flat, dtype=np.int64)
