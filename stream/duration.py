"""Lengths of time as users write them."""

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
DURATION_FORM = 'a duration such as "500ms", "30s", "15m", "12h" or "7d"'


def spoken(seconds: float) -> str:
    """A length of time in words that ``Duration.parse`` would take, to two digits.

    >>> spoken(0.5), spoken(90), spoken(43_000), spoken(8 * 86_400), spoken(float("inf"))
    ('500ms', '90s', '12h', '8d', 'for ever')
    """
    if seconds == float("inf"):
        return "for ever"
    unit, size = max(
        ((name, size) for name, size in UNITS.items() if seconds >= 2 * size or name == "ms"), key=lambda each: each[1]
    )
    return f"{float(f'{seconds / size:.2g}'):g}{unit}"


def written(seconds: float) -> str:
    """A length of time, exactly, as ``Duration.parse`` would take it.

    >>> written(604_800.0), written(5_400.0), written(0.25)
    ('7d', '90m', '250ms')
    """
    unit = next((name for name, size in reversed(UNITS.items()) if seconds >= size and seconds % size == 0), "ms")
    return f"{seconds / UNITS[unit]:g}{unit}"


class Duration(float):
    """A length of time in seconds; written ``"7d"``, ``"15m"``, ``"500ms"`` or as a number of seconds.

    >>> Duration.parse("7d")
    604800.0
    """

    @classmethod
    def parse(cls, value: object) -> "Duration":
        """Read a duration; raises ValueError for anything else."""
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
            return cls(value)
        match = DURATION.fullmatch(value) if isinstance(value, str) else None
        seconds = float(match[1]) * UNITS[match[2]] if match else float("inf")
        if seconds == float("inf"):
            raise ValueError(f"must be {DURATION_FORM}")
        return cls(seconds)
