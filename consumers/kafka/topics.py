"""A stream's topics: which there must be and how they must be set; making those that are missing.

What is there is never changed: a topic holds data, and each finding says what its owner may do.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource
from kafka.protocol.metadata import MetadataRequest
from msgspec import Struct
from rich.table import Table

from consumers.kafka.client import BOOTSTRAP_MS, connection, open_client, reaching, told
from consumers.kafka.state import LARGEST
from consumers.terminal import terminal
from stream.broker import Kafka
from stream.config import KINDS, TOPIC, Stream, topic
from stream.errors import SettingError, TransportError

ROOM = 64 * 1024
"""Bytes by which dead letters may be larger than events: they carry the reason and the origin in their headers."""

STATE_SEGMENT = 64 * 1024 * 1024
"""Bytes: a topic is compacted up to its newest segment, so that a restore reads about so much at least."""

STATE_MESSAGE = 1_048_588
"""Bytes: Kafka's own default, which a broker may have changed."""

PATIENCE = 15.0
"""Seconds within which all brokers must know of a new topic."""

State = Literal["right", "wrong", "missing", "made"]


class Finding(Struct, frozen=True):
    """How one topic was found: ``state``, and where it is not as it must be, why and what to do."""

    topic: str
    kind: str
    partitions: int
    state: State
    reason: str = ""


class _Found(Struct):
    """A topic as it is: the number of its partitions, and its settings."""

    partitions: int
    settings: Mapping[str, str]


def ensure(kafka: Kafka, name: str, stream: Stream) -> list[Finding]:
    """Make the topics of a stream that are missing, wait until every broker knows them, and check those there are.

    Raises SettingError for names that cannot be, TransportError where the broker cannot be reached or refuses.
    """
    names = topic_names(name, stream)
    with _admin(kafka) as admin:
        there = _describe(admin, names.values())
        made = [kind for kind in KINDS if names[kind] not in there]
        # Dead letters last: their limit depends on that of events, which may be the broker's own.
        for kinds in ([kind for kind in made if kind != "dead_letters"], [k for k in made if k == "dead_letters"]):
            wanted = {names[kind]: _settings(kind, kafka, stream, there.get(names["events"])) for kind in kinds}
            _make(admin, kafka, stream, wanted)
            there |= _describe(admin, wanted)
        _await(admin, [names[kind] for kind in made])
        return _findings(name, stream, names, there, made)


def check(kafka: Kafka, name: str, stream: Stream) -> list[Finding]:
    """How the topics of a stream are, without making any; raises as ``ensure``."""
    names = topic_names(name, stream)
    with _admin(kafka) as admin:
        return _findings(name, stream, names, _describe(admin, names.values()), [])


def absent(kafka: Kafka, topics: Iterable[str]) -> list[str]:
    """Those of the topics that are not there, or may not be seen; raises TransportError."""
    wanted = list(topics)
    with _admin(kafka) as admin:
        return [row["name"] for row in admin.describe_topics(wanted) if row["error_code"]]


def report(findings: Iterable[Finding]) -> bool:
    """Print the findings as a table, what is wrong below it; whether all is right."""
    console = terminal()
    table = Table(*("topic", "partitions", "state"))
    wrong = []
    for finding in findings:
        count = str(finding.partitions) if finding.partitions else "-"
        table.add_row(finding.topic, count, finding.state)
        if finding.reason:
            wrong.append(f"{finding.topic}: {finding.reason}")
    console.print(table)
    for line in wrong:
        console.print(line)
    return not wrong


def topic_names(name: str, stream: Stream) -> dict[str, str]:
    """The topic of each kind of record; raises SettingError for one that Kafka does not take, or that stands twice."""
    names = {kind: topic(name, stream, kind) for kind in KINDS}
    for kind, chosen in names.items():
        if not TOPIC.fullmatch(chosen):
            wanted = "up to 249 letters of A-Z, digits, dots, underscores and dashes"
            raise SettingError(f"streams.{name}.topics.{kind}", chosen, wanted)
        if list(names.values()).count(chosen) > 1:
            raise SettingError(f"streams.{name}.topics.{kind}", chosen, "a topic of its own for each kind of record")
    return names


# ------------------------------------------------------------------------------------------- what must be


def _settings(kind: str, kafka: Kafka, stream: Stream, events: _Found | None) -> dict[str, str]:
    """What a new topic is made with; all else is the broker's own."""
    settings = {"cleanup.policy": "compact" if kind == "state" else "delete"}
    if kafka.replication >= 3:
        settings["min.insync.replicas"] = "2"
    if kind == "state":
        settings |= {"min.cleanable.dirty.ratio": "0.1", "segment.bytes": str(STATE_SEGMENT)}
        settings["max.message.bytes"] = str(STATE_MESSAGE)
    elif kind == "labelled":
        settings |= {"retention.ms": str(_retention(stream)), "retention.bytes": "-1"}
    elif kind == "dead_letters" and events is not None and "max.message.bytes" in events.settings:
        settings["max.message.bytes"] = str(int(events.settings["max.message.bytes"]) + ROOM)
    return settings


def _retention(stream: Stream) -> int:
    """Of the training log, in milliseconds."""
    return round(stream.topics.labelled_retention * 1000)


def _findings(
    name: str, stream: Stream, names: Mapping[str, str], there: Mapping[str, _Found], made: Iterable[str]
) -> list[Finding]:
    findings = []
    for kind, chosen in names.items():
        found = there.get(chosen)
        if found is None:
            reason = f"is not there: `rotwatch topics --stream {name}` makes it"
            findings.append(Finding(chosen, kind, 0, "missing", reason))
            continue
        reasons = [*_wrong_count(kind, name, stream, names, there), *_wrong_settings(kind, name, stream, names, there)]
        state: State = "wrong" if reasons else "made" if kind in made else "right"
        findings.append(Finding(chosen, kind, found.partitions, state, "; ".join(reasons)))
    return findings


def _wrong_count(
    kind: str, name: str, stream: Stream, names: Mapping[str, str], there: Mapping[str, _Found]
) -> Iterator[str]:
    have = there[names[kind]].partitions
    if have != stream.partitions:
        yield (
            f"has {have} partitions, must have {stream.partitions}: set streams.{name}.partitions to what all its "
            "topics have, or delete this one and make it anew (adding partitions would send known keys elsewhere)"
        )
    other = there.get(names["labels" if kind == "events" else "events"])
    if kind in ("events", "labels") and other is not None and other.partitions != have:
        yield "events and labels must have equally many, or a label does not come to the task that has its event"


def _wrong_settings(
    kind: str, name: str, stream: Stream, names: Mapping[str, str], there: Mapping[str, _Found]
) -> Iterator[str]:
    settings = there[names[kind]].settings
    if not settings:
        yield "its settings cannot be read: allow DescribeConfigs on it"
        return
    policy = {part.strip() for part in settings["cleanup.policy"].split(",")}
    if kind == "state" and policy != {"compact"}:
        yield f"cleanup.policy is {settings['cleanup.policy']}, must be compact, or the state is deleted: alter it"
    if kind == "state" and int(settings["max.message.bytes"]) < LARGEST:
        yield (
            f"takes messages of {settings['max.message.bytes']} bytes, must take {LARGEST}, or no checkpoint fits: "
            "alter max.message.bytes"
        )
    if kind != "state" and "compact" in policy:
        yield f"cleanup.policy is {settings['cleanup.policy']}, must be delete, or records with one key go: alter it"
    if kind == "labelled":
        yield from _short(name, stream, settings)
    events = there.get(names["events"])
    if kind == "dead_letters" and events is not None and events.settings:
        takes, must = (int(side["max.message.bytes"]) for side in (settings, events.settings))
        if takes < must + ROOM:
            yield (
                f"takes messages of {takes} bytes, must take {must + ROOM} (those of {names['events']} and {ROOM} for "
                "headers), or what is as large as an event stops the scorer: alter max.message.bytes"
            )


def _short(name: str, stream: Stream, settings: Mapping[str, str]) -> Iterator[str]:
    """Why the training log does not keep its records as long as it must."""
    keeps, must = int(settings["retention.ms"]), _retention(stream)
    if 0 <= keeps < must:
        yield (
            f"retention.ms is {keeps}, must be {must} or -1 for the training log: alter it, or set "
            f"streams.{name}.topics.labelled_retention"
        )
    if int(settings["retention.bytes"]) >= 0:
        size = settings["retention.bytes"]
        yield f"retention.bytes is {size}, must be -1, as the training log is kept by time: alter it"


# ------------------------------------------------------------------------------------------- talking to the broker


@contextmanager
def _admin(kafka: Kafka) -> Iterator[KafkaAdminClient]:
    with reaching(kafka):
        arguments = connection(kafka, "rotwatch-topics")
        admin = open_client(KafkaAdminClient, **arguments, bootstrap_timeout_ms=BOOTSTRAP_MS)
        try:
            yield admin
        finally:
            admin.close()


def _describe(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, _Found]:
    """Those of the topics that are there."""
    there: dict[str, _Found] = {}
    for row in admin.describe_topics(list(topics)):
        code = kafka_errors.for_code(row["error_code"])
        if code is kafka_errors.UnknownTopicOrPartitionError:
            continue
        if code is not kafka_errors.NoError:
            raise TransportError(f"topic {row['name']}: {told(code(row['name']))}")
        there[row["name"]] = _Found(len(row["partitions"]), {})
    resources = [ConfigResource("TOPIC", name) for name in there]
    described = admin.describe_configs(resources, config_filter="all") if resources else {}
    for name, settings in described.get("topic", {}).items():
        there[name].settings = {key: str(entry["value"]) for key, entry in settings.items()}
    return there


def _make(admin: KafkaAdminClient, kafka: Kafka, stream: Stream, wanted: Mapping[str, dict[str, str]]) -> None:
    if not wanted:
        return
    topics = {
        name: {"num_partitions": stream.partitions, "replication_factor": kafka.replication, "configs": settings}
        for name, settings in wanted.items()
    }
    for row in admin.create_topics(topics, raise_errors=False)["topics"]:
        code = kafka_errors.for_code(row["error_code"])
        # Somebody else may have made it a moment ago; it is checked as any other.
        if code not in (kafka_errors.NoError, kafka_errors.TopicAlreadyExistsError):
            raise TransportError(
                f"topic {row['name']} could not be made with {stream.partitions} partitions and kafka.replication = "
                f"{kafka.replication}: {code.__name__}: {row['error_message']}"
            )
    _await(admin, list(wanted))


def _await(admin: KafkaAdminClient, topics: list[str]) -> None:
    """Wait until each broker knows a leader for each partition; raises TransportError after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    for broker in admin.describe_cluster()["brokers"]:
        while unknown := _unknown(admin, broker["broker_id"], topics):
            if time.monotonic() > deadline:
                raise TransportError(
                    f"topics {', '.join(unknown)}: broker {broker['broker_id']} does not know them yet"
                )
            time.sleep(0.05)


def _unknown(admin: KafkaAdminClient, broker: int, topics: list[str]) -> list[str]:
    request = MetadataRequest(
        topics=[MetadataRequest.MetadataRequestTopic(name=name) for name in topics], allow_auto_topic_creation=False
    )
    # No public call asks one broker: describe_topics() takes whichever is idle.
    manager: Any = admin._manager  # noqa: SLF001 - see above
    try:
        rows = manager.run(manager.send, request, broker).topics
    except kafka_errors.RetriableError:
        return topics
    ready = {
        row.name
        for row in rows
        if row.error_code == 0 and row.partitions and all(part.leader_id >= 0 for part in row.partitions)
    }
    return [name for name in topics if name not in ready]
