"""Every wrong setting is named with its key, its value and what is allowed; right ones become what they say."""

import tomllib
from typing import Any

import pytest

from stream.config import Settings, Stream, dump, merge, read, topic, undump
from stream.duration import Duration
from stream.errors import SettingError

RIGHT: dict[str, Any] = {"features": {"text": ["body"]}, "classes": ["ham", "spam"]}

S = "streams.s"

WRONG = [
    # (settings of stream s, key named, value shown, a part of what is allowed)
    ({"seed": "x"}, f"{S}.seed", "x", "a whole number"),
    ({"seed": -1}, f"{S}.seed", -1, "at least 0"),
    ({"seed": True}, f"{S}.seed", True, "a whole number"),
    ({"seed": 5_000_000_000}, f"{S}.seed", 5_000_000_000, "at most 4294967295"),
    ({"sede": 1}, f"{S}.sede", 1, "one of the keys kind, classes"),
    ({"kind": "regression"}, f"{S}.kind", "regression", "regression is out of scope"),
    ({"kind": 3}, f"{S}.kind", 3, "binary, multiclass, anomaly"),
    ({"warm_up": 1.5}, f"{S}.warm_up", 1.5, "a whole number"),
    ({"warm_up": -5}, f"{S}.warm_up", -5, "at least 0"),
    ({"serving": "both"}, f"{S}.serving", "both", "one of baseline, online, blend"),
    ({"monitor": {"loss": "errors+brier"}, "kind": "anomaly"}, f"{S}.monitor.loss", "errors+brier", "no probabilities"),
    ({"serving": "blend", "baseline": "none"}, f"{S}.serving", "blend", 'only "online"'),
    ({"training": {"novelty": True}}, f"{S}.training.novelty", True, "detectors of kind"),
    ({"training": {"pca": 0.9}}, f"{S}.training.pca", 0.9, "detectors of kind"),
    (
        {"training": {"pca": 5}, "kind": "anomaly", "serving": "online"},
        f"{S}.training.pca",
        5.0,
        "a share between 0 and 1",
    ),
    (
        {"training": {"alert_budget": 1.5}, "kind": "anomaly", "serving": "online"},
        f"{S}.training.alert_budget",
        1.5,
        "a share between 0 and 1",
    ),
    ({"online": "none"}, f"{S}.online", "none", "module:function"),
    ({"baseline": "field:"}, f"{S}.baseline", "field:", "field:NAME"),
    ({"classes": ["a", "a"]}, f"{S}.classes", ["a", "a"], "different"),
    ({"classes": ["a", "b", "c"]}, f"{S}.classes", ["a", "b", "c"], "two names"),
    ({"classes": ["a"], "kind": "multiclass"}, f"{S}.classes", ["a"], "at least two"),
    ({"classes": ["a", 7]}, f"{S}.classes.1", 7, "a text in quotes"),
    ({"classes": "ham"}, f"{S}.classes", "ham", "a list"),
    ({"positive": "viagra"}, f"{S}.positive", "viagra", "one of ['ham', 'spam']"),
    ({"features": {}}, f"{S}.features", [], "at least one column"),
    ({"features": {"text": ["a"], "numeric": ["a"]}}, f"{S}.features", "a", "once"),
    ({"features": {"text": ["label"]}}, f"{S}.features", "label", "label"),
    ({"features": {"text": ["event_id"]}}, f"{S}.features", "event_id", "id"),
    ({"features": {"text": ["came"]}, "fields": {"label_time": "came"}}, f"{S}.features", "came", "when that came"),
    ({"features": {"text": ["a"], "hash_bits": 40}}, f"{S}.features.hash_bits", 40, "8 to 24"),
    ({"features": {"text": ["a"], "unlogged": ["b"]}}, f"{S}.features.unlogged", "b", "one of the columns: a"),
    ({"features": {"text": ["a"], "unlogged": ["a"]}}, f"{S}.features.unlogged", ["a"], "logged ones only"),
    ({"features": {"text": ["a"], "keep": "features"}}, f"{S}.features.word_key_file", "", "openssl rand -hex 32"),
    ({"features": {"text": ["a"], "keep": "nothing"}}, f"{S}.features.keep", "nothing", "one of text, features"),
    ({"features": {"words": ["a"]}}, f"{S}.features.words", ["a"], "one of the keys text, numeric"),
    ({"features": "body"}, f"{S}.features", "body", "a table"),
    ({"labels": {"maturity": "7 days"}}, f"{S}.labels.maturity", "7 days", '"7d"'),
    ({"labels": {"ttl": -1}}, f"{S}.labels.ttl", -1, "a duration"),
    ({"labels": {"maturity": "8d", "ttl": "7d"}}, f"{S}.labels.maturity", "8d", "at most labels.ttl, which is 7d"),
    ({"labels": {"absent_means": "ham"}}, f"{S}.labels.maturity", 0, "more than 0"),
    ({"labels": {"absent_means": "hm", "maturity": 1}}, f"{S}.labels.absent_means", "hm", "one of ['ham', 'spam']"),
    ({"labels": {"absent_means": 0}}, f"{S}.labels.absent_means", 0, "a text in quotes"),
    *(
        (
            {"fields": {"inspection_probability": "p"}, "labels": {"least_inspection_probability": least}},
            f"{S}.labels.least_inspection_probability",
            least,
            "above 0, up to 1: the least of the probabilities that labels state in 'p'",
        )
        for least in (None, 0.0, -0.1, 1.5, float("inf"))
    ),
    (
        {"labels": {"least_inspection_probability": 0.1}},
        f"{S}.fields.inspection_probability",
        "",
        "the field of labels that states the probability",
    ),
    (
        {
            "fields": {"inspection_probability": "p"},
            "labels": {"least_inspection_probability": 0.1, "absent_means": "ham", "maturity": 1},
        },
        f"{S}.labels.absent_means",
        "ham",
        "left out with fields.inspection_probability: then every event gets a label",
    ),
    (
        {
            "fields": {"inspection_probability": "p"},
            "labels": {"least_inspection_probability": 0.1, "request_disagreements": True},
        },
        f"{S}.labels.request_disagreements",
        True,
        "false with fields.inspection_probability: state it of the labels that you ask for, too",
    ),
    (
        {
            "features": {"numeric": ["p"]},
            "fields": {"inspection_probability": "p"},
            "labels": {"least_inspection_probability": 0.1},
        },
        f"{S}.features",
        "p",
        "how probable it was",
    ),
    ({"labels": {"values": {"1": "hm"}}}, f"{S}.labels.values.1", "hm", "one of ['ham', 'spam']"),
    ({"labels": {"values": {"0": "ham", "1": 1}}}, f"{S}.labels.values.1", 1, "a text in quotes"),
    ({"labels": {"capacity": 3}}, f"{S}.labels.capacity", 3, "at least 16"),
    ({"recent_ids": 0}, f"{S}.recent_ids", 0, "at least 1"),
    ({"partitions": 0}, f"{S}.partitions", 0, "at least 1"),
    ({"topics": {"labelled_retention": 0}}, f"{S}.topics.labelled_retention", 0, "more than 0"),
    ({"alert_rate": 1.0}, f"{S}.alert_rate", 1.0, "between 0 and 1"),
    ({"alerts_per_day": -1}, f"{S}.alerts_per_day", -1, "at least 0"),
    ({"alerts_by": "card"}, f"{S}.alerts_by", "card", "by which entities are remembered: none"),
    (
        {"alerts_by": "x", "features": {"numeric": ["x"], "categorical": ["a"], "onehot": {"b": ["1"]}}},
        f"{S}.alerts_by",
        "x",
        "remembered: a, b",
    ),
    (
        {"alerts_by": "a", "features": {"categorical": ["a", "b"], "unlogged": ["a"]}},
        f"{S}.alerts_by",
        "a",
        "remembered: b",
    ),
    (
        {"kind": "multiclass", "classes": ["a", "b", "c"], "alerts_by": "a", "features": {"categorical": ["a"]}},
        f"{S}.alerts_by",
        "a",
        'left out with kind = "multiclass"',
    ),
    ({"blend_share": 0.5}, f"{S}.blend_share", 0.5, "between 0 and 0.5"),
    ({"blend_share": float("nan")}, f"{S}.blend_share", float("nan"), "between 0 and 0.5"),
    ({"fields": {"time_unit": "us"}}, f"{S}.fields.time_unit", "us", "one of s, ms"),
    (
        {"monitor": {"tolerate_extra_errors_per_1000": "ten"}},
        f"{S}.monitor.tolerate_extra_errors_per_1000",
        "ten",
        "a number",
    ),
    (
        {"monitor": {"tolerate_extra_errors_per_1000": -1.0}},
        f"{S}.monitor.tolerate_extra_errors_per_1000",
        -1.0,
        "from 1.25 (with this false_alarm_every",
    ),
    ({"monitor": {"false_alarm_every": 99}}, f"{S}.monitor.false_alarm_every", 99, "100"),
    (
        {"monitor": {"false_alarm_every": 1_000}},
        f"{S}.monitor.tolerate_extra_errors_per_1000",
        10.0,
        "from 12.5 (with this false_alarm_every",
    ),
    (
        {"monitor": {"tolerate_above_reference_per_1000": 1_000.0}},
        f"{S}.monitor.tolerate_above_reference_per_1000",
        1_000.0,
        "0 to below 1000",
    ),
]


@pytest.mark.parametrize(("settings", "key", "value", "allowed"), WRONG, ids=lambda case: str(case)[:40])
def test_a_wrong_setting_of_a_stream_is_named_with_its_value_and_what_is_allowed(settings, key, value, allowed):
    with pytest.raises(SettingError) as error:
        read({"streams": {"right": RIGHT, "s": {**RIGHT, **settings}}})
    assert error.value.key == key
    assert repr(error.value.value) == repr(value)
    assert allowed in error.value.allowed
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("table", "key", "allowed"),
    [
        ({"stream": {}}, "stream", "one of the keys streams, worker, metrics"),
        ({"streams": 3}, "streams", "table"),
        ({"streams": {"s": 3}}, "streams.s", "a table"),
        ({"worker": {"batch": 0}}, "worker.batch", "at least 1"),
        ({"worker": {"checkpoint_every": "soon"}}, "worker.checkpoint_every", "a duration"),
        ({"metrics": {"port": 1}}, "metrics.port", "one of the keys host"),
        ({"metrics": {"prot": 1}}, "metrics.prot", "one of the keys host"),
        ({"worker": {"commit_every": "5ms"}}, "worker.commit_every", "10 ms to 10 s"),
        ({"worker": {"commit_every": 11}}, "worker.commit_every", "10 ms to 10 s"),
        ({"kafka": {"bootstrap": "broker"}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"bootstrap": "a:1,,b:2"}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"bootstrap": "a:0"}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"bootstrap": "a:65536"}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"bootstrap": ":9092"}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"bootstrap": ""}}, "kafka.bootstrap", "host:port"),
        ({"kafka": {"replication": 0}}, "kafka.replication", "at least 1"),
        ({"kafka": {"session_timeout": "500ms"}}, "kafka.session_timeout", "1 s to 30 minutes"),
        ({"kafka": {"transaction_timeout": "31s"}}, "kafka.transaction_timeout", "1 to 30 s"),
        ({"kafka": {"transaction_timeout": "0s"}}, "kafka.transaction_timeout", "1 to 30 s"),
        ({"kafka": {"sasl": "gssapi"}}, "kafka.sasl", "one of none, plain, scram-sha-256"),
        ({"kafka": {"password": "x"}}, "kafka.password", "one of the keys bootstrap"),
        ({"kafka": {"sasl": "plain"}}, "kafka.username", "a name"),
        ({"kafka": {"username": "me"}}, "kafka.username", "left out, or used with kafka.sasl"),
        ({"kafka": {"sasl": "oauthbearer", "token_file": "t", "username": "me"}}, "kafka.username", "left out"),
        ({"kafka": {"password_file": "p"}}, "kafka.password_file", "left out, or used with kafka.sasl"),
        ({"kafka": {"sasl": "oauthbearer"}}, "kafka.token_file", "a file where"),
        ({"kafka": {"token_file": "t"}}, "kafka.token_file", "only there"),
        ({"kafka": {"ca_file": "ca.pem"}}, "kafka.ca_file", "kafka.tls = true"),
        ({"kafka": {"tls": True, "key_file": "key.pem"}}, "kafka.cert_file", "belongs to kafka.key_file"),
    ],
)
def test_a_wrong_setting_outside_the_streams_is_named_too(table, key, allowed):
    with pytest.raises(SettingError) as error:
        read(table)
    assert error.value.key == key
    assert allowed in error.value.allowed


def test_every_way_into_the_broker_can_be_set():
    password = {"username": "me", "password_file": "p"}
    for kafka in (
        {},
        {"bootstrap": "a:1,[::1]:2", "replication": 3},
        {"tls": True, "ca_file": "c", "cert_file": "d", "key_file": "k"},
        {"tls": True, "cert_file": "both.pem"},
        *({"sasl": sasl, **password} for sasl in ("plain", "scram-sha-256", "scram-sha-512")),
        {"sasl": "oauthbearer", "token_file": "t", "session_timeout": "1s", "transaction_timeout": "30s"},
    ):
        assert undump(dump(read({"kafka": kafka})), Settings).kafka == read({"kafka": kafka}).kafka


def test_defaults_stand_where_nothing_is_set():
    stream = read({"streams": {"s": RIGHT}}).streams["s"]
    assert stream == Stream(features=stream.features, classes=["ham", "spam"])


def test_durations_are_read_in_every_unit():
    words = {"500ms": 0.5, "30s": 30, "15m": 900, "12h": 43_200, "7d": 604_800, "1.5h": 5_400, 3: 3, 0.25: 0.25}
    assert {word: Duration.parse(word) for word in words} == words


@pytest.mark.parametrize(
    "word", ["", "7", "d", "-1s", "1e3s", " 1s", "1w", "9" * 400 + "d", True, None, float("inf"), float("nan"), -1]
)
def test_what_is_no_duration_is_refused(word):
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(word)


def test_settings_come_back_as_they_were_dumped():
    table = tomllib.loads('[streams.s]\nfeatures.text = ["body"]\nlabels.maturity = "7d"\nlabels.values = {x = "y"}')
    settings = read(table)
    assert undump(dump(settings), Settings) == settings


def test_a_list_is_replaced_and_a_table_is_merged():
    under = {"a": {"x": [1, 2], "y": 1}, "b": 1}
    assert merge(under, {"a": {"x": [3]}, "b": {"c": 1}}) == {"a": {"x": [3], "y": 1}, "b": {"c": 1}}
    assert under == {"a": {"x": [1, 2], "y": 1}, "b": 1}


def test_a_topic_is_named_after_its_stream_unless_set():
    stream = read({"streams": {"s": {**RIGHT, "topics": {"labels": "truth"}}}}).streams["s"]
    assert [topic("s", stream, kind) for kind in ("events", "labels", "state")] == ["s.events", "truth", "s.state"]


TEXT: dict[str, Any] = {"features": {"text": ["body"]}}


@pytest.mark.parametrize(
    ("topics", "named"),
    [
        ({"state": "spam.state"}, "state"),
        ({"predictions": "spam.events"}, "predictions"),
        ({"events": "spam.predictions"}, "events"),
        ({"alarms": "mine.dead-letters"}, "dead_letters"),
        ({"events": "bad topic!"}, "events"),
        ({"events": ".."}, "events"),
    ],
)
def test_a_topic_that_another_writes_or_that_is_no_name_is_refused(topics, named):
    with pytest.raises(SettingError) as error:
        read({"streams": {"spam": TEXT, "mine": TEXT | {"topics": topics}}})
    assert error.value.key == f"streams.mine.topics.{named}"


def test_two_streams_may_read_the_same_events_and_labels():
    both = TEXT | {"topics": {"events": "mail-in", "labels": "mail-labels"}}
    assert len(read({"streams": {"one": both, "two": both}}).streams) == 2


def test_a_stream_that_never_sees_a_broker_may_have_any_name():
    assert read({"streams": {"my stream": TEXT}}).streams
