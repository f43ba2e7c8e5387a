"""Settings for a file that has none: which columns are numbers, categories or text, and which classes there are."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from stream.config import Features, Fields, Kind, Stream
from stream.decoding import RecordDecoder
from stream.errors import SettingError

MOST_CATEGORIES = 100
"""A column of short texts with more different values than this is text to be read word by word."""

MOST_CLASSES = 50

MANY = 50
"""So many values that are all different, or that only grow, are no accident."""


def infer(rows: Sequence[dict[str, Any]], fields: Fields, ignore: Sequence[str]) -> tuple[Stream, dict[str, str]]:
    """A stream's settings read off its first rows, and why which columns are left out of them.

    Raises SettingError where the rows do not show enough.

    >>> stream, left_out = infer([{"label": i % 2, "x": i % 7, "note": None} for i in range(60)], Fields(), [])
    >>> stream.features.numeric, left_out
    (['x'], {'note': 'always empty'})
    """
    decoder = RecordDecoder(fields, 0.0, 0.0, numbered=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if fields.label not in names:
        raise SettingError("--map label", fields.label, f"a column of the input; it has {', '.join(names[:40])}")
    classes = sorted({label for row in rows if (label := decoder.label_of(row)) is not None})
    if not 2 <= len(classes) <= MOST_CLASSES:
        wanted = f"a column with 2 to {MOST_CLASSES} different labels (regression is out of scope); {len(classes)} seen"
        raise SettingError("--map label", fields.label, wanted)
    chosen: dict[str, list[str]] = {"text": [], "numeric": [], "categorical": []}
    left_out: dict[str, str] = {}
    for name in names:
        if name in (fields.event_id, fields.time, fields.label, fields.label_time, *ignore):
            continue
        present = [value for row in rows if (value := row.get(name)) is not None and value != ""]
        reason = _unreadable(present) or _useless(present)
        if reason:
            left_out[name] = reason
        else:
            chosen[_kind(present)].append(name)
    features = Features(text=chosen["text"], numeric=chosen["numeric"], categorical=chosen["categorical"])
    kind: Kind = "binary" if len(classes) == 2 else "multiclass"
    return Stream(kind=kind, classes=classes, fields=fields, features=features), left_out


def _unreadable(present: list[Any]) -> str | None:
    """Why a column's values cannot be read, if they cannot."""
    if not present:
        return "always empty"
    if any(isinstance(value, (dict, list, tuple)) for value in present):
        return "nested values"
    if not all(isinstance(value, (str, bool, int, float)) for value in present):
        return "neither numbers nor text"
    plain = [value for value in present if not isinstance(value, bool)]
    texts = [value for value in plain if not _is_number(value)]
    # In CSV all is text: there, a few categories that look like numbers are no mixture.
    typed = any(not isinstance(value, str) for value in plain)
    if texts and (typed or 5 * len(texts) < len(plain)):
        return "mixes numbers and text"
    return None


def _useless(present: list[Any]) -> str | None:
    """Why a model could learn nothing from a column's values, if it could not."""
    if all(isinstance(value, bool) or _is_number(value) for value in present):
        if len(present) >= MANY and _only_grows(present):
            return "looks like a counter: it only grows"
        constant = all(isinstance(value, bool) for value in present) and len(set(present)) == 1
        return "always the same" if constant else None  # a number may move later
    if len(set(present)) == 1:
        return "always the same"
    if len(present) >= MANY and len(set(present)) == len(present) and not any(" " in str(value) for value in present):
        return "looks like an id: every value is different"
    return None


def _kind(present: list[Any]) -> str:
    if all(isinstance(value, bool) for value in present):
        return "categorical"
    if all(isinstance(value, bool) or _is_number(value) for value in present):
        return "numeric" if any(_fits(value) for value in present) else "categorical"
    if not all(isinstance(value, str) for value in present):
        return "categorical"
    words = sum(text.count(" ") for text in present) / len(present)
    return "text" if words >= 2 or len(set(present)) > MOST_CATEGORIES else "categorical"


def _is_number(value: str | float) -> bool:
    """Whether it is a number or the text of one."""
    if not isinstance(value, str):
        return True
    try:
        float(value)
    except ValueError:
        return False
    return True


def _fits(value: str | float) -> bool:
    """Whether a number is no longer than a float can hold: JSON knows whole numbers of any length."""
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _only_grows(numbers: list[Any]) -> bool:
    """Whether they are whole numbers, each above the last."""
    try:
        whole = [value if isinstance(value, int) else int(str(value)) for value in numbers]
    except ValueError:
        return False
    return all(one < two for one, two in pairwise(whole))
