"""Settings for a file that has none: which columns are numbers, categories or text, and which classes there are."""

from collections.abc import Sequence
from typing import Any

from stream.config import Features, Fields, Kind, Stream
from stream.decoding import RecordDecoder
from stream.errors import SettingError

MOST_CATEGORIES = 100
"""A column of short texts with more different values than this is text to be read word by word."""

MOST_CLASSES = 50


def infer(rows: Sequence[dict[str, Any]], fields: Fields, ignore: Sequence[str]) -> Stream:
    """A stream's settings read off its first rows; raises SettingError where they do not show enough."""
    decoder = RecordDecoder(fields, 0.0, 0.0, numbered=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if fields.label not in names:
        raise SettingError("--map label", fields.label, f"a column of the input; it has {', '.join(names[:40])}")
    classes = sorted({label for row in rows if (label := decoder.label_of(row)) is not None})
    if not 2 <= len(classes) <= MOST_CLASSES:
        wanted = f"a column with 2 to {MOST_CLASSES} different labels (regression is out of scope); {len(classes)} seen"
        raise SettingError("--map label", fields.label, wanted)
    chosen: dict[str, list[str]] = {"text": [], "numeric": [], "categorical": []}
    for name in names:
        if name in (fields.event_id, fields.time, fields.label, *ignore):
            continue
        holds = _holds([row.get(name) for row in rows])
        if holds:
            chosen[holds].append(name)
    features = Features(text=chosen["text"], numeric=chosen["numeric"], categorical=chosen["categorical"])
    kind: Kind = "binary" if len(classes) == 2 else "multiclass"
    return Stream(kind=kind, classes=classes, fields=fields, features=features)


def _holds(values: list[Any]) -> str | None:
    """What a column holds, or None for one that says nothing or cannot be read."""
    present = [value for value in values if value is not None and value != ""]
    if len({repr(value) for value in present}) < 2:
        return None
    if all(isinstance(value, bool) for value in present):
        return "categorical"
    if all(_is_number(value) for value in present):
        return "numeric"
    if not all(isinstance(value, (str, bool, int, float)) for value in present):
        return None
    if not all(isinstance(value, str) for value in present):
        return "categorical"
    words = sum(text.count(" ") for text in present) / len(present)
    return "text" if words >= 2 or len(set(present)) > MOST_CATEGORIES else "categorical"


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] # the except clause is the check
    except (TypeError, ValueError, OverflowError):
        return False
    return True
