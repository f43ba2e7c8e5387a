"""Where the baseline rotted: the values and ranges of columns where it errs more than the online model.

Counts are plain, since ``begin``: the monitor begins anew with a version and again at an alarm, so that they are about
what is now, and a decay would only take evidence away.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from msgspec import Struct
from scipy.special import betaincinv

from stream.config import Features
from stream.errors import RecordError
from stream.features import TEXT
from stream.heavy import Heavy, heavy, merged
from stream.reference import Histogram

Array = np.ndarray[Any, np.dtype[Any]]
Value = float | str | None

BLOCK = 100
"""Rows that are counted at once."""

LEARNED_FROM = 500
"""Rows from which ranges are learned where no reference has them."""

RANGES = 10
"""Ranges of a number inside what was known of it; two more are for what lies below and above."""

NAMED = 30
"""Values of a category that are counted by name: any that more than 1 in 31 events has gets there."""

COUNTED = (0.0, 1.0)

OTHER, MISSING, WIDTH = NAMED, NAMED + 1, NAMED + 2

WORST = 5

LEVEL = 0.95
"""How sure it is, for all slices together at one look, that a slice's gap is not below its ``least``."""


class Slice(Struct, frozen=True):
    """The events in which ``column`` is as ``where`` says; both models' shares of errors in them.

    ``least``: the gap is at least so much. Events are taken to be independent for that.
    """

    column: str
    where: str
    events: int
    baseline_errors: float
    online_errors: float
    least: float


class SlicesState(Struct):
    """What slices hold, as JSON: the rows not yet counted, ranges, names, and counts by column, bin and outcome."""

    block: list[list[Value]]
    outcomes: list[int]
    edges: list[list[float]] | None
    named: list[dict[str, int]]
    weights: list[list[int]]
    waiting: list[Heavy]
    counts: list[list[list[int]]]


class Slices:
    """Counts both models' errors by column and value; text fields count as the length of all of them joined.

    ``histograms``: those of the reference of the baseline's card, whose edges give the ranges; without them quantiles
    of the first LEARNED_FROM rows do, for good. The newest rows, fewer than BLOCK, are not yet in what it says.

    >>> slices = Slices(Features(categorical=["country"]))
    >>> for at in range(1_000):
    ...     slices.update({"country": "no" if at % 5 else "se"}, float(at % 5 == 0), 0.0)
    >>> [(each.where, each.events, each.baseline_errors) for each in slices.worst()]
    [("country is 'se'", 200, 1.0)]
    """

    def __init__(self, features: Features, histograms: Mapping[str, Histogram] | None = None) -> None:
        logged = features.logged
        self._texts = logged.text
        self._names = [*logged.numbers, *logged.categorical, *logged.onehot]
        self._numbers = len(logged.numbers)
        self._categories = len(self._names) - self._numbers
        self._row = itemgetter(*self._names) if len(self._names) > 1 else None
        self.columns = [*self._names, *([TEXT] if self._texts else [])]
        ranged = [*logged.numbers, *([TEXT] if self._texts else [])]
        self._edges: list[list[float]] | None = None
        if histograms is not None or not ranged:
            known = histograms or {}
            self._edges = [_thinned(known[name].edges) if name in known else [] for name in ranged]
        self._block: list[tuple[Value, ...]] = []
        self._outcomes: list[int] = []
        self._named: list[dict[Any, int]] = [{None: MISSING} for _ in range(self._categories)]
        self._weights = np.zeros((self._categories, NAMED), dtype=np.int64)
        self._waiting = [Heavy()] * self._categories
        self._counts = np.zeros((len(self.columns), WIDTH, 4), dtype=np.int64)
        self._table = self._tabled()

    def update(self, row: Mapping[str, Any], baseline: float, online: float) -> None:
        """Take in a labelled event: its features and both models' losses.

        Raises RecordError, with nothing changed, for a loss that is not 0 or 1.
        """
        if baseline not in COUNTED or online not in COUNTED:
            raise RecordError("loss", f"must be 0 or 1 for errors to be counted, not {baseline!r} and {online!r}")
        values = self._row(row) if self._row is not None else tuple([row[name] for name in self._names])
        if self._texts:
            values += (float(sum([len(row[name]) for name in self._texts]) + len(self._texts) - 1),)
        self._block.append(values)
        self._outcomes.append(2 * int(baseline) + int(online))
        if len(self._block) >= (LEARNED_FROM if self._edges is None else BLOCK):
            self._count()

    def begin(self) -> None:
        """Count anew, as at an alarm; ranges and names stay, and rows from which ranges are still to be learned."""
        self._counts[:] = 0
        if self._edges is not None:
            self._block, self._outcomes = [], []

    def worst(self) -> list[Slice]:
        """The slices, at most WORST, in which the gap is surely greater than over all events; the surest first.

        Slices are ranked by ``least`` and not by the gap itself, so that a handful of events does not lead: the lower
        end of the share that the baseline alone gets wrong less the upper end of that of the online model alone, both
        Clopper and Pearson's (1934), with what may go wrong shared among all slices (Bonferroni). None where the gap
        is alike everywhere.
        """
        events = self._counts.sum(axis=2)
        total = int(events[0].sum()) if len(events) else 0
        used = (events > 0) & (events < total)
        if not used.any():
            return []
        n, counts = events[used], self._counts[used]
        alone, others = counts[:, 2], counts[:, 1]
        tail = (1 - LEVEL) / (2 * len(n))
        low = np.where(alone > 0, betaincinv(np.maximum(alone, 1), n - alone + 1, tail), 0.0)
        high = np.where(others < n, betaincinv(others + 1, np.maximum(n - others, 1), 1 - tail), 1.0)
        least = low - high
        overall = (self._counts[0, :, 2].sum() - self._counts[0, :, 1].sum()) / total
        columns, bins = used.nonzero()
        made = []
        for at in np.argsort(-least, kind="stable")[:WORST].tolist():
            if least[at] > max(0.0, overall):
                of = int(columns[at])
                ours, online = (float((counts[at, 3] + part[at]) / n[at]) for part in (alone, others))
                where = self._words(of, int(bins[at]))
                made.append(Slice(self.columns[of], where, int(n[at]), ours, online, float(least[at])))
        return made

    def snapshot(self) -> SlicesState:
        """All that it remembers."""
        return SlicesState(
            [list(row) for row in self._block],
            list(self._outcomes),
            self._edges,
            [{name: at for name, at in named.items() if name is not None} for named in self._named],
            self._weights.tolist(),
            list(self._waiting),
            self._counts.tolist(),
        )

    def restore(self, state: SlicesState) -> None:
        """Take up a snapshot of one with the same columns."""
        self._block, self._outcomes = [tuple(row) for row in state.block], list(state.outcomes)
        self._edges = state.edges
        self._named = [{None: MISSING} | dict(named) for named in state.named]
        self._weights = np.array(state.weights, dtype=np.int64).reshape(self._weights.shape)
        self._waiting = list(state.waiting)
        self._counts = np.array(state.counts, dtype=np.int64).reshape(self._counts.shape)
        self._table = self._tabled()

    def _count(self) -> None:
        columns = list(zip(*self._block, strict=True))
        numbers = [*columns[: self._numbers], *columns[len(self._names) :]]
        values = np.array(numbers, dtype=float).reshape(len(numbers), len(self._block))
        if self._edges is None:
            self._edges = [_quantiles(column[~np.isnan(column)]) for column in values]
            self._table = self._tabled()
        bins = np.empty((len(self.columns), len(self._block)), dtype=np.intp)
        ranges = (self._table[:, :, None] <= values[:, None, :]).sum(axis=1)
        ranges[np.isnan(values)] = MISSING
        bins[: self._numbers], bins[len(self._names) :] = ranges[: self._numbers], ranges[self._numbers :]
        for at in range(self._categories):
            bins[self._numbers + at] = self._codes(at, columns[self._numbers + at])
        cells = (bins + WIDTH * np.arange(len(bins))[:, None]) * 4 + np.array(self._outcomes)
        new = np.bincount(cells.ravel(), minlength=self._counts.size).reshape(self._counts.shape)
        self._counts += new
        self._weights += new[self._numbers : len(self._names), :NAMED].sum(axis=2)
        self._block, self._outcomes = [], []

    def _codes(self, at: int, values: Sequence[Any]) -> list[int]:
        named = self._named[at]
        codes = [named.get(value, OTHER) for value in values]
        if OTHER not in codes:
            return codes
        self._name(at, [value for value, code in zip(values, codes, strict=True) if code == OTHER])
        return [named.get(value, OTHER) for value in values]

    def _name(self, at: int, values: list[str]) -> None:
        """Name the frequent ones of values that have no name; where all names are given, at most one that is less so.

        One a block: what moves about among the least frequent would cost more than it tells.
        """
        named, weights, waiting = self._named[at], self._weights[at], merged(self._waiting[at], heavy(values))
        counts = dict(waiting.counts)  # the most frequent one first
        for value, count in waiting.counts.items():
            place = len(named) - 1
            full = place == NAMED
            if full:
                place = int(weights.argmin())
                if count <= weights[place]:
                    break
                old = next(name for name, held in named.items() if held == place)
                del named[old]
                counts[old] = int(weights[place])
                table = self._counts[self._numbers + at]
                table[OTHER] += table[place]
                table[place] = 0
            del counts[value]
            named[value] = place
            weights[place] = count - values.count(value)  # those are counted with the block
            if full:
                break
        self._waiting[at] = Heavy(counts, sum(counts.values()), waiting.shed)

    def _tabled(self) -> Array:
        """The edges of all columns of numbers, one line a column."""
        table = np.full((len(self.columns) - self._categories, RANGES + 1), np.inf)
        for line, edges in zip(table, self._edges or [], strict=False):
            line[: len(edges)] = edges
        return table

    def _words(self, column: int, at: int) -> str:
        name = "length of the text" if column == len(self._names) else self.columns[column]
        if at == MISSING:
            return f"{name} is missing"
        if self._numbers <= column < len(self._names):
            named = {place: value for value, place in self._named[column - self._numbers].items()}
            return f"{name} is another" if at == OTHER else f"{name} is {named[at]!r}"
        edges = [f"{edge:,.6g}" for edge in self._table[min(column, self._numbers)].tolist() if edge < np.inf]
        if at == 0:
            return f"{name} below {edges[0]}" if edges else f"{name} is there"
        return (
            f"{name} {edges[-1]} or more" if at == len(edges) else f"{name} from {edges[at - 1]} to below {edges[at]}"
        )


def _thinned(edges: Sequence[float]) -> list[float]:
    """As many of the edges as there may be, evenly; the outermost ones stay.

    >>> _thinned([0.0, 1.0, 2.0]), len(_thinned([float(edge) for edge in range(21)]))
    ([0.0, 1.0, 2.0], 11)
    """
    if len(edges) <= RANGES + 1:
        return list(edges)
    places = np.linspace(0, len(edges) - 1, RANGES + 1).round().astype(int)
    return [edges[at] for at in places.tolist()]


def _quantiles(values: Array) -> list[float]:
    return (
        [float(edge) for edge in np.unique(np.quantile(values, np.linspace(0, 1, RANGES + 1)))] if len(values) else []
    )
