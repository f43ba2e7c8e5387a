"""From msgspec's refusal of a settings table to an error that names the key, its value and what is allowed."""

import re
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from stream.duration import DURATION_FORM, Duration
from stream.errors import SettingError

Convert = Callable[[type, object], object]


def explain(table: dict[str, Any], message: str, top: type[Struct], convert_other: Convert) -> SettingError:
    """Turn msgspec's message into one that names key, value and what is allowed."""
    reason, _, path = message.partition(" - at `$")
    keys = re.findall(r"\[\.\.\.\]|[^.\[\]`]+", path)
    unknown = re.search(r"unknown field `(.+?)`", reason)
    kind: Any = top
    value: Any = table
    names: list[str] = []
    for part in keys:
        # msgspec writes [...] for a key of a free table: find the entry that is at fault by trying each
        if part == "[...]":
            part = _culprit(value, kind, convert_other)  # noqa: PLW2901
        kind, value = _step(kind, value, part)
        names.append(part)
    if unknown:
        allowed = ", ".join(field.name for field in msgspec.structs.fields(kind))
        return SettingError(".".join([*names, unknown[1]]), value.get(unknown[1]), f"one of the keys {allowed}")
    return SettingError(".".join(names) or "(top)", value, _allowed(kind, reason))


def _culprit(value: dict[str, Any], kind: Any, convert_other: Convert) -> str:
    entry = get_args(kind)[1]
    for name, item in value.items():
        try:
            msgspec.convert(item, entry, dec_hook=convert_other)
        except msgspec.ValidationError:
            return name
    return "?"


def _step(kind: Any, value: Any, part: str) -> tuple[Any, Any]:
    if part.isdigit() and isinstance(value, list):
        return get_args(kind)[0], value[int(part)]
    inner = get_args(kind)[1] if get_args(kind) else get_type_hints(kind)[part]
    return inner, value[part] if isinstance(value, dict) else value


def _allowed(kind: Any, reason: str) -> str:
    if kind is Duration:
        return DURATION_FORM
    if kind is bool:
        return "true or false"
    choices = [str(choice) for choice in get_args(kind) if isinstance(choice, str)]
    if choices:
        extra = "; regression is out of scope" if "multiclass" in choices else ""
        return f"one of {', '.join(choices)}{extra}"
    if isinstance(kind, type) and issubclass(kind, Struct):
        return "a table"
    words = {
        int: "a whole number",
        float: "a number",
        str: "a text in quotes",
        str | None: "a text in quotes",
        list: "a list",
        dict: "a table",
    }
    return words.get(get_origin(kind)) or words.get(kind, reason)
