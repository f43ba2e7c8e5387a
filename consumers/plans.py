"""What to replay and how: the plan, and how it is read from the words of ``rotwatch replay``."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from consumers.order import Delay
from consumers.settings import find_stream
from consumers.sources import Source, open_source
from stream.config import Features, Fields, Registry, Settings, Stream
from stream.config import Worker as WorkerSettings
from stream.duration import DURATION_FORM, Duration
from stream.errors import SettingError
from stream.online import find
from stream.refitting import NEVER, period

REGISTERED = "registry:"
"""Before champion, challenger, or a version's number, where a replay uses a baseline of the registry."""

NOTHING: Mapping[str, str] = MappingProxyType({})

FIELDS = ("event_id", "time", "label", "label_time")


class Plan(Struct):
    """What to replay and how.

    ``stream`` None: settings are read off the first rows. ``fields`` are the columns of ids, times and labels,
    ``mapped`` all columns that must be there. ``where`` keeps rows whose columns have these values. ``segment`` is a
    length in rows, the positions where segments begin, or, as a float, a length in seconds; 0 is none. ``retrain``: the
    policy of stream.refitting. ``compare``: other detectors with the monitor's. ``out`` None: only the results are
    kept. ``registered``: which of the baselines in ``registry`` is used; none where it is empty.
    """

    name: str
    source: Source
    stream: Stream | None = None
    fields: dict[str, str] = {}
    mapped: dict[str, str] = {}
    ignore: list[str] = []
    labels: Source | None = None
    delay: Delay = Delay()
    warm_up: int | None = None
    where: dict[str, str] = {}
    limit: int | None = None
    segment: float | list[int] = 0
    speed: float = 0.0
    retrain: str = NEVER
    registered: str = ""
    registry: Registry = Registry()
    monitor: bool = True
    compare: bool = False
    out: Path | None = None
    form: str = "jsonl"
    fresh: bool = False
    worker: WorkerSettings = WorkerSettings()


def make(
    settings: Settings,
    *,
    source: str,
    stream: str | None,
    mapping: Mapping[str, str] = NOTHING,
    ignore: Sequence[str] = (),
    where: Mapping[str, str] = NOTHING,
    labels: str | None = None,
    label_delay: str = "0",
    segment: str = "0",
    speed: str = "max",
    input_format: str | None = None,
    retrain: str = NEVER,
    compare: bool = False,
    models: Mapping[str, str | None] = NOTHING,
) -> Plan:
    """A plan, of the source alone unless more is said; raises SettingError and SourceError."""
    if retrain != NEVER:
        period(retrain)
        if compare:
            raise SettingError("--compare-detectors", True, "left out with --retrain: it is about one baseline")
    chosen = find_stream(settings, stream) if stream else None
    decoder = find("decoder", chosen.decoder, {}) if chosen is not None and chosen.decoder else None
    fields = {name: column for name, column in mapping.items() if name in FIELDS}
    columns = {name: column for name, column in mapping.items() if name not in FIELDS}
    if chosen is not None:
        given = {name: spec for name, spec in models.items() if spec and not spec.startswith(REGISTERED)}
        if given.get("baseline") == "none":
            given["serving"] = "online"
        alerts_by = columns.get(chosen.alerts_by, chosen.alerts_by)
        chosen = msgspec.structs.replace(chosen, features=_features(chosen, columns), alerts_by=alerts_by, **given)
    elif columns:
        raise SettingError("--map", next(iter(columns)), f"one of {', '.join(FIELDS)}, unless --stream names a stream")
    elif any(models.values()):
        raise SettingError("--stream", None, "a stream's name, where --baseline or --online is given")
    delay = _delay(label_delay)
    own = "left out with --labels: there each label has its own time"
    if labels and delay != Delay():
        raise SettingError("--label-delay", label_delay, own)
    if labels and fields.get("label_time"):
        raise SettingError("--map label_time", fields["label_time"], own)
    return Plan(
        name=stream or "replay",
        source=open_source(source, input_format, decoder),
        stream=chosen,
        fields=fields,
        mapped=dict(mapping),
        ignore=list(ignore),
        labels=open_source(labels, None, decoder) if labels else None,
        delay=delay,
        where=dict(where),
        segment=_segment(segment),
        speed=_speed(speed),
        retrain=retrain,
        compare=compare,
        registered=_registered(models.get("baseline") or ""),
        registry=settings.registry,
        worker=settings.worker,
    )


def named(fields: Fields, mapping: Mapping[str, str]) -> Fields:
    """A stream's names of fields, with one for the label's time where only the mapping knows of such a column."""
    if mapping.get("label_time") and not fields.label_time:
        return msgspec.structs.replace(fields, label_time="label_time")
    return fields


def renamed(fields: Fields, mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping's columns by the stream's own names of them.

    >>> renamed(Fields(event_id="id"), {"event_id": "number", "body": "text"})
    {'id': 'number', 'body': 'text'}
    """
    names = named(fields, mapping)
    return {getattr(names, name) if name in FIELDS else name: column for name, column in mapping.items()}


def timed(plan: Plan, fields: Fields, columns: Collection[str]) -> Fields:
    """The names of fields, with one for the label's time only where the rows say it and their labels count.

    Raises SettingError where that does not go together with what else is asked for.
    """
    if plan.labels is not None or fields.label_time not in columns:
        return msgspec.structs.replace(fields, label_time="")
    if plan.delay != Delay():
        given = plan.delay.events if plan.delay.seconds is None else plan.delay.seconds
        wanted = (
            f"left out where the rows say when their labels came, in {fields.label_time!r} (or leave that out: "
            "--map label_time=)"
        )
        raise SettingError("--label-delay", given, wanted)
    if fields.time not in columns:
        wanted = f"left out, as the rows have no time column {fields.time!r} (name one: --map time=)"
        raise SettingError("--map label_time", fields.label_time, wanted)
    return fields


def pairs(option: str, words: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE words as a table.

    >>> pairs("--map", ["label=fraud"])
    {'label': 'fraud'}
    """
    table = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not name or not sign:
            raise SettingError(option, word, "NAME=VALUE")
        table[name] = value
    return table


def _registered(spec: str) -> str:
    """Which of the registry's baselines a specification names, if any."""
    _, prefix, which = spec.partition(REGISTERED)
    if prefix and not which:
        raise SettingError("--baseline", spec, "registry:champion, registry:challenger or registry:N")
    return which


def _features(stream: Stream, renamed: dict[str, str]) -> Features:
    """The stream's features with columns that go by another name in this input."""
    features = stream.features
    key = [stream.fields.key] if stream.fields.key else []  # by which `produce` keys records, if by no feature
    there = list(dict.fromkeys([*features.given, *features.keys, *key]))
    unknown = [name for name in renamed if name not in there]
    if unknown:
        raise SettingError("--map", unknown[0], f"one of {', '.join([*FIELDS, *there])}")
    lists = {
        name: [renamed.get(column, column) for column in getattr(features, name) if renamed.get(column, column)]
        for name in ("text", "numeric", "categorical", "unlogged")
    }
    onehot = {renamed.get(column, column): known for column, known in features.onehot.items()}
    entities = [
        msgspec.structs.replace(
            entity, by=renamed.get(entity.by, entity.by), value=renamed.get(entity.value, entity.value)
        )
        for entity in features.entities
    ]
    return msgspec.structs.replace(features, **lists, onehot=onehot, entities=entities)


def _delay(word: str) -> Delay:
    if word.isdecimal():
        return Delay(events=int(word))
    try:
        return Delay(seconds=Duration.parse(word))
    except ValueError:
        raise SettingError("--label-delay", word, f"a number of events, or {DURATION_FORM}") from None


def _segment(word: str) -> float | list[int]:
    parts = word.replace(" ", "").split(",")
    if all(part.isdecimal() for part in parts):
        return int(word) if len(parts) == 1 else [int(part) for part in parts]
    try:
        return float(Duration.parse(word))
    except ValueError:
        raise SettingError("--segment", word, f"a number of rows, row numbers by commas, or {DURATION_FORM}") from None


def _speed(word: str) -> float:
    if word == "max":
        return 0.0
    if word == "realtime":
        return 1.0
    try:
        speed = float(word.removeprefix("x"))
    except ValueError:
        speed = 0.0
    if not word.startswith("x") or not 0 < speed < float("inf"):
        raise SettingError("--speed", word, "max, realtime, or a multiple such as x100")
    return speed
