"""JSON Schema of every record, and of what a stream's producers and labellers are to send."""

from typing import Any

import msgspec

from stream.config import Stream
from stream.records import RECORDS


def schemas(stream: Stream | None) -> dict[str, dict[str, Any]]:
    """Schemas by record name; with a stream, ``event`` and ``label`` are the flat records that it reads."""
    known = {name: msgspec.json.schema(kind) for name, kind in RECORDS.items()}
    if stream is not None:
        known["event"] = _event(stream)
        known["label"] = _label(stream)
    return known


def _event(stream: Stream) -> dict[str, Any]:
    features = stream.features
    kinds: dict[str, Any] = {name: {"type": ["string", "null"]} for name in features.text}
    kinds.update({name: {"type": ["number", "null"]} for name in features.numeric})
    kinds.update({name: {"type": ["string", "integer", "boolean", "null"]} for name in features.categorical})
    kinds.update({name: {"type": ["string", "integer", "boolean", "null"]} for name in features.onehot})
    for spec in (stream.online, stream.baseline):
        if spec.startswith("field:"):
            score = {"type": "number", "minimum": 0, "maximum": 1}
            many = {"type": "object", "additionalProperties": score}
            kinds[spec.removeprefix("field:")] = many if stream.kind == "multiclass" else score
    return _record("event", stream, kinds)


def _label(stream: Stream) -> dict[str, Any]:
    allowed = [*stream.classes, *stream.labels.values]
    label = {"enum": allowed} if stream.classes else {"type": ["string", "integer", "boolean"]}
    kinds: dict[str, Any] = {stream.fields.label: label}
    needed = [stream.fields.label]
    if stream.fields.inspection_probability:
        least = stream.labels.least_inspection_probability
        kinds[stream.fields.inspection_probability] = {"type": "number", "minimum": least, "maximum": 1}
        needed.append(stream.fields.inspection_probability)
    return _record("label", stream, kinds, *needed)


def _record(title: str, stream: Stream, kinds: dict[str, Any], *needed: str) -> dict[str, Any]:
    fields = stream.fields
    unit = "milliseconds" if fields.time_unit == "ms" else "seconds"
    time = {
        "type": ["number", "string", "null"],
        "description": f"{unit} since the epoch, or an ISO 8601 date and time",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": {fields.event_id: {"type": ["string", "integer"], "minLength": 1}, fields.time: time, **kinds},
        "required": [fields.event_id, *needed],
    }
