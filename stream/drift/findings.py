"""What is said of an input that is not as it was in training: in figures, and in one line."""

from typing import Literal

from msgspec import Struct

from stream.drift.text import Moved

Measure = Literal["missing", "outside", "unseen", "unread", "psi", "wasserstein"]

ALPHA = 0.0001
"""The adjusted p-value below which a move is not chance."""

LEAST: dict[tuple[str, Measure], float] = {
    ("number", "psi"): 0.2,
    ("number", "wasserstein"): 0.25,
    ("length", "psi"): 0.2,
    ("length", "wasserstein"): 0.25,
    ("category", "psi"): 0.2,
    ("score", "psi"): 0.2,
    ("score", "wasserstein"): 0.05,
    ("label", "psi"): 0.2,
    ("words", "psi"): 0.03,
    ("words", "unseen"): 0.1,
}
"""By kind of column and measure, the effect size from which on a move matters.

Chosen by bench/inputs.py: streams that stand still reach them, with a p-value below ALPHA, less than once in 10,000
events; docs/input-drift.md says of which real streams that holds.
"""

LEAST_BROKEN = 0.1
"""The share of values, beyond the usual, from which on missing or unheard-of ones say that a field is broken."""

CLOSES = 0.5
"""A finding is over when its effect sizes are below this share of those from which on they matter."""


class Finding(Struct, frozen=True):
    """An input that is not as it was, with the effect size ``effect`` of ``measure`` and its adjusted p-value.

    ``schema``: evidence that the field is broken, not that the world has moved. ``reference`` and ``present``: a share
    for missing, outside and unseen values; a median, or a mean where most lie outside the range of training; of
    categories, labels and words the share of the one that moved most. ``jensen_shannon`` (bits) and
    ``kolmogorov_smirnov`` describe it further; 0 where they do not apply. ``since``: events seen when it was found.
    ``movers``: the words that moved most.
    """

    feature: str
    kind: str
    measure: Measure
    schema: bool
    effect: float
    p: float
    reference: float
    present: float
    since: int
    sentence: str
    jensen_shannon: float = 0.0
    kolmogorov_smirnov: float = 0.0
    movers: list[Moved] = []

    @property
    def strength(self) -> float:
        """The effect in units of the least that matters."""
        return self.effect / (LEAST_BROKEN if self.schema else LEAST[self.kind, self.measure])


def value(number: float) -> str:
    """A value as it stands in a sentence.

    >>> value(1180.4), value(12.0), value(0.0123), value(1e-9)
    ('1,180', '12', '0.0123', '1e-09')
    """
    if number and not 1e-3 <= abs(number) < 1e9:
        return f"{number:.3g}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def percent(share: float) -> str:
    """A share in percent.

    >>> percent(0.98), percent(0.004), percent(0.0)
    ('98%', '0.4%', '0%')
    """
    return f"{100 * share:.0f}%" if share >= 0.0995 or not share else f"{100 * share:.1f}%"
