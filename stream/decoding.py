"""From a user's record, a table of fields, to an Event and a Label, by the field mapping; a scorer's, from its JSON."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from stream.config import Fields
from stream.errors import RecordError
from stream.inspections import Inspections
from stream.profile import Profile
from stream.records import Event, Label, Labelled, References, Undecodable

LONGEST_ID = 512

Published = TypeVar("Published")


class RecordDecoder:
    """Reads id, time and label out of a record's fields.

    ``received`` is the moment of receipt, in seconds since the epoch: a time more than ``max_ahead`` seconds past it is
    marked as ahead. That limit is the attribute ``latest``, which may be set anew for records that were received later.
    ``numbered`` makes the ids of records that carry none, out of their offset. ``redact`` makes of an event's fields
    those that may be seen. ``least``: the least probability with which labels come, where they state it.

    >>> decoder = RecordDecoder(Fields(), received=1e9, max_ahead=3600)
    >>> event = decoder.event({"event_id": 7, "time": "2001-01-01T00:00:00Z"}, offset=0, fallback_time=0.0)
    >>> event.event_id, event.time, event.ahead
    ('7', 978307200.0, False)
    """

    def __init__(
        self,
        fields: Fields,
        received: float,
        max_ahead: float,
        *,
        numbered: bool = False,
        redact: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        least: float | None = None,
    ) -> None:
        self.fields = fields
        self.latest = received + max_ahead
        self.numbered = numbered
        self._redact = redact
        self.probability = Inspections(fields.inspection_probability, least).probability
        self._scale = 0.001 if fields.time_unit == "ms" else 1.0

    def event(self, fields: dict[str, Any], offset: int, fallback_time: float, raw: bytes | None = None) -> Event:
        """The event that the fields tell of; raises RecordError, which names the field."""
        time, event_id = self._time(fields, self.fields.time, fallback_time), self._id(fields, offset)
        if self._redact is not None:
            fields = self._redact(fields)
        return Event(event_id, time, fields, offset, time > self.latest, raw)

    def label(self, fields: dict[str, Any], offset: int, fallback_time: float, raw: bytes | None = None) -> Label:
        """The label that the fields tell of; raises RecordError where there is none."""
        label = self.label_of(fields)
        if label is None:
            raise RecordError(self.fields.label, "is missing: a label record needs its label")
        time = self._time(fields, self.fields.time, fallback_time)
        probability = self.probability(fields)
        return Label(self._id(fields, offset), time, label, offset, time > self.latest, raw, probability)

    def label_of(self, fields: dict[str, Any]) -> str | None:
        """The label that stands beside an event's fields as text, None where there is none yet.

        >>> decoder = RecordDecoder(Fields(label="fraud"), 0.0, 0.0)
        >>> [decoder.label_of({"fraud": value}) for value in (1, 1.0, True, "x", "", None)]
        ['1', '1', 'true', 'x', None, None]
        """
        value = fields.get(self.fields.label)
        if type(value) is str:
            return value or None
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and math.isnan(value):
            return None
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return str(int(value))
        return str(value)

    def label_beside(self, event: Event) -> Label | None:
        """The label that stands beside an event's fields, as if it came with it; None where there is none yet.

        Raises RecordError where it is to state its probability and does not.
        """
        label = self.label_of(event.fields)
        if label is None:
            return None
        probability = self.probability(event.fields)
        return Label(event.event_id, event.time, label, event.offset, event.ahead, event.raw, probability)

    def label_time_of(self, fields: dict[str, Any]) -> float:
        """When the label that stands beside an event's fields came, in seconds; raises RecordError, also without one.

        >>> decoder = RecordDecoder(Fields(label_time="reported", time_unit="ms"), 0.0, 0.0)
        >>> decoder.label_time_of({"reported": 1500})
        1.5
        """
        name = self.fields.label_time
        if fields.get(name) in (None, ""):
            raise RecordError(name, "is missing: a label needs the time at which it came")
        return self._time(fields, name, math.inf)

    def label_came(self, fields: dict[str, Any]) -> float | None:
        """The same; None where the row does not say it."""
        return None if fields.get(self.fields.label_time) in (None, "") else self.label_time_of(fields)

    def _id(self, fields: dict[str, Any], offset: int) -> str:
        if self.numbered:
            return f"row-{offset}"
        value = fields.get(self.fields.event_id)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 7.0 is how spreadsheets and JavaScript write 7
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value:
            raise RecordError(self.fields.event_id, f"must be a non-empty id, not {value!r:.60}")
        if len(value) > LONGEST_ID:
            raise RecordError(
                self.fields.event_id, f"must be an id of at most {LONGEST_ID} characters, not {len(value)}"
            )
        return value

    def _time(self, fields: dict[str, Any], name: str, fallback: float) -> float:
        value = fields.get(name)
        if type(value) is float or type(value) is int:
            number = value
        elif value is None or value == "":
            return fallback
        elif isinstance(value, str):
            return self._written(name, value)
        else:
            raise RecordError(name, f"must be a time, not {value!r:.60}")
        try:
            seconds = float(number) * self._scale
        except OverflowError:  # JSON knows whole numbers of any length
            seconds = math.inf
        if not math.isfinite(seconds):
            raise RecordError(name, f"must be a finite time, not {value!r:.60}")
        return seconds

    def _written(self, name: str, value: str) -> float:
        try:
            return float(value) * self._scale if _is_number(value) else _timestamp(value)
        except (ValueError, OverflowError):
            wanted = "seconds since the epoch or a date and time such as 2024-01-31T12:00:00Z"
            raise RecordError(name, f"must be {wanted}, not {value!r:.60}") from None


def decode_labelled(raw: bytes, offset: int) -> Labelled | Undecodable:
    """A labelled record as a scorer published it, or what is wrong with it, with the name of the field.

    >>> wrong = decode_labelled(b'{"event_id": "a", "time": "noon"}', 7)
    >>> wrong.field, wrong.reason
    ('time', "field 'time': Expected `float`, got `str`")
    """
    return _published(_labelled, "labelled", raw, offset)


def decode_profile(raw: bytes, offset: int) -> References | Profile | Undecodable:
    """What a scorer published of its models' references or of its events, or what is wrong with it."""
    return _published(_profile, "profiles", raw, offset)


def _published(decode: Callable[[bytes], Published], source: str, raw: bytes, offset: int) -> Published | Undecodable:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason, _, path = str(error).partition(" - at `$")
        missing = re.search(r"missing required field `(\w+)`", reason)
        field = missing[1] if missing else re.sub(r"^\.|`$", "", path)
        return Undecodable(source, str(RecordError(field, reason)), field, offset, raw)


_labelled = msgspec.json.Decoder(Labelled).decode
_profile: Callable[[bytes], References | Profile] = msgspec.json.Decoder(References | Profile).decode


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _timestamp(value: str) -> float:
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
