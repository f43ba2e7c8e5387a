"""What is sent to a stream's topics for each row of a source.

An event is its row under the stream's names, never with its label or when that came; what has no id is numbered as
a replay numbers it, and what has no time gets the moment at which it is sent. Bytes that can stay as they are do.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from consumers.lines import Row
from stream.config import Fields
from stream.errors import RecordError, SourceError
from stream.records import Label

STEP = 1e-6
"""Seconds between the times of two events sent at the same moment."""


class Clock:
    """Moments of sending in seconds, each later than the one before."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._last = -math.inf

    def __call__(self) -> float:
        """The next moment."""
        self._last = max(self._now(), self._last + STEP)
        return self._last


class Format(Struct, frozen=True):
    """How a stream's records are written.

    ``renamed`` holds, by the stream's own name of a field, the column that it stands in here; an empty one leaves the
    field out. ``numbered``: ids are made of the rows' numbers. ``own``: records are in a format of the user's that only
    the stream's decoder knows, so that none can be written, only passed on.
    """

    fields: Fields
    renamed: Mapping[str, str] = {}
    numbered: bool = False
    own: bool = False

    def under_own_names(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row's columns under the stream's names."""
        taken = {*self.renamed, *self.renamed.values()}
        named = {name: value for name, value in row.items() if name not in taken}
        return named | {name: row[column] for name, column in self.renamed.items() if column in row}


class Writer:
    """Rows of one source to rows of the stream: fields under its names, and the bytes to send beside them."""

    def __init__(self, source: str, form: Format, clock: Clock) -> None:
        self.source = source
        self.form = form
        self.clock = clock
        self._is_json: bool | None = None

    def event(self, index: int, row: Row) -> Row:
        """The row of an event; its label, and what is said of that, stays among the fields, but not in the bytes.

        Raises SourceError for one that cannot be written.
        """
        fields, raw = row
        if isinstance(fields, RecordError):
            return row
        form = self.form
        names = form.fields
        hidden = (names.label, names.label_time, names.inspection_probability)
        named = form.under_own_names(fields) if form.renamed else dict(fields)
        same = not form.renamed
        if form.numbered:
            named[names.event_id] = f"row-{index}"
            same = False
        # A record in the user's own format has the broker's timestamp, if no other.
        if not form.own and named.get(names.time) in (None, ""):
            now = self.clock()
            named[names.time] = now * 1000 if names.time_unit == "ms" else now
            same = False
        if same and not any(name in named for name in hidden) and (form.own or self._json(fields, raw)):
            return named, raw
        if form.own:
            wanted = "has no id" if form.numbered else "has its label in it, or columns to rename"
            raise SourceError(
                f"{self.source}: row {index} {wanted}, and what a decoder reads cannot be written anew: "
                "name a file whose records can be sent as they are, and --labels for their labels"
            )
        return named, self._encoded(index, {name: value for name, value in named.items() if name not in hidden})

    def label(self, index: int, row: Row) -> Row:
        """The row of a file of labels; its bytes are the record under the stream's names."""
        fields, raw = row
        if isinstance(fields, RecordError):
            return row
        form = self.form
        if form.own or (not form.renamed and self._json(fields, raw)):
            return fields, raw
        named = form.under_own_names(fields)
        return named, self._encoded(index, named)

    def label_value(self, label: Label) -> bytes:
        """The bytes of a label's record."""
        if self.form.own:
            return label.raw or b""
        names = self.form.fields
        moment = written(label.time, names.time_unit)
        record = {names.event_id: label.event_id, names.time: moment, names.label: label.label}
        if names.inspection_probability:
            record[names.inspection_probability] = label.probability
        return self._encoded(label.offset, record)

    def _json(self, fields: dict[str, Any], raw: bytes | None) -> bool:
        """Whether the source's own bytes are the rows as JSON; its first row tells for all."""
        if self._is_json is None:
            try:
                self._is_json = raw is not None and msgspec.json.decode(raw) == fields
            except msgspec.DecodeError:
                self._is_json = False
        return self._is_json

    def _encoded(self, index: int, record: dict[str, Any]) -> bytes:
        try:
            return msgspec.json.encode(record)
        except (TypeError, ValueError) as error:
            raise SourceError(f"{self.source}: row {index} cannot be written as JSON: {error}") from error


def written(seconds: float, unit: str) -> float:
    """A time in a stream's unit, such that who reads it gets these very seconds: a label is never before its event.

    >>> written(1700000000.123, "ms") * 0.001 == 1700000000.123
    True
    """
    if unit == "s":
        return seconds
    near = seconds * 1000
    for number in (float(round(near)), near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf)):
        if number * 0.001 == seconds:
            return number
    while near * 0.001 < seconds:
        near = math.nextafter(near, math.inf)
    return near
