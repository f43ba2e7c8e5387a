"""Numbers, shares and times as people read them."""

import math
from datetime import UTC, datetime


def count(number: int) -> str:
    """A whole number.

    >>> count(33715)
    '33,715'
    """
    return f"{number:,}"


def number(value: float) -> str:
    """Any number, to four digits.

    >>> number(0.31004), number(12345.6), number(2e12), number(3.0)
    ('0.31', '12,346', '2e+12', '3')
    """
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    if size and not 1e-4 <= size < 1e9:
        return f"{value:.3g}"
    places = max(0, 3 - math.floor(math.log10(size))) if size else 0
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def per_thousand(share: float) -> str:
    """A share as so many per 1,000, to a tenth where there are fewer than 10.

    >>> per_thousand(0.0416), per_thousand(0.0042), per_thousand(0.0), per_thousand(0.00001)
    ('42', '4.2', '0', '0.01')
    """
    if not math.isfinite(share):
        return "unknown"
    value = 1000 * share
    if abs(value) >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.1f}".removesuffix(".0")


def score(value: float) -> str:
    """A score or an error in [0, 1], to four places, so that a column of them can be compared.

    >>> score(0.0000248)
    '0.0000'
    """
    return f"{value:.4f}" if math.isfinite(value) else "unknown"


def percent(part: float, whole: float) -> str:
    """A part of a whole, in percent.

    >>> percent(1, 3), percent(1, 100_000), percent(99_999, 100_000), percent(0, 0)
    ('33.3%', 'below 0.1%', 'above 99.9%', 'none')
    """
    if not whole:
        return "none"
    share = part / whole
    if 0 < share < 0.001:
        return "below 0.1%"
    if 0.999 < share < 1:
        return "above 99.9%"
    return f"{share:.1%}"


def moment(seconds: float) -> str:
    """Seconds since the epoch as a time in UTC.

    >>> moment(0.0), moment(1e300)
    ('1970-01-01 00:00', '1e+300 s since 1970')
    """
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return f"{number(seconds)} s since 1970"


def span(seconds: float) -> str:
    """How long it is, in the unit that leaves a number above 2 where there is one.

    >>> span(3.2), span(600), span(1e7)
    ('3.2 seconds', '10 minutes', '116 days')
    """
    for unit, length in (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{number(float(f'{seconds / length:.3g}'))} {unit}"
    return f"{number(float(f'{seconds:.2g}'))} seconds"
