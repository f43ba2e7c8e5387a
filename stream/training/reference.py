"""Reference histograms: what each input and the score looked like in training, for drift to be compared with."""

from typing import Any

import numpy as np
import pandas as pd
from msgspec import Struct

from stream.config import Features
from stream.features import TEXT
from stream.records import Histogram
from stream.training.vocabulary import Vocabulary, vocabulary
from stream.training.wander import Wander, wander

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 20
"""Bins of a number's histogram, with about equally many of the reference's rows in each."""

NAMED = 50
"""Categories of a column that are counted by name, the most frequent ones; the others are counted together."""


class Reference(Struct, frozen=True):
    """Of ``rows`` rows: histograms of numbers, text lengths and scores; counts of categories; how many are missing.

    Histograms are by column; ``text`` stands for the characters of all text fields joined.
    ``categories`` has "" for all that are not named. A histogram's first and last edge are the least and the greatest
    value. ``vocabulary``: None without texts. ``wander``: of each column and, as "", of the score. Cards from before
    they were there have neither.
    """

    rows: int
    scores: Histogram
    histograms: dict[str, Histogram]
    categories: dict[str, dict[str, int]]
    missing: dict[str, int]
    vocabulary: Vocabulary | None = None
    wander: dict[str, Wander] = {}


def reference(features: Features, frame: pd.DataFrame, scores: Array) -> Reference:
    """The reference of a frame; ``scores``, of the positive class or of the likeliest, are of rows not learned from."""
    histograms: dict[str, Histogram] = {}
    missing: dict[str, int] = {}
    categories: dict[str, dict[str, int]] = {}
    wanders = {"": _wander(scores, histogram(scores))}
    seen = None
    if features.text:
        lengths = frame[TEXT].str.len().to_numpy(dtype=float)
        histograms[TEXT] = histogram(lengths)
        missing[TEXT] = int((lengths < len(features.text)).sum())  # what joins the fields is counted, too
        wanders[TEXT] = _wander(lengths, histograms[TEXT])
        seen = vocabulary(frame[TEXT].tolist())
    for name in features.numeric:
        values = frame[name].to_numpy()
        histograms[name] = histogram(values[~np.isnan(values)])
        missing[name] = int(np.isnan(values).sum())
        wanders[name] = _wander(values, histograms[name])
    for name in (*features.categorical, *features.onehot):
        counts = frame[name].value_counts()
        named = {str(value): int(count) for value, count in counts.iloc[:NAMED].items()}
        categories[name] = named | ({"": int(counts.iloc[NAMED:].sum())} if len(counts) > NAMED else {})
        missing[name] = int(frame[name].isna().sum())
        codes = pd.Categorical(frame[name], categories=counts.index).codes.astype(int)
        wanders[name] = wander(np.minimum(codes, NAMED), min(len(counts), NAMED + 1))
    return Reference(len(frame), histogram(scores), histograms, categories, missing, seen, wanders)


def histogram(values: Array) -> Histogram:
    """Counts below, between and above edges that are quantiles of the values; each value below the edge above it.

    >>> histogram(np.array([1.0, 1.0, 1.0])).counts
    [0, 3]
    """
    if not len(values):
        return Histogram([], [0])
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return Histogram(edges.tolist(), counts.tolist())


def _wander(values: Array, among: Histogram) -> Wander:
    bins = np.searchsorted(among.edges, values, side="right")
    return wander(np.where(np.isnan(values), -1, bins), len(among.counts))
