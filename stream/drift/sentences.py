"""Findings made of counts: with the values then and now, and the line that says it."""

from typing import Any

import numpy as np

from stream.drift.findings import Finding, Measure, percent, value
from stream.drift.layout import Column, Layout
from stream.drift.scale import quantile
from stream.drift.text import moved, told
from stream.heavy import Heavy
from stream.profile import UNIT
from stream.reference import Vocabulary

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST = 40
"""Characters of a category's name in a sentence."""

MOSTLY = 0.5
"""With more values than this outside the range of training their median is not known, and the mean is told."""


class Sentences:
    """Says of a layout's columns what has become of them; ``names``: a column's categories, in the layout's order.

    ``others``: the most frequent ones of late that are none of these.
    """

    def __init__(self, layout: Layout, names: dict[str, list[str]], vocabulary: Vocabulary | None) -> None:
        self._layout, self._names, self._vocabulary = layout, names, vocabulary
        self.others: dict[str, dict[str, int]] = {}

    def broken(self, at: int, measure: Measure, vector: Array, *, effect: float, p: float, share: float) -> Finding:
        """A field of which too many values are missing, or are none that training had."""
        column = self._layout.columns[at]
        usual = column.usual[0 if measure == "missing" else 1] or 0.0
        name = self._name(column)
        if measure == "missing":
            line = f"{name}: missing in {percent(share)} of events, {percent(usual)} in training"
        elif measure == "unseen":
            others = ", ".join(repr(other[:LONGEST]) for other in self.others.get(column.name, {}))
            what = f"categories that training does not name{f', such as {others}' if others else ''}"
            line = f"{name}: {percent(share)} are of {what}; {percent(usual)} in training"
        elif column.histogram is None or not column.histogram.edges:
            line = f"{name}: has values, and had none in training"
        else:
            move = self._places(column, at, vector)[2]
            counts = vector[self._layout.begins[at] :]
            below = int(counts[0]) / max(1, int(counts[: len(column.counts)].sum()))
            sides = [f"{percent(each)} {side}" for each, side in ((share - below, "above"), (below, "below")) if each]
            line = f"{name}: {move}; {' and '.join(sides)} the range of training"
        return Finding(column.name, column.kind, measure, True, effect, p, usual, share, 0, line)

    def moved(
        self,
        at: int,
        measure: Measure,
        vector: Array,
        words: tuple[int, Heavy],
        *,
        effect: float,
        p: float,
        jensen_shannon: float,
        kolmogorov_smirnov: float,
    ) -> Finding:
        """A column whose values are spread otherwise than in training."""
        column = self._layout.columns[at]
        name, movers = self._name(column), []
        size = f"PSI {effect:.2f}" if measure == "psi" else f"moved by {effect:.2f}"
        if measure == "wasserstein" and column.kind != "score":
            size += " of its spread"
        if column.kind == "words":
            movers = moved(self._vocabulary, words[1], words[0]) if self._vocabulary is not None else []
            then = column.usual[1] or 0.0
            now = float(vector[self._layout.outside[at]]) / max(1.0, float(self._bins(column, at, vector).sum()))
            what = f"words that training does not have {percent(then)} -> {percent(now)}"
            line = f"{what}; {size}" if measure == "psi" else what
            line = f"{name}: {line}; {told(movers)}" if movers else f"{name}: {line}"
        elif column.histogram is not None:
            then, now, move = self._places(column, at, vector)
            line = f"{name}: {move}; {size}"
        else:
            which, then, now = self._farthest(column, at, vector)
            line = f"{name}: {which} {percent(then)} -> {percent(now)}; {size}"
        return Finding(
            column.name,
            column.kind,
            measure,
            False,
            effect,
            p,
            then,
            now,
            0,
            line,
            jensen_shannon,
            kolmogorov_smirnov,
            movers,
        )

    def _name(self, column: Column) -> str:
        said = {"length": "length of the text", "words": "words of the text", "label": "labels"}
        return said.get(column.kind, column.name)

    def _bins(self, column: Column, at: int, vector: Array) -> Array:
        begin = self._layout.begins[at]
        return vector[begin : begin + len(column.counts)]

    def _places(self, column: Column, at: int, vector: Array) -> tuple[float, float, str]:
        """Where the values lay, where they lie, and both in words."""
        bins = self._bins(column, at, vector).tolist()
        edges = column.histogram.edges if column.histogram is not None else []
        if column.scale is None or not edges:
            return 0.0, 0.0, "no values in training"
        then, now, what = column.scale.median, quantile(edges, bins, 0.5), ""
        if vector[self._layout.outside[at]] > MOSTLY * sum(bins):
            mean = float(vector[self._layout.total[at]]) / UNIT / sum(bins)
            now, what = then + mean * column.scale.spread, "mean "
        return then, now, f"median {value(then)} -> {what}{value(now)}"

    def _farthest(self, column: Column, at: int, vector: Array) -> tuple[str, float, float]:
        """The category whose share moved most, with its shares then and now."""
        now = self._bins(column, at, vector).astype(float)
        then = np.array(column.counts, dtype=float)
        now, then = now / max(1.0, now.sum()), then / max(1.0, then.sum())
        most = int(np.argmax(np.abs(now - then)))
        names = self._names.get(column.name, []) if column.kind == "category" else self._names.get("", [])
        return repr(names[most]) if most < len(names) else "all others", float(then[most]), float(now[most])
