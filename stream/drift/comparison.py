"""Counts as they come against a reference's: what is broken, and what has moved.

The newest slots say what breaks at once (missing, outside, unseen), more of them what moves; a decayed sum reaches
further back, for smaller moves. Work and memory depend on the number of columns and not on events.
"""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from stream.drift.dependence import Dependence, DependenceState
from stream.drift.findings import ALPHA, CLOSES, LEAST, LEAST_BROKEN, Finding, Measure
from stream.drift.layout import Layout
from stream.drift.measures import Shares, adjusted, more_than
from stream.drift.sentences import Sentences
from stream.drift.slots import SLOT, Slots, SlotsState
from stream.heavy import Heavy

Array = np.ndarray[Any, np.dtype[Any]]
Tests = dict[Measure, tuple[Array, Array]]
"""Effect sizes and p-values of the columns."""

BROKEN = 200
"""Events in which a field is seen to be broken, and seen to be whole again."""

HALF_LIFE = 4
"""Of the decayed sum, in windows."""

LEAST_INDEPENDENT = 10.0
"""Fewer independent values say nothing of how a column is spread; of its shape, fewer than two a bin."""

BREAKABLE = ("number", "length", "category")


class State(Struct):
    """What a comparison remembers; JSON, and the same bit for bit when read again."""

    slots: SlotsState
    dependence: DependenceState
    fresh: list[int]
    suspended: list[bool]
    findings: dict[str, Finding]
    moved: list[float]
    broken: list[float]


class Comparison:
    """What a layout's columns are now against its reference; ``window`` in events.

    A move is found where its effect size matters and its p-value, adjusted over the columns, says that it is no
    chance: so a large window does not call everything drift, nor a small one nothing. It ends when the window's
    effect sizes are half of what matters. Of a field that is broken, and of the score meanwhile, nothing else is
    said, and when it is whole again they begin anew.
    """

    def __init__(self, layout: Layout, sentences: Sentences, window: int) -> None:
        columns = layout.columns
        self.layout = layout
        self.window = max(window, SLOT)
        self._sentences = sentences
        self._kinds = [column.kind for column in columns]
        self._breakable = np.array([kind in BREAKABLE for kind in self._kinds])
        self._ordered = [kind in ("number", "length", "score") for kind in self._kinds]
        self._whole = np.array([max(1, sum(column.counts)) for column in columns], dtype=float)
        usual = np.array([[np.nan if share is None else share for share in column.usual] for column in columns]).T
        self._known = ~np.isnan(usual)
        self._usual = np.nan_to_num(usual)
        measures: tuple[Measure, ...] = ("psi", "wasserstein", "unseen")
        self._least = {name: np.array([LEAST.get((kind, name), np.inf) for kind in self._kinds]) for name in measures}
        self._slots = Slots(layout.length, max(self.window, BROKEN), HALF_LIFE * self.window)
        self._dependence = Dependence(layout)
        self._fresh = np.zeros(len(columns), dtype=np.int64)  # events since a column began, or began anew
        self._suspended = np.zeros(len(columns), dtype=bool)
        self._findings: dict[str, Finding] = {}
        self._moved, self._excess = np.zeros(len(columns)), np.zeros(len(columns))

    def snapshot(self) -> State:
        """All that it remembers."""
        return State(
            self._slots.snapshot(),
            self._dependence.snapshot(),
            self._fresh.tolist(),
            self._suspended.tolist(),
            dict(self._findings),
            self._moved.tolist(),
            self._excess.tolist(),
        )

    def restore(self, state: State) -> None:
        """Take up a snapshot of a comparison with the same layout."""
        self._slots.restore(state.slots)
        self._dependence.restore(state.dependence)
        self._fresh = np.array(state.fresh, dtype=np.int64)
        self._suspended = np.array(state.suspended, dtype=bool)
        self._findings = dict(state.findings)
        self._moved, self._excess = np.array(state.moved), np.array(state.broken)

    @property
    def findings(self) -> list[Finding]:
        """All that is found and not over: what is broken first, then what moved most."""
        found = self._findings.values()
        return sorted(found, key=lambda each: (not each.schema, -each.strength, each.kind, each.feature))

    @property
    def strengths(self) -> list[tuple[str, str, float]]:
        """Of each column its kind, its name and how far it is from the reference: from 1 on it matters.

        It is the greatest effect, in units of the least that matters, of what has moved in the window, or is broken.
        """
        most = np.maximum(self._moved, self._excess / LEAST_BROKEN).tolist()
        return [(column.kind, column.name, most[at]) for at, column in enumerate(self.layout.columns)]

    def add(self, events: int, vector: Array, texts: int = 0, frequent: Heavy | None = None) -> list[Finding]:
        """Add counts of so many events; what is newly found, which is looked for when a slot is full."""
        full = self._slots.add(events, vector, texts, frequent or Heavy())
        if not full:
            return []
        if len(self._slots.vectors) > 1:
            self._dependence.update(*self._slots.vectors[-2:])
        self._fresh += full
        before = dict(self._findings)
        self._look_for_broken()
        self._suspend()
        if self._ready().any():
            self._look_for_moves()
        return [found for key, found in self._findings.items() if key not in before]

    # ------------------------------------------------------------------------------------------- broken

    def _look_for_broken(self) -> None:
        newest, events = self._slots.newest(BROKEN)
        layout = self.layout
        bins = np.add.reduceat(layout.shapes(newest), layout.starts)
        counts = np.array([newest[layout.missing], newest[layout.outside]])
        of = np.array([np.full(len(bins), float(events)), np.maximum(bins, 1.0)])
        share = counts / of
        excess = np.where(self._known & self._breakable, share - self._usual, 0.0)
        self._excess = excess.max(axis=0)
        p = np.ones(excess.shape)
        if events >= BROKEN and (excess >= LEAST_BROKEN).any():
            worth = self._dependence.each()[0]
            # What training never had is not impossible: the rule of succession.
            expected = (self._usual * self._whole + 1) / (self._whole + 2)
            p = adjusted(more_than(counts / worth, of / worth, expected).ravel()).reshape(excess.shape)
        opens = ((excess >= LEAST_BROKEN) & (p < ALPHA)).any(axis=0)
        for at in np.flatnonzero(opens | self._broken()).tolist():
            which = int(np.argmax(excess[:, at]))
            if excess[which, at] < CLOSES * LEAST_BROKEN:
                del self._findings[f"schema:{at}"]
                continue
            measure: Measure = ("missing", "unseen" if self._kinds[at] == "category" else "outside")[which]
            sizes = {"effect": float(excess[which, at]), "p": float(p[which, at]), "share": float(share[which, at])}
            self._find(f"schema:{at}", self._sentences.broken(at, measure, newest, **sizes))

    def _broken(self) -> Array:
        return np.array([f"schema:{at}" in self._findings for at in range(len(self._kinds))])

    def _suspend(self) -> None:
        """Say nothing else of what is broken, nor of what is made of it; when that is over, begin anew with it."""
        broken = self._broken()
        lost = any(broken[at] for at, kind in enumerate(self._kinds) if kind == "length")
        of_it = [(kind == "score" and broken.any()) or (kind == "words" and lost) for kind in self._kinds]
        suspended = broken | np.array(of_it, dtype=bool)
        for at in np.flatnonzero(suspended):
            self._findings.pop(f"drift:{at}", None)
        over = self._suspended & ~suspended
        if over.any():
            self._fresh[over] = self._slots.forget(over[self.layout.column], BROKEN)
        self._suspended = suspended

    # ------------------------------------------------------------------------------------------- moved

    def _ready(self) -> Array:
        return np.asarray((self._fresh >= self.window) & ~self._suspended)

    def _look_for_moves(self) -> None:
        layout = self.layout
        recent, _ = self._slots.newest(self.window)
        found: dict[int, Finding] = {}
        strongest = self._moves(recent, found)
        self._moved = np.where(self._ready(), np.maximum(strongest, 0.0), 0.0)
        self._moves(self._slots.decayed, found)
        for at in range(len(layout.columns)):
            key = f"drift:{at}"
            if key in self._findings and strongest[at] < CLOSES:
                del self._findings[key]
                self._slots.forget(layout.column == at, self.window)
            elif at in found:
                self._find(key, found[at])

    def _moves(self, vector: Array, found: dict[int, Finding]) -> Array:
        """Add what has moved to what is found already; each column's greatest effect, in units of what matters."""
        layout = self.layout
        shares = Shares(layout.reference, layout.shapes(vector), layout.starts, self._dependence.each())
        distance, ks_p = shares.kolmogorov_smirnov()
        unseen = vector[layout.outside]
        tests: Tests = {
            "psi": (shares.psi(), shares.chi_square()[1]),
            "wasserstein": (shares.wasserstein(layout.widths), ks_p),
            "unseen": (
                unseen / np.maximum(shares.n, 1.0) - self._usual[1],
                more_than(unseen / shares.shape, shares.n / shares.shape, self._usual[1]),
            ),
        }
        enough = self._ready() & (shares.independent >= LEAST_INDEPENDENT)
        strength, chance, opens = {}, {}, {}
        for name, (effect, p) in tests.items():
            strength[name] = effect / self._least[name]
            able = enough & (shares.independent >= 2 * shares.sizes) if name == "psi" else enough
            chance[name] = adjusted(np.where(able, p, 1.0))
            opens[name] = able & (strength[name] >= 1) & (chance[name] < ALPHA)
        for at in np.flatnonzero(np.logical_or.reduce(list(opens.values()))).tolist():
            if at not in found:
                best = max((name for name in opens if opens[name][at]), key=lambda name: float(strength[name][at]))
                found[at] = self._sentences.moved(
                    at,
                    best,
                    vector,
                    self._slots.words(),
                    effect=float(tests[best][0][at]),
                    p=float(chance[best][at]),
                    jensen_shannon=float(shares.jensen_shannon()[at]),
                    kolmogorov_smirnov=float(distance[at]) if self._ordered[at] else 0.0,
                )
        return np.asarray(np.maximum.reduce(list(strength.values())))

    def _find(self, key: str, found: Finding) -> None:
        """What is known already keeps the moment at which it was found."""
        known = self._findings.get(key)
        self._findings[key] = replace(found, since=known.since if known else self._slots.events)
