"""Makes profiles of batches, in a few numpy calls over all columns at once."""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from stream.config import Features
from stream.drift.scale import scale
from stream.features import TEXT, Row
from stream.heavy import heavy
from stream.profile import UNIT, Categories, Numbers, Profile, Words
from stream.records import Score
from stream.reference import Reference, Vocabulary
from stream.training.vocabulary import BUCKETS, PLACES, READ_EVERY, found, places

Array = np.ndarray[Any, np.dtype[Any]]

FARTHEST = 10_000.0
"""Spreads of the reference: a value that lies farther from its median counts as if it lay there."""

NAMED = 3
"""Categories that the reference does not name and a profile does, of a column."""

AT_ONCE = 4096
"""Rows that are counted at once: their arrays fit into the cache."""


class Profiler:
    """Counts rows and scores against the reference of the baseline ``version``; it keeps nothing between batches.

    ``features`` are the stream's; columns that the reference does not have are left out. Words are read of the events
    whose position READ_EVERY divides.
    """

    def __init__(self, version: str, features: Features, reference: Reference) -> None:
        logged = features.logged
        self.version = version
        self._texts = logged.text if TEXT in reference.histograms else []
        self._joints = len(self._texts) - 1
        self._seen = _map(reference.vocabulary) if reference.vocabulary is not None else None
        self._names = [name for name in logged.numbers if name in reference.histograms]
        self._categories = {
            name: {category: at for at, category in enumerate(known for known in reference.categories[name] if known)}
            for name in (*logged.categorical, *logged.onehot)
            if name in reference.categories
        }
        self._scores = np.array(reference.scores.edges)
        columns = [*self._names, *([TEXT] if self._texts else [])]
        self._columns = columns
        self._edges = [reference.histograms[name].edges for name in columns]
        self._width = 1 << max((len(edges) + 1 for edges in self._edges), default=1).bit_length()
        table = np.full((len(columns), self._width), np.inf)
        for row, edges in zip(table, self._edges, strict=True):
            row[: len(edges)] = edges
        self._table = table.ravel()
        self._starts = np.arange(len(columns)) * self._width
        scales = [scale(reference.histograms[name]) for name in columns]
        self._median = np.array([each.median for each in scales])
        self._spread = np.array([each.spread for each in scales])
        self._high = np.array([edges[-1] if edges else np.inf for edges in self._edges])
        self._row = itemgetter(*self._names) if len(self._names) > 1 else None

    def profile(self, first: int, rows: Sequence[Row], baseline: Sequence[Score]) -> Profile:
        """The profile of events at the positions from ``first`` on, with what the baseline said, if it did."""
        counted = self._numbers(rows)
        return Profile(
            self.version,
            first,
            first + len(rows) - 1,
            len(rows),
            counted,
            {name: _counted([row[name] for row in rows], known) for name, known in self._categories.items()},
            self._binned(baseline),
            self._words(first, rows, self._seen) if self._seen is not None else None,
        )

    def _numbers(self, rows: Sequence[Row]) -> dict[str, Numbers]:
        if not self._columns:
            return {}
        values = self._values(rows)
        shape = (len(self._columns), self._width)
        counts, above = np.zeros(shape, dtype=np.int64), np.zeros(shape[0], dtype=np.int64)
        totals = np.zeros(shape[0], dtype=np.int64)
        for begin in range(0, len(rows), AT_ONCE):
            part = values[begin : begin + AT_ONCE]
            counts += np.bincount(self._bins(part).ravel(), minlength=counts.size).reshape(shape)
            above += np.count_nonzero(part > self._high, axis=0)
            with np.errstate(over="ignore"):
                far = (part - self._median) / self._spread
            np.nan_to_num(far, copy=False)
            np.clip(far, -FARTHEST, FARTHEST, out=far)
            totals += np.rint(far * UNIT).astype(np.int64).sum(axis=0)
        made = {}
        texts = int(np.count_nonzero(values[:, -1] == self._joints)) if self._texts else 0
        listed = counts.tolist()
        for at, name in enumerate(self._columns):
            edges = len(self._edges[at])
            made[name] = Numbers(
                listed[at][: edges + 1],
                listed[at][-1] if at < len(self._names) else texts,
                int(above[at]),
                int(totals[at]),
            )
        return made

    def _values(self, rows: Sequence[Row]) -> Array:
        """One line a row: numbers, then the text's length; NaN is missing."""
        if self._row is not None:
            values = np.array(list(map(self._row, rows)), dtype=float)
        else:
            values = np.array([row[name] for name in self._names for row in rows], dtype=float)
        values = values.reshape(len(rows), len(self._names))
        if not self._texts:
            return values
        lengths = np.full(len(rows), float(self._joints))
        for name in self._texts:
            lengths += [len(row[name]) for row in rows]
        return np.column_stack([values, lengths])

    def _bins(self, values: Array) -> Array:
        """Which bin of the table each value is in, by bisection in all columns at once; a missing one in the last."""
        at = np.zeros(values.shape, dtype=np.intp)
        step = self._width >> 1
        while step:
            at += step * (self._table.take(at + (self._starts + (step - 1))) <= values)
            step >>= 1
        at[np.isnan(values)] = self._width - 1
        at += self._starts
        return at

    def _binned(self, scores: Sequence[Score]) -> list[int]:
        flat = [max(score) if isinstance(score, list) else score for score in scores if score is not None]
        bins = np.searchsorted(self._scores, np.array(flat, dtype=float), side="right")
        return [int(count) for count in np.bincount(bins, minlength=len(self._scores) + 1)]

    def _words(self, first: int, rows: Sequence[Row], seen: Array) -> Words:
        read = rows[-first % READ_EVERY :: READ_EVERY]
        each = found(["\n".join([row[name] for name in self._texts]) for row in read])
        at = places(each) if each else np.zeros(0, dtype=np.intp)
        return Words(
            len(each),
            len(at),
            int(np.count_nonzero(~seen[at])),
            np.bincount(at % BUCKETS, minlength=BUCKETS).tolist(),
            heavy([word for text in each for word in text]),
        )


def _map(vocabulary: Vocabulary) -> Array:
    return np.unpackbits(np.frombuffer(vocabulary.seen, dtype=np.uint8), count=PLACES).astype(bool)


def _counted(values: list[str | None], known: dict[str, int]) -> Categories:
    counts, others, missing = [0] * len(known), {}, 0
    for value, count in Counter(values).items():
        if value is None:
            missing += count
        elif value in known:
            counts[known[value]] += count
        else:
            others[value] = count
    named = sorted(others.items(), key=lambda each: (-each[1], each[0]))[:NAMED]
    return Categories(counts, sum(others.values()), missing, dict(named))
