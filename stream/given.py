"""Bring your own: a score that each event carries, made by a model that runs elsewhere.

``baseline = "field:score"`` watches the user's production model without its features, files or training; any two
models can be paired in this way.
"""

import math
from typing import Any

from stream.errors import RecordError
from stream.features import ModelInput
from stream.records import Score

GIVEN = "field:"
"""How a setting, and a version, names a score that each event carries; the field's name follows."""


class GivenScore:
    """Reads a score out of an event; it neither scores nor learns by itself.

    Two classes and anomaly detection: a number in [0, 1]. Multiclass: a table of class to probability.

    >>> GivenScore("score", []).read({"score": 0.25})
    0.25
    """

    at_once = from_labels = False

    def __init__(self, field: str, classes: list[str]) -> None:
        self.field = field
        self.classes = classes
        self.version = f"{GIVEN}{field}"

    def read(self, fields: dict[str, Any]) -> Score:
        """The event's score; raises RecordError where it is none."""
        value = fields.get(self.field)
        if not self.classes:
            return self._unit(value)
        if not isinstance(value, dict):
            raise RecordError(self.field, "must be a table of class to probability")
        shares = [self._unit(value.get(name, 0.0)) for name in self.classes]
        total = math.fsum(shares)
        if not 0.99 <= total <= 1.01:
            raise RecordError(
                self.field, f"must be probabilities that sum to 1, not to {total:.4g}, over {self.classes}"
            )
        return [share / total for share in shares]

    def _unit(self, value: object) -> float:
        try:
            number = float(value)  # type: ignore[arg-type] # the except clause is the check
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool) or not 0.0 <= number <= 1.0:
            shown = repr(value)[:60]
            raise RecordError(self.field, f"must be a score from 0 to 1, not {shown}")
        return number

    def score(self, x: ModelInput) -> Score:
        """Not asked for: the score came with the event."""
        raise AssertionError(f"field {self.field} is read, not computed")

    def look(self, x: ModelInput) -> Score:
        """As ``score``."""
        return self.score(x)

    def learn(self, x: ModelInput, label: int | None) -> None:
        """Nothing: the model runs elsewhere."""
