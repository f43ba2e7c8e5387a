"""Features: from an event's fields to what the models see.

Two steps. ``row`` makes one checked value a declared column: this, less the columns that are not logged, is what the
labelled record carries and what the baseline is given, as a frame. ``inputs`` turns rows into what a river model takes,
a dict: words as integers below 2**hash_bits, hashed categories as integers from 2**hash_bits on, numbers under their
column's name, listed categories as ``column=value``, and ``column?`` where a value is missing.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import murmurhash3_32

from stream.config import Features, Fields
from stream.errors import RecordError
from stream.words import WordHasher

Row = dict[str, Any]
"""One value a column: text is a str, a number a float, a category a str; None is missing."""

ModelInput = dict[str | int, float]

LARGEST = 1e30
"""A number further from 0 is no measurement: scikit-learn's trees take no larger one than fits into 32 bits."""

TEXT = "text"
"""The frame's column of all text fields joined; numbers and categories keep their own names."""


class FeatureExtractor:
    """Makes rows of events, and of rows what the models take; it learns nothing.

    ``logged``: what it is given are rows of the training log, which have the derived columns as they were.

    >>> extractor = FeatureExtractor(Features(text=["body"], numeric=["size"]))
    >>> row = extractor.row({"body": "win a prize", "size": "3"})
    >>> row
    {'body': 'win a prize', 'size': 3.0}
    >>> [x] = extractor.inputs([row])
    >>> len(x), x["size"]
    (4, 3.0)
    """

    def __init__(self, settings: Features, *, logged: bool = False) -> None:
        self.settings = settings
        self._logged = settings.logged
        self._columns = [*settings.numbers, *settings.categorical, *settings.onehot]
        self._numbers, self._keys = settings.numbers, settings.keys
        self._read = settings.numbers if logged else settings.numeric
        self._offset = 1 << settings.hash_bits
        self._words = WordHasher(settings)

    def row(self, fields: dict[str, Any]) -> Row:
        """Check the declared fields of one event; raises RecordError, which names the field.

        Derived columns are not among them: stream/derived.py puts them in.
        """
        settings = self.settings
        row: Row = {}
        cap = settings.text_cap
        for name in settings.text:
            value = fields.get(name)
            if type(value) is str:
                row[name] = value if len(value) <= cap else value[:cap]
            elif value is None:
                row[name] = ""
            else:
                raise RecordError(name, f"must be text, not {_brief(value)}")
        for name in self._read:
            row[name] = _number(name, fields.get(name))
        for name in settings.categorical:
            row[name] = _category(name, fields.get(name))
        for name in settings.onehot:
            row[name] = _category(name, fields.get(name))
        for name in self._keys:
            row[name] = _category(name, fields.get(name))
        return row

    def logged(self, row: Row) -> Row:
        """What is kept of a row: it without the columns that are not logged."""
        if not self.settings.unlogged:
            return row
        return {name: row[name] for name in (*self._logged.columns, *self._keys)}

    def frame(self, rows: Sequence[Row]) -> pd.DataFrame:
        """The baseline's input, one line a row, of what is logged; missing numbers are NaN, missing categories None."""
        columns: dict[str, Any] = {}
        logged = self._logged
        if logged.text:
            columns[TEXT] = pd.Series(self._texts(rows), dtype=object)
        for name in logged.numbers:
            values = (row[name] for row in rows)
            columns[name] = np.array([math.nan if value is None else value for value in values], dtype=float)
        for name in (*logged.categorical, *logged.onehot):
            columns[name] = pd.Series([row[name] for row in rows], dtype=object)
        return pd.DataFrame(columns)

    def _texts(self, rows: Iterable[Row]) -> list[str]:
        """The text fields of each row, joined by line ends."""
        names = self._logged.text
        if len(names) == 1:
            name = names[0]
            return [row[name] for row in rows]
        return ["\n".join([row[name] for name in names]) for row in rows]

    def inputs(self, rows: Sequence[Row]) -> list[ModelInput]:
        """The online model's input of each row; the same row gives the same input in any batch."""
        if not rows:
            return []
        inputs: list[ModelInput]
        names = self.settings.text
        inputs = (
            self._words.inputs([tuple([row[name] for name in names]) for row in rows]) if names else [{} for _ in rows]
        )
        if self._columns:
            for row, x in zip(rows, inputs, strict=True):
                self._add_columns(row, x)
        return inputs

    def _add_columns(self, row: Row, x: ModelInput) -> None:
        settings = self.settings
        for name in self._columns:
            if row[name] is None:
                x[f"{name}?"] = 1.0
        for name in self._numbers:
            value = row[name]
            if value is not None:
                x[name] = value
        for name in settings.categorical:
            value = row[name]
            if value is not None:
                x[self._offset + (murmurhash3_32(f"{name}={value}", positive=True) & (self._offset - 1))] = 1.0
        for name, known in settings.onehot.items():
            value = row[name]
            if value is not None:
                x[f"{name}={value}" if value in known else f"{name}=(unseen)"] = 1.0


def key_text(names: Fields, fields: Mapping[str, Any]) -> str | None:
    """What producers key an event's records by where that is not its id: the value of ``fields.key``, if there is one.

    >>> key_text(Fields(key="card"), {"card": 7.0}), key_text(Fields(key="card"), {"card": ""}), key_text(Fields(), {})
    ('7', None, None)
    """
    if not names.key:
        return None
    try:
        return _category(names.key, fields.get(names.key))
    except RecordError:
        return None  # no category: the scorer will say so, where it is a feature


def _number(name: str, value: object) -> float | None:
    if type(value) is not float:
        if value is None or value == "":
            return None
        if not isinstance(value, (int, float, str)):
            raise RecordError(name, f"must be a number, not {_brief(value)}")
        try:
            value = float(value)
        except (ValueError, OverflowError):
            raise RecordError(name, f"must be a number, not {_brief(value)}") from None
    if not abs(value) <= LARGEST:
        raise RecordError(
            name, f"must be a number within ±{LARGEST:g}, not {value} (leave it empty where it is missing)"
        )
    return value


def _category(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value if len(value) <= 256 else value[:256]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if value == value // 1 else repr(value)
    raise RecordError(name, f"must be a category, not {_brief(value)}")


def _brief(value: object) -> str:
    """A value as it may stand in an error line: its type, and not much of it."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
