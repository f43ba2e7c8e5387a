"""With which probability an event like that of a label gets one, as records of labels state it."""

import math
from typing import Any

from stream.errors import RecordError


class Inspections:
    """Reads them out of ``field``, where there is one; ``least``: what is below it is refused.

    >>> inspections = Inspections("p", 0.05)
    >>> inspections.probability({"p": 0.2}), inspections.probability({"p": "1"})
    (0.2, 1.0)
    """

    def __init__(self, field: str, least: float | None) -> None:
        self._field = field
        self._least = least or 0.0

    def probability(self, fields: dict[str, Any]) -> float:
        """What a record states, 1 where the stream states none; raises RecordError for what is none of (0, 1]."""
        name = self._field
        if not name:
            return 1.0
        value = fields.get(name)
        if value is None or value == "":
            wanted = "is missing: state with each label the probability with which its event gets one, above 0, up to 1"
            raise RecordError(name, wanted)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not 0.0 < number <= 1.0:
            raise RecordError(name, f"must be a probability, a number above 0, up to 1, not {value!r:.60}")
        if number < self._least:
            wanted = (
                f"is {number:g}, and labels.least_inspection_probability is {self._least:g}: inspect no event more "
                "rarely, or lower that setting"
            )
            raise RecordError(name, wanted)
        return number
