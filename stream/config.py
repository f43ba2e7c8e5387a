"""Settings: the shape of the TOML file, and the check that names what is wrong in it.

A stream is a table ``[streams.NAME]``. Reading the file is the caller's business; what comes in here
is the parsed table.
"""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from stream.broker import Kafka as Kafka  # noqa: PLC0414 - a part of the settings, exported from here
from stream.broker import check_kafka
from stream.columns import Features as Features  # noqa: PLC0414 - as above
from stream.columns import check_features
from stream.duration import Duration, spoken
from stream.errors import SettingError
from stream.explain import explain
from stream.pricing import checked
from stream.registry import Registry as Registry  # noqa: PLC0414 - a part of the settings, exported from here
from stream.registry import check_registry
from stream.retraining import Training as Training  # noqa: PLC0414 - as above
from stream.retraining import check_training
from stream.watching import check_detectors

Kind = Literal["binary", "multiclass", "anomaly"]
Serving = Literal["baseline", "online", "blend"]
Loss = Literal["errors", "errors+brier"]

KINDS = ("events", "labels", "predictions", "labelled", "profiles", "alarms", "dead_letters", "state")
"""Of topics, in the order in which they are shown."""

READ = ("events", "labels")
"""Kinds of topics that a stream reads and never writes."""

TOPIC = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
"""What Kafka takes as a topic's name."""

LEAST_TOLERANCE = 12_500
"""Tolerated errors per 1,000, times false_alarm_every, at least: why so many, stream/drift/rot.py says."""

MOST_SEED = 2**32 - 1
"""What scikit-learn takes."""


class Topics(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of a stream's topics; an empty one is ``STREAM.KIND``.

    ``labelled_retention``: the training log keeps its records so long.
    """

    events: str = ""
    labels: str = ""
    predictions: str = ""
    labelled: str = ""
    profiles: str = ""
    alarms: str = ""
    dead_letters: str = ""
    state: str = ""
    labelled_retention: Duration = Duration(90 * 86400)


class Fields(Struct, frozen=True, forbid_unknown_fields=True):
    """Which field of the user's record is the event's id, its time and its label.

    ``label_time``: in a row that brings its label along, when that label came; none where it is empty.
    ``inspection_probability``: in a record of a label, the probability with which an event like that one gets a label.
    ``key``: the field by which producers key records, of events and of labels alike, where that is not the event's id.
    """

    event_id: str = "event_id"
    time: str = "time"
    label: str = "label"
    label_time: str = ""
    inspection_probability: str = ""
    time_unit: Literal["s", "ms"] = "s"
    key: str = ""


class Labels(Struct, frozen=True, forbid_unknown_fields=True):
    """How labels come.

    ``maturity``: a label counts as final this long after its event. ``ttl``: an event waits no longer than this.
    ``capacity``: so many events wait at most. ``absent_means``: the class of an event whose label nobody has
    reported at maturity, where only one kind is ever reported. ``values`` translates what labellers write.
    ``request_share``: of all events, so many are marked as wanted from reviewers, at random; with
    ``request_disagreements`` those on which the models disagree, too, and evidence is then by the random ones alone.
    ``least_inspection_probability``: of those that labels state, as ``fields.inspection_probability`` names them.
    """

    maturity: Duration = Duration(0)
    ttl: Duration = Duration(30 * 86400)
    capacity: int = 100_000
    absent_means: str | None = None
    values: dict[str, str] = {}
    request_share: float = 0.01
    request_disagreements: bool = False
    least_inspection_probability: float | None = None


class Monitor(Struct, frozen=True, forbid_unknown_fields=True):
    """How often the monitor may be wrong, and what it tolerates.

    ``false_alarm_every``: labelled events. The baseline may make so many errors more than the online model, and each
    so many more than its reference, the upper end of its risk's interval, says. ``loss``: the paired and the reverse
    detector test errors, or the mean of the evidence of errors and of Brier scores. ``must_know_within``: the longest
    that it may take to find that the baseline's errors have doubled. ``costs``: of a call, by true class and class
    called. ``detectors``: names by the value that they watch (stream.watching); they never change the verdict.
    """

    false_alarm_every: int = 10_000
    tolerate_extra_errors_per_1000: float = 10.0
    tolerate_above_reference_per_1000: float = 20.0
    loss: Loss = "errors"
    must_know_within: Duration = Duration(30 * 86400)
    costs: dict[str, dict[str, float]] = {}
    detectors: dict[str, list[str]] = {}


class Stream(Struct, frozen=True, forbid_unknown_fields=True):
    """One stream's settings.

    ``classes`` may stay empty for a multiclass or binary stream that is replayed: they are then read off the
    warm-up. ``positive`` is the class that binary scores are the probability of (the last one unless named).
    ``online`` and ``baseline`` name a factory, ``module:function``, or ``field:NAME`` for a score that each event
    brings along; ``baseline = "none"`` runs the online model alone. ``alert_rate``: share of events that an
    anomaly detector flags; with ``alerts_per_day`` so many a day. ``alerts_by``: the field that names whom an alert is
    about, such as a card. With ``learn_alerts`` false, online detectors do not learn from what they would flag.
    ``recent_ids``: a repeated event is known again within so many events. ``partitions``: of each of the stream's
    topics.
    """

    kind: Kind = "binary"
    classes: list[str] = []
    positive: str = ""
    topics: Topics = field(default_factory=Topics)
    partitions: int = 1
    fields: Fields = field(default_factory=Fields)
    decoder: str = ""
    features: Features = field(default_factory=Features)
    online: str = "logistic"
    baseline: str = "logistic"
    serving: Serving = "blend"
    labels: Labels = field(default_factory=Labels)
    monitor: Monitor = field(default_factory=Monitor)
    training: Training = field(default_factory=Training)
    warm_up: int = 2_500
    alert_rate: float = 0.01
    alerts_by: str = ""
    alerts_per_day: int = 0
    learn_alerts: bool = True
    blend_share: float = 0.001
    max_ahead: Duration = Duration(3600)
    recent_ids: int = 100_000
    seed: int = 1


class Worker(Struct, frozen=True, forbid_unknown_fields=True):
    """How a process runs: inputs (events and labels) a batch, and how far apart its checkpoints are.

    ``commit_every``: a batch is cut so that feeding it takes about so long.
    """

    batch: int = 4_096
    commit_every: Duration = Duration(0.25)
    checkpoint_every: Duration = Duration(10)
    checkpoint_key_file: str = ""


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """Where /metrics, /livez and /readyz answer."""

    host: str = "127.0.0.1"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    streams: dict[str, Stream] = {}
    worker: Worker = field(default_factory=Worker)
    metrics: Metrics = field(default_factory=Metrics)
    kafka: Kafka = field(default_factory=Kafka)
    registry: Registry = field(default_factory=Registry)


def read(table: dict[str, Any]) -> Settings:
    """Check a parsed settings file and make it Settings.

    Raises SettingError, which names the key, the value and what is allowed.
    """
    try:
        settings = msgspec.convert(table, Settings, dec_hook=_convert_other)
    except msgspec.ValidationError as error:
        raise explain(table, str(error), Settings, _convert_other) from None
    for name, stream in settings.streams.items():
        check_stream(f"streams.{name}", stream)
    _check_topics(settings.streams)
    worker = settings.worker
    _at_least("worker.batch", worker.batch, 1)
    if not 0.01 <= worker.commit_every <= 10:
        raise SettingError("worker.commit_every", float(worker.commit_every), "10 ms to 10 s")
    check_kafka(settings.kafka)
    check_registry(settings.registry)
    return settings


def merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay one settings table over another, key by key; lists are replaced whole.

    >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    """
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def dump(settings: object) -> bytes:
    """Settings as JSON, for keeping beside what was made with them."""
    return msgspec.json.encode(settings, enc_hook=float)


def undump(data: bytes, kind: type[Any]) -> Any:
    """What ``dump`` was given, as ``kind``."""
    return msgspec.json.decode(data, type=kind, dec_hook=_convert_other)


def topic(name: str, stream: Stream, kind: str) -> str:
    """The topic of one kind of record of a stream.

    >>> topic("spam", Stream(), "dead_letters")
    'spam.dead-letters'
    """
    return getattr(stream.topics, kind) or f"{name}.{kind.replace('_', '-')}"


def check_stream(key: str, stream: Stream) -> None:
    """Check what a type cannot say of a stream's settings; raises SettingError."""
    for name in ("warm_up", "seed", "alerts_per_day"):
        _at_least(f"{key}.{name}", getattr(stream, name), 0)
    if stream.seed > MOST_SEED:
        raise SettingError(f"{key}.seed", stream.seed, f"at most {MOST_SEED}")
    for name in ("recent_ids", "partitions"):
        _at_least(f"{key}.{name}", getattr(stream, name), 1)
    if not stream.topics.labelled_retention:
        raise SettingError(f"{key}.topics.labelled_retention", 0, "more than 0: it is the training log")
    _at_least(f"{key}.labels.capacity", stream.labels.capacity, 16)
    _at_least(f"{key}.features.text_cap", stream.features.text_cap, 1)
    if not 8 <= stream.features.hash_bits <= 24:
        raise SettingError(f"{key}.features.hash_bits", stream.features.hash_bits, "8 to 24")
    if not 0 < stream.alert_rate < 1:
        raise SettingError(f"{key}.alert_rate", stream.alert_rate, "a share between 0 and 1")
    if not 0 < stream.blend_share < 0.5:
        raise SettingError(f"{key}.blend_share", stream.blend_share, "a share between 0 and 0.5")
    _check_monitor(f"{key}.monitor", stream.monitor)
    _check_costs(key, stream)
    check_training(f"{key}.training", stream.training, stream.kind)
    _check_classes(key, stream)
    _check_features(key, stream)
    _check_alerts(key, stream)
    _check_labels(key, stream)
    _check_models(key, stream)


def _check_monitor(key: str, monitor: Monitor) -> None:
    every, extra, above = (
        monitor.false_alarm_every,
        monitor.tolerate_extra_errors_per_1000,
        monitor.tolerate_above_reference_per_1000,
    )
    _at_least(f"{key}.false_alarm_every", every, 100)
    if not monitor.must_know_within:
        raise SettingError(f"{key}.must_know_within", 0, "more than 0: with no labels it would be blind for ever")
    least = LEAST_TOLERANCE / every
    if not least <= extra < 1000:
        wanted = f"from {least:g} (with this false_alarm_every, less would alarm on nothing) to below 1000"
        raise SettingError(f"{key}.tolerate_extra_errors_per_1000", extra, wanted)
    if not 0 <= above < 1000:
        raise SettingError(f"{key}.tolerate_above_reference_per_1000", above, "a number from 0 to below 1000")
    check_detectors(f"{key}.detectors", monitor.detectors)


def _check_costs(key: str, stream: Stream) -> None:
    """Raises SettingError unless the matrix prices every error among the classes, where these are known."""
    if stream.monitor.costs and stream.classes:
        checked(f"{key}.monitor.costs", stream.monitor.costs, stream.classes)


def _check_topics(streams: dict[str, Stream]) -> None:
    """No stream may write where another writes or reads; two may read the same events and labels."""
    taken: dict[str, tuple[str, str]] = {}
    for name, stream in streams.items():
        for kind in KINDS:
            chosen = topic(name, stream, kind)
            key = f"streams.{name}.topics.{kind}"
            if getattr(stream.topics, kind) and not TOPIC.fullmatch(chosen):
                raise SettingError(key, chosen, "up to 249 letters of A-Z, digits, dots, underscores and dashes")
            other, its = taken.setdefault(chosen, (name, kind))
            if (other, its) != (name, kind) and not (other != name and kind in READ and its == kind):
                raise SettingError(key, chosen, f"a topic of its own: it is streams.{other}.topics.{its} too")


def _check_classes(key: str, stream: Stream) -> None:
    classes = stream.classes
    if len(set(classes)) != len(classes) or "" in classes:
        raise SettingError(f"{key}.classes", classes, "different, non-empty names")
    if stream.kind == "multiclass":
        if len(classes) == 1:
            raise SettingError(f"{key}.classes", classes, "at least two names (or none, to read them off the warm-up)")
    elif len(classes) not in (0, 2):
        raise SettingError(f"{key}.classes", classes, f"two names for kind = {stream.kind!r}, the usual one first")
    if stream.positive and (stream.kind == "multiclass" or (classes and stream.positive not in classes)):
        raise SettingError(f"{key}.positive", stream.positive, f"one of {classes}, and only with two classes")


def _check_features(key: str, stream: Stream) -> None:
    features = stream.features
    columns = features.columns
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SettingError(f"{key}.features", twice[0], "each column in one list, once")
    fields = stream.fields
    for name in (fields.label, fields.label_time, fields.inspection_probability, fields.event_id):
        if name and (name in columns or name in features.keys):
            wanted = "no column or entity that is the event's id, its label, when that came or how probable it was"
            raise SettingError(f"{key}.features", name, wanted)
    if stream.features.text and "text" in columns and "text" not in stream.features.text:
        raise SettingError(f"{key}.features", "text", "another name: beside text fields, text is all of them joined")
    needs = [side for side in ("online", "baseline") if not getattr(stream, side).startswith(("field:", "none"))]
    if needs and not columns:
        raise SettingError(
            f"{key}.features", columns, f"at least one column, since {needs[0]} is a model that needs them"
        )
    check_features(f"{key}.features", features, baseline="baseline" in needs)
    apart = [name for name in features.keys if name != stream.fields.key]
    if stream.partitions > 1 and apart and not features.partial_entities:
        wanted = (
            f"fields.key ({stream.fields.key!r}), by which records are spread over the {stream.partitions} partitions: "
            "of others each partition sees a part only (features.partial_entities = true, if that will do)"
        )
        raise SettingError(f"{key}.features.entities", apart[0], wanted)


def _check_alerts(key: str, stream: Stream) -> None:
    by, features = stream.alerts_by, stream.features
    if not by:
        return
    if stream.kind == "multiclass":
        raise SettingError(f"{key}.alerts_by", by, 'left out with kind = "multiclass": alerts are of one class')
    there = [n for n in (*features.keys, *features.categorical, *features.onehot) if n not in features.unlogged]
    if by not in there:
        wanted = f"a logged field that is a category, or by which entities are remembered: {', '.join(there) or 'none'}"
        raise SettingError(f"{key}.alerts_by", by, wanted)


def _check_labels(key: str, stream: Stream) -> None:
    labels, classes = stream.labels, stream.classes
    if not 0 <= labels.request_share <= 1:
        raise SettingError(f"{key}.labels.request_share", labels.request_share, "a share from 0 to 1")
    if labels.request_disagreements and not labels.request_share:
        wanted = "more than 0 with request_disagreements: evidence is by the random ones"
        raise SettingError(f"{key}.labels.request_share", 0, wanted)
    if labels.maturity > labels.ttl:
        wanted = f"at most labels.ttl, which is {spoken(labels.ttl)}: an event waits no longer than that"
        raise SettingError(f"{key}.labels.maturity", spoken(labels.maturity), wanted)
    if labels.absent_means is not None:
        if classes and labels.absent_means not in classes:
            raise SettingError(f"{key}.labels.absent_means", labels.absent_means, f"one of {classes}")
        if not labels.maturity:
            raise SettingError(f"{key}.labels.maturity", 0, "more than 0 where absent_means is set: when is it absent?")
    _check_inspections(key, stream)
    for written, meant in labels.values.items():
        if classes and meant not in classes:
            raise SettingError(f"{key}.labels.values.{written}", meant, f"one of {classes}")


def _check_inspections(key: str, stream: Stream) -> None:
    """Raises SettingError unless what is said of inspection probabilities is whole, and nothing contradicts it."""
    labels, named = stream.labels, stream.fields.inspection_probability
    least = labels.least_inspection_probability
    if not named and least is None:
        return
    if least is None or not 0 < least <= 1:
        wanted = f"above 0, up to 1: the least of the probabilities that labels state in {named!r}"
        raise SettingError(f"{key}.labels.least_inspection_probability", least, wanted)
    if not named:
        wanted = "the field of labels that states the probability, as labels.least_inspection_probability is set"
        raise SettingError(f"{key}.fields.inspection_probability", named, wanted)
    if labels.absent_means is not None:
        wanted = "left out with fields.inspection_probability: then every event gets a label, inspected or not"
        raise SettingError(f"{key}.labels.absent_means", labels.absent_means, wanted)
    if labels.request_disagreements:
        wanted = (
            "false with fields.inspection_probability: state it of the labels that you ask for, too (1 for a "
            "disagreement that always gets one)"
        )
        raise SettingError(f"{key}.labels.request_disagreements", True, wanted)


def _check_models(key: str, stream: Stream) -> None:
    for side in ("online", "baseline"):
        spec = getattr(stream, side)
        if not spec or spec == "field:" or (side == "online" and spec == "none"):
            raise SettingError(f"{key}.{side}", spec, "a model's name, module:function, or field:NAME")
    if stream.baseline == "none" and stream.serving != "online":
        raise SettingError(f"{key}.serving", stream.serving, 'only "online" where baseline = "none"')
    if stream.kind == "binary" and not stream.classes:
        given = [side for side in ("online", "baseline") if getattr(stream, side).startswith("field:")]
        if given:
            wanted = f"both names, the one that {getattr(stream, given[0])} is the probability of last"
            raise SettingError(f"{key}.classes", [], wanted)
    if stream.kind == "anomaly" and stream.monitor.loss != "errors":
        raise SettingError(f"{key}.monitor.loss", stream.monitor.loss, '"errors": anomaly scores are no probabilities')


def _at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise SettingError(key, value, f"a whole number of at least {least}")


def _convert_other(kind: type, value: object) -> object:
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(kind)
