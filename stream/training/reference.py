"""Reference histograms: what each input and the score looked like in training, for drift to be compared with."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd

from stream.config import Features
from stream.features import TEXT
from stream.reference import Histogram, Reference, Wander
from stream.training.vocabulary import vocabulary
from stream.training.wander import wander

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 20
"""Bins of a number's histogram, with about equally many of the reference's rows in each."""

MOST_BYTES = 400_000
"""Of a reference as JSON, some hundreds of columns: it goes into records of Kafka, which take a megabyte."""

NAMED = 50
"""Categories of a column that are counted by name, the most frequent ones; the others are counted together."""


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
    for name in features.numbers:
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
    return Reference(len(frame), histogram(scores), histograms, categories, missing, seen, wanders, features.derived)


def watched(made: Reference) -> Reference | None:
    """The reference, if it is small enough for the records that take it to the monitor."""
    return made if len(msgspec.json.encode(made)) <= MOST_BYTES else None


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
