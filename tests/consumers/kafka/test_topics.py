"""A stream's topics on a real broker: made as they must be, and every way in which one can be wrong is found."""

import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource

from consumers.kafka.client import connection
from consumers.kafka.topics import KINDS, _settings, absent, check, ensure, topic_names
from stream.broker import Kafka
from stream.config import Features, Stream, Topics
from stream.duration import Duration
from stream.errors import SettingError, TransportError

DAY = 86_400_000


def stream(partitions=1, **topics):
    return Stream(features=Features(text=["body"]), partitions=partitions, topics=Topics(**topics))


@pytest.fixture
def cluster(kafka):
    return Kafka(bootstrap=kafka)


@pytest.fixture
def admin(cluster):
    client = KafkaAdminClient(**connection(cluster, "test"))
    yield client
    client.close()


def make(admin, name, partitions=1, **configs):
    settings = {key.replace("_", "."): value for key, value in configs.items()}
    options = {"num_partitions": partitions, "replication_factor": 1, "configs": settings}
    admin.create_topics({name: options}, wait_for_metadata=True)


def configs(admin, name):
    found = admin.describe_configs([ConfigResource("TOPIC", name)], config_filter="all")["topic"][name]
    return {key: entry["value"] for key, entry in found.items()}


def wrong(findings):
    """What is said of the topics that are not right, by kind."""
    return {finding.kind: finding.reason for finding in findings if finding.reason}


def test_what_is_missing_is_made_with_the_streams_partitions_and_found_right_from_then_on(cluster, stream_name):
    made = ensure(cluster, stream_name, stream(3))
    assert [(f.topic, f.partitions, f.state) for f in made] == [
        (f"{stream_name}.{kind.replace('_', '-')}", 3, "made") for kind in KINDS
    ]
    assert {f.state for f in ensure(cluster, stream_name, stream(3))} == {"right"}
    assert {f.state for f in check(cluster, stream_name, stream(3))} == {"right"}


def test_each_topic_is_set_for_what_it_holds(cluster, admin, stream_name):
    ensure(cluster, stream_name, stream(labelled_retention=Duration(86_400)))
    state, log, dead, events = (
        configs(admin, f"{stream_name}.{n}") for n in ("state", "labelled", "dead-letters", "events")
    )
    assert state["cleanup.policy"] == "compact"
    assert state["max.message.bytes"] == "1048588"
    assert (state["min.cleanable.dirty.ratio"], state["segment.bytes"]) == ("0.1", str(64 * 2**20))
    assert (log["retention.ms"], log["retention.bytes"], log["cleanup.policy"]) == (str(DAY), "-1", "delete")
    assert int(dead["max.message.bytes"]) == int(events["max.message.bytes"]) + 65_536


def test_dead_letters_are_larger_than_the_events_that_are_already_there(cluster, admin, stream_name):
    make(admin, f"{stream_name}.events", max_message_bytes="5000000")
    assert not wrong(ensure(cluster, stream_name, stream()))
    assert configs(admin, f"{stream_name}.dead-letters")["max.message.bytes"] == "5065536"


def test_a_check_makes_nothing_and_says_what_makes_it(cluster, stream_name):
    findings = check(cluster, stream_name, stream())
    assert {finding.state for finding in findings} == {"missing"}
    assert all(f"`rotwatch topics --stream {stream_name}`" in finding.reason for finding in findings)
    names = topic_names(stream_name, stream()).values()
    assert sorted(absent(cluster, names)) == sorted(names)


@pytest.mark.parametrize(
    ("kind", "partitions", "configs", "said"),
    [
        ("predictions", 2, {}, "has 2 partitions, must have 1: set streams.{name}.partitions"),
        ("labels", 4, {}, "events and labels must have equally many"),
        ("state", 1, {}, "cleanup.policy is delete, must be compact"),
        ("state", 1, {"cleanup_policy": "compact,delete"}, "must be compact"),
        ("state", 1, {"cleanup_policy": "compact", "max_message_bytes": "500000"}, "500000 bytes, must take 851968"),
        ("events", 1, {"cleanup_policy": "compact"}, "cleanup.policy is compact, must be delete"),
        ("labelled", 1, {"retention_ms": str(DAY)}, f"retention.ms is {DAY}, must be {90 * DAY} or -1"),
        ("labelled", 1, {"retention_ms": "-1", "retention_bytes": "1000000"}, "retention.bytes is 1000000, must be -1"),
        ("dead-letters", 1, {}, "takes messages of 1048588 bytes, must take 1114124"),
    ],
)
def test_a_topic_that_is_not_as_it_must_be_is_found_said_and_left_alone(
    cluster, admin, stream_name, kind, partitions, configs, said
):
    make(admin, f"{stream_name}.{kind}", partitions, **configs)
    for look in (ensure, check):
        findings = {finding.topic: finding for finding in look(cluster, stream_name, stream())}
        found = findings.pop(f"{stream_name}.{kind}")
        assert (found.state, found.partitions) == ("wrong", partitions)
        assert said.format(name=stream_name) in found.reason
        also = {kind for finding in findings.values() if finding.state == "wrong" for kind in [finding.kind]}
        assert also == ({"events"} if kind == "labels" else set())


def test_a_log_that_is_kept_for_ever_is_right(cluster, admin, stream_name):
    make(admin, f"{stream_name}.labelled", retention_ms="-1")
    assert not wrong(ensure(cluster, stream_name, stream()))


def test_topics_may_have_any_name(cluster, stream_name):
    named = stream(events=f"{stream_name}-in", state=f"{stream_name}_s")
    findings = {finding.kind: finding.topic for finding in ensure(cluster, stream_name, named)}
    assert (findings["events"], findings["state"]) == (f"{stream_name}-in", f"{stream_name}_s")
    assert findings["labels"] == f"{stream_name}.labels"


def test_more_copies_than_brokers_are_refused_with_the_setting(cluster, stream_name):
    many = msgspec.structs.replace(cluster, replication=7)
    with pytest.raises(TransportError, match=r"kafka.replication = 7: InvalidReplicationFactorError"):
        ensure(many, stream_name, stream())


def test_with_three_copies_two_must_have_a_record_before_it_counts():
    for copies, wanted in ((1, None), (2, None), (3, "2")):
        for kind in KINDS:
            assert _settings(kind, Kafka(replication=copies), stream(), None).get("min.insync.replicas") == wanted


@pytest.mark.parametrize(
    ("name", "topics", "key"),
    [
        ("my stream", {}, "streams.my stream.topics.events"),
        ("s", {"alarms": "what?"}, "streams.s.topics.alarms"),
        ("s", {"events": "one", "labels": "one"}, "streams.s.topics.events"),
        ("s", {"labelled": "."}, "streams.s.topics.labelled"),
    ],
)
def test_a_name_that_cannot_be_a_topics_is_named(name, topics, key):
    with pytest.raises(SettingError) as error:
        topic_names(name, stream(**topics))
    assert error.value.key == key


# ------------------------------------------------------------------------------------------- the command


def test_the_command_makes_and_checks_and_its_exit_code_tells(rotwatch, kafka, stream_name, monkeypatch, tmp_path):
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", kafka)
    (tmp_path / "s.toml").write_text(f'[streams.{stream_name}]\nfeatures.text = ["body"]\n')
    words = ("topics", "--stream", stream_name, "--config", "s.toml")
    code, out, _ = rotwatch(*words, "--check")
    assert (code, out.count("missing")) == (1, 8)
    code, out, err = rotwatch(*words)
    assert (code, out.count("made"), err) == (0, 8, "")
    assert rotwatch(*words, "--check")[0] == 0
    (tmp_path / "s.toml").write_text(f'[streams.{stream_name}]\nfeatures.text = ["body"]\npartitions = 2\n')
    code, out, _ = rotwatch(*words)
    assert (code, out.count("must have 2")) == (1, 8)


def test_the_command_names_an_unknown_stream(rotwatch):
    code, _, err = rotwatch("topics", "--stream", "nothing")
    assert (code, err.count("\n")) == (2, 1)
    assert "one of spam, fraud" in err
