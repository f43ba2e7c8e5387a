"""What is sent for each row, in which order, how fast, and what becomes of it on a real broker."""

import gc
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from consumers.kafka.client import connection
from consumers.kafka.topics import ensure
from consumers.lines import decode_json, decoded
from consumers.order import Position, SideBySide
from consumers.outgoing import written
from consumers.plans import pairs
from consumers.produce import make
from consumers.production import Counts, Pace
from stream import config
from stream.broker import Kafka
from stream.decoding import RecordDecoder
from stream.errors import SettingError, SourceError, TransportError
from stream.records import Event, Label, Undecodable

NOW = 1_800_000_000.0


class Sink:
    """Keeps what is sent; ``log`` hears each topic."""

    def __init__(self, log=None):
        self.records: list[tuple[str, bytes | None, bytes]] = []
        self.log = [] if log is None else log

    def send(self, topic, key, value):
        self.records.append((topic, key, value))
        self.log.append(topic)

    def of(self, topic) -> list[dict[str, Any]]:
        return [json.loads(value) for name, _, value in self.records if name == topic]


def settings(**more):
    table = {"features": {"text": ["body"]}, "classes": ["ham", "spam"], **more}
    return config.read({"streams": {"s": table}})


def production(source, stream=None, mapping=(), now=lambda: NOW, **more):
    words = {"where": {}, "labels": None, "no_labels": False, "label_delay": "0", "input_format": None}
    words |= {"skip": 0, "limit": None, **more}
    mapped = pairs("--map", list(mapping))
    made = make(settings(**(stream or {})), source=str(source), stream="s", mapping=mapped, **words)
    made._now = made.writer.clock._now = now
    return made


def sent(source, *args, stop=lambda: False, **more):
    sink = Sink()
    counts = production(source, *args, **more).run(sink, Pace(0), stop)
    return sink, counts


def jsonl(path, rows):
    path = Path(path)
    path.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows))
    return path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# ------------------------------------------------------------------------------------------- what is sent


def test_an_event_goes_without_its_label_and_the_label_right_behind_it_under_the_same_key():
    source = jsonl("a.jsonl", [{"event_id": f"e{i}", "time": i + 0.5, "body": "x", "label": "ham"} for i in range(3)])
    sink, counts = sent(source)
    assert [(topic, key) for topic, key, _ in sink.records] == [
        (topic, f"e{i}".encode()) for i in range(3) for topic in ("s.events", "s.labels")
    ]
    assert sink.of("s.events") == [{"event_id": f"e{i}", "time": i + 0.5, "body": "x"} for i in range(3)]
    assert sink.of("s.labels") == [{"event_id": f"e{i}", "time": i + 0.5, "label": "ham"} for i in range(3)]
    assert counts == Counts(events=3, labels=3)


def test_bytes_that_need_no_change_are_sent_as_they_are():
    line = b'{"body":  "x",\t"time": 1e0, "event_id": 7.0}'
    sink, _ = sent(jsonl("a.jsonl", [line]), no_labels=True)
    assert sink.records == [("s.events", b"7", line)]


def test_rows_without_ids_are_numbered_as_in_a_replay_whatever_is_skipped():
    source = jsonl("a.jsonl", [{"time": i, "body": "x", "label": "ham"} for i in range(5)])
    sink, counts = sent(source, skip=2, limit=4)
    assert [row["event_id"] for row in sink.of("s.events")] == ["row-2", "row-3"]
    assert [row["event_id"] for row in sink.of("s.labels")] == ["row-2", "row-3"]
    assert counts == Counts(events=2, labels=2)


def test_rows_without_times_get_the_moment_of_sending_each_later_than_the_last():
    source = jsonl("a.jsonl", [{"body": "x", "time": "", "label": "ham"}, *[{"body": "x", "label": "ham"}] * 3])
    sink, _ = sent(source)
    times = [row["time"] for row in sink.of("s.events")]
    assert times[0] == NOW
    assert all(1e-7 < late - early < 2e-6 for early, late in pairwise(times))
    assert [row["time"] for row in sink.of("s.labels")] == times


def test_a_moment_of_sending_is_in_the_streams_unit():
    sink, _ = sent(jsonl("a.jsonl", [{"body": "x", "label": "ham"}]), {"fields": {"time_unit": "ms"}})
    assert sink.of("s.events")[0]["time"] == NOW * 1000
    assert sink.of("s.labels")[0]["time"] == NOW * 1000


def test_columns_are_renamed_to_the_streams_names_and_no_other_label_gets_through():
    row = {"id": 1, "at": 2, "text": "x", "Class": 1, "is_spam": "no", "body": "old", "more": [1]}
    stream = {"fields": {"event_id": "key", "label": "is_spam"}, "labels": {"values": {"1": "spam"}}}
    sink, _ = sent(jsonl("a.jsonl", [row]), stream, ["event_id=id", "time=at", "label=Class", "body=text"])
    assert sink.of("s.events") == [{"key": 1, "time": 2, "body": "x", "more": [1]}]
    assert sink.of("s.labels") == [{"key": "1", "time": 2.0, "is_spam": "1"}]


def test_a_field_that_is_mapped_to_nothing_is_left_out():
    source = jsonl("a.jsonl", [{"event_id": "a", "time": 5, "body": "x", "label": "ham"}])
    sink, _ = sent(source, None, ["time=", "label="], no_labels=True)
    assert sink.of("s.events") == [{"event_id": "a", "body": "x", "time": NOW}]


@pytest.mark.parametrize("raw", [b"{oops", b"\xff\xfe", b"[1]", b"{}{}"])
def test_a_row_that_is_no_record_is_sent_untouched_and_without_a_key(raw):
    source = jsonl("a.jsonl", [{"event_id": "a", "body": "x", "label": "ham"}, raw])
    sink, counts = sent(source)
    assert sink.records[-1] == ("s.events", None, raw)
    assert counts == Counts(events=1, labels=1, unreadable=1)


def test_a_record_with_a_wrong_id_or_time_is_sent_as_it_is_but_for_its_label():
    rows = [{"event_id": "a", "time": 1, "body": "x", "label": "ham"}]
    rows += [{"event_id": "", "time": 1, "label": "ham"}, {"event_id": "b", "time": "noon", "label": "ham"}]
    sink, counts = sent(jsonl("a.jsonl", rows))
    assert counts == Counts(events=1, labels=1, unreadable=2)
    assert [json.loads(value) for _, key, value in sink.records if key is None] == [
        {"event_id": "", "time": 1},
        {"event_id": "b", "time": "noon"},
    ]


def test_a_csv_row_becomes_json():
    Path("a.csv").write_text("event_id,body,label\n1,one two,ham\n")
    sink, _ = sent("a.csv")
    assert sink.of("s.events") == [{"event_id": "1", "body": "one two", "time": NOW}]


def test_the_simulators_mails_tell_nothing_that_a_mail_would_not():
    sink, counts = sent("simulator:mail", {"features": {"text": ["subject", "body"]}}, limit=50)
    assert counts == Counts(events=50, labels=50)
    assert {name for row in sink.of("s.events") for name in row} == {"event_id", "time", "subject", "body"}


def test_the_simulators_transactions_tell_nothing_of_what_they_turned_out_to_be():
    stream = {"features": {"numeric": ["amount"]}, "fields": {"label_time": "label_time"}}
    sink, counts = sent("simulator:fraud", stream, limit=2_000)
    names = {name for row in sink.of("s.events") for name in row}
    assert names == {"event_id", "time", "customer_id", "terminal_id", "amount"}
    assert (counts.events, counts.unreadable) == (2_000, 0)
    times = {row["event_id"]: row["time"] for row in sink.of("s.events")}
    delays = [row["time"] - times[row["event_id"]] for row in sink.of("s.labels")]
    assert len(delays) == counts.labels > 20
    assert min(delays) > 86_400


def test_without_labels_only_events_are_sent():
    source = jsonl("a.jsonl", [{"event_id": "a", "body": "x", "label": "ham"}])
    sink, counts = sent(source, no_labels=True)
    assert [topic for topic, _, _ in sink.records] == ["s.events"]
    assert counts == Counts(events=1)


def test_a_row_that_is_not_known_yet_has_no_label_to_send():
    source = jsonl("a.jsonl", [{"event_id": "a", "label": None}, {"event_id": "b", "label": "ham"}])
    sink, _ = sent(source)
    assert [row["event_id"] for row in sink.of("s.labels")] == ["b"]
    assert [set(row) for row in sink.of("s.events")] == [{"event_id", "time"}] * 2


# ------------------------------------------------------------------------------------------- keys


KEYED = {"fields": {"key": "card"}}


def keys(sink, kind):
    return [key for topic, key, _ in sink.records if topic == f"s.{kind}"]


@pytest.mark.parametrize("delay", ["0", "2", "5s"])
def test_records_are_keyed_by_the_streams_key_and_a_label_as_its_event_however_late_it_goes(delay):
    cards = ["x", 7, 7.0, "y", "", None, [1], True]
    rows = [{"event_id": f"e{i}", "time": i, "card": card, "label": "ham"} for i, card in enumerate(cards)]
    rows.append({"event_id": "e8", "time": 8, "label": "ham"})
    sink, counts = sent(jsonl("a.jsonl", rows), KEYED, label_delay=delay)
    # Where there is none, it is the event's id, as in streams without a key.
    assert keys(sink, "events") == [b"x", b"7", b"7", b"y", b"e4", b"e5", b"e6", b"true", b"e8"]
    assert keys(sink, "labels") == keys(sink, "events")
    assert [row["event_id"] for row in sink.of("s.labels")] == [f"e{i}" for i in range(9)]
    assert counts == Counts(events=9, labels=9)


def test_labels_that_come_at_their_own_times_have_the_keys_of_their_events():
    rows = [
        {"event_id": f"e{i}", "time": 10 * i, "account": f"c{i}", "label": "ham", "came": came}
        for i, came in enumerate((25, -5, 21))  # the second is older than its event, and goes out before it
    ]
    stream = {"fields": {"key": "card", "label_time": "came"}, "features": {"categorical": ["card"]}}
    sink, _ = sent(jsonl("a.jsonl", rows), stream, ["card=account"])
    assert [(topic[2:], key) for topic, key, _ in sink.records] == [
        ("events", b"c0"), ("labels", b"c1"), ("events", b"c1"), ("events", b"c2"), ("labels", b"c2"),
        ("labels", b"c0"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize("mapping", [[], ["card=account"]])
def test_a_file_of_labels_has_the_key_of_each(form, mapping):
    name = "account" if mapping else "card"
    rows = [{"event_id": f"e{i}", "time": i, name: f"c{i}", "label": "ham"} for i in range(3)]
    labels = jsonl("l.jsonl", rows)
    if form == "csv":
        labels = Path("l.csv")
        labels.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]))
    sink, _ = sent(jsonl("a.jsonl", rows), KEYED, mapping, labels=str(labels))
    assert keys(sink, "events") == keys(sink, "labels") == [b"c0", b"c1", b"c2"]


# ------------------------------------------------------------------------------------------- order


UNITS = {
    "s": [1_700_000_000 + i * 1.1 for i in range(40)],
    "ms": [1_700_000_000_123 + i * 1_001 for i in range(40)],
}
ISO = [f"2024-01-31T12:00:{i:02}.{i:03}Z" for i in range(40)]


@pytest.mark.parametrize("skip", [0, 7])
@pytest.mark.parametrize("delay", ["0", "3", "5s", "100"])
@pytest.mark.parametrize(("unit", "times"), [*UNITS.items(), ("s", ISO), ("ms", ISO)], ids=str)
def test_who_reads_gets_the_events_and_labels_of_a_replay_in_its_order_and_at_its_very_times(unit, times, delay, skip):
    rows = [{"id": f"e{i}", "time": time, "label": "ham"} for i, time in enumerate(times)]
    rows.insert(20, b"{oops")
    source = jsonl("a.jsonl", rows)
    stream = {"fields": {"event_id": "id", "time_unit": unit}}
    made = production(source, stream, label_delay=delay, skip=skip)
    decoder = RecordDecoder(made.stream.fields, NOW, 3600)
    order = SideBySide(made.rows, decoder, made.plan.delay, 0.0, Position(skip, skip), skip)
    wanted = [plain(record) for record in order.inputs() if isinstance(record, Event | Label | Undecodable)]
    sink = Sink()
    made.run(sink, Pace(0))
    found = []
    for topic, _, value in sink.records:
        fields = decoded(decode_json(), value)
        if not isinstance(fields, dict):
            found.append(("no record", value))
        elif topic == "s.events":
            found.append(plain(decoder.event(fields, 0, 0.0)))
        else:
            found.append(plain(decoder.label(fields, 0, 0.0)))
    assert found == wanted


def plain(record):
    if isinstance(record, Undecodable):
        return "no record", record.raw
    text = record.label if isinstance(record, Label) else None
    return record.event_id, record.time, text


def test_labels_of_a_file_of_their_own_are_merged_by_time_without_those_of_skipped_events():
    source = jsonl("a.jsonl", [{"event_id": i, "time": i * 10, "body": "x"} for i in range(5)])
    rows = [{"event_id": i, "time": i * 10 + 15, "label": "ham", "by": "me"} for i in range(5)]
    sink, counts = sent(source, labels=str(jsonl("l.jsonl", rows)), skip=1)
    keys = [(topic[2:], key.decode()) for topic, key, _ in sink.records]
    assert keys == [
        ("events", "1"), ("events", "2"), ("labels", "1"), ("events", "3"), ("labels", "2"), ("events", "4"),
        ("labels", "3"), ("labels", "4"),
    ]  # fmt: skip
    assert sink.of("s.labels")[0] == {"event_id": "1", "time": 25.0, "label": "ham"}
    assert counts == Counts(events=4, labels=4)


def test_a_label_goes_out_with_its_probability_and_the_event_does_not_tell_it():
    rows = [{"event_id": "a", "time": 1, "body": "x", "label": "ham", "p": 0.5}]
    stream = {"fields": {"inspection_probability": "p"}, "labels": {"least_inspection_probability": 0.2}}
    sink, counts = sent(jsonl("a.jsonl", rows), stream)
    assert sink.of("s.events") == [{"event_id": "a", "time": 1, "body": "x"}]
    assert sink.of("s.labels") == [{"event_id": "a", "time": 1.0, "label": "ham", "p": 0.5}]
    assert counts == Counts(events=1, labels=1)


def test_a_label_goes_out_at_its_own_time_and_the_event_does_not_tell_when_it_came():
    rows = [
        {"event_id": "a", "time": 1_000, "label": "ham", "came": 3_500},
        {"event_id": "b", "time": 2_000, "label": None, "came": None},
        {"event_id": "c", "time": 3_000, "label": "spam", "came": 3_200},
        {"event_id": "d", "time": 4_000, "label": "ham", "came": None},
    ]
    stream = {"fields": {"label_time": "reported", "time_unit": "ms"}}
    sink, counts = sent(jsonl("a.jsonl", rows), stream, ["label_time=came"])
    assert [(topic[2:], key) for topic, key, _ in sink.records] == [
        ("events", b"a"), ("events", b"b"), ("events", b"c"), ("labels", b"c"), ("labels", b"a"), ("events", b"d"),
        ("labels", None),
    ]  # fmt: skip
    assert sink.of("s.events")[0] == {"event_id": "a", "time": 1_000}
    assert sink.of("s.labels")[0] == {"event_id": "c", "time": 3_200.0, "label": "spam"}
    # No labeller's record: it has no label, so that who reads it counts it as unreadable, too.
    assert sink.of("s.labels")[2] == {"event_id": "d", "time": 4_000}
    assert counts == Counts(events=4, labels=2, unreadable=1)


def test_when_a_label_came_is_known_by_a_mapped_column_alone_and_is_never_sent_with_an_event():
    rows = [{"event_id": str(i), "time": i, "label": "ham", "came": i + 1.5} for i in range(3)]
    source = jsonl("a.jsonl", rows)
    sink, _ = sent(source, None, ["label_time=came"])
    assert [row["time"] for row in sink.of("s.labels")] == [1.5, 2.5, 3.5]
    assert [set(row) for row in sink.of("s.events")] == [{"event_id", "time"}] * 3
    sink, counts = sent(source, {"fields": {"label_time": "came"}}, no_labels=True)
    assert [set(row) for row in sink.of("s.events")] == [{"event_id", "time"}] * 3
    assert counts == Counts(events=3)


def test_a_file_of_labels_needs_no_time_of_the_label_in_the_events():
    rows = [{"event_id": str(i), "time": i, "came": i} for i in range(2)]
    labels = [{"event_id": str(i), "time": i + 5, "label": "ham"} for i in range(2)]
    stream = {"fields": {"label_time": "came"}}
    sink, _ = sent(jsonl("a.jsonl", rows), stream, labels=str(jsonl("l.jsonl", labels)))
    assert [row["time"] for row in sink.of("s.labels")] == [5.0, 6.0]
    assert [set(row) for row in sink.of("s.events")] == [{"event_id", "time"}] * 2


def test_a_time_in_milliseconds_is_read_back_as_the_same_seconds():
    for seconds in (1_700_000_000.123, 1_700_000_000.1234567, 0.1 + 0.2, 5.0, 1e-3):
        assert written(seconds, "ms") * 0.001 == seconds
        assert written(seconds, "s") == seconds


# ------------------------------------------------------------------------------------------- pace and stop


class Winding:
    """A clock that moves when somebody sleeps."""

    def __init__(self):
        self.time = 100.0
        self.naps: list[float] = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.time += seconds


@pytest.mark.parametrize("apart", [False, True])
def test_events_are_sent_at_the_rate_and_labels_do_not_wait(apart):
    clock = Winding()
    rows = [{"event_id": str(i), "time": i, "body": "x", "label": "ham"} for i in range(20)]
    labels = str(jsonl("l.jsonl", rows)) if apart else None
    times: list[tuple[str, float]] = []

    class Log(list):
        def append(self, topic):
            times.append((topic, clock.time))

    made = production(jsonl("a.jsonl", rows), labels=labels, now=clock.now)
    made.run(Sink(Log()), Pace(4, now=clock.now, sleep=clock.sleep))
    events = [time for topic, time in times if topic == "s.events"]
    assert events == pytest.approx([100 + i / 4 for i in range(20)])
    assert max(clock.naps) <= 0.1
    if not apart:
        assert [time for topic, time in times if topic == "s.labels"] == events


def test_rows_that_are_skipped_take_no_time():
    clock = Winding()
    source = jsonl("a.jsonl", [{"event_id": str(i), "time": i, "label": "ham"} for i in range(20)])
    sink = Sink()
    production(source, skip=15).run(sink, Pace(1, now=clock.now, sleep=clock.sleep))
    assert len(sink.of("s.events")) == 5
    assert clock.time == pytest.approx(104)


def test_what_comes_late_is_made_up_for():
    clock = Winding()
    pace = Pace(10, now=clock.now, sleep=clock.sleep)
    pace.wait()
    clock.time += 0.55
    for _ in range(5):
        pace.wait()
    assert clock.time == pytest.approx(100.55)
    pace.wait()
    assert clock.time == pytest.approx(100.6)


def test_a_stop_comes_between_rows_and_releases_no_label_that_is_not_due():
    source = jsonl("a.jsonl", [{"event_id": str(i), "time": i, "label": "ham"} for i in range(20)])
    asked: list[int] = []
    sink, counts = sent(source, label_delay="3", stop=lambda: asked.append(1) or len(asked) > 7)
    assert counts == Counts(events=5, labels=2)
    assert len(sink.records) == 7


def test_a_stop_is_heard_while_waiting():
    clock = Winding()
    pace = Pace(0.001, lambda: clock.time > 101, clock.now, clock.sleep)
    pace.wait()
    pace.wait()
    assert clock.time == pytest.approx(101, abs=0.11)


# ------------------------------------------------------------------------------------------- refusals


ROW = {"event_id": "a", "time": 1, "body": "x", "label": "ham"}


@pytest.mark.parametrize(
    ("rows", "mapping", "more", "said"),
    [
        ([ROW], ["time=when"], {}, "--map time = 'when': must be a column of the input; it has event_id"),
        ([ROW], ["colour=x"], {}, "--map = 'colour': must be one of event_id"),
        ([{"event_id": "a"}], [], {}, "--map label = 'label': must be a column of the input .*--no-labels"),
        ([{"label": "ham"}], [], {"label_delay": "5s"}, "--label-delay = 5.0: must be a number of events"),
        ([ROW], [], {"label_delay": "300d"}, "no more than labels.ttl"),
        ([ROW], [], {"labels": "l.jsonl", "no_labels": True}, "--no-labels = True: must be left out with --labels"),
        ([{"time": 1}], [], {"labels": "l.jsonl"}, "--map event_id = 'event_id'"),
        ([{"event_id": 1}], [], {"labels": "l.jsonl"}, "--map time = 'time'"),
        (
            [{"event_id": 1, "time": 1}],
            [],
            {"labels": "l.jsonl"},
            "has no column 'label', which a file of labels needs",
        ),
        ([b"oops"], [], {}, "none of its first 1 rows can be read"),
        ([ROW], [], {"where": {"body": "y"}}, "has no rows that --where keeps"),
        ([], [], {}, "has no rows"),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is(rows, mapping, more, said):
    jsonl("l.jsonl", [{"event_id": 1, "time": 1}])
    with pytest.raises((SettingError, SourceError), match=said):
        production(jsonl("a.jsonl", rows), None, mapping, **more)


@pytest.mark.parametrize(
    ("columns", "labels", "said"),
    [
        ({"card": "x"}, {}, "l.jsonl: has no column 'card', which a file of labels needs; it has event_id"),
        ({}, {"card": "x"}, r"--map card = 'card': must be a column of the input \(it has event_id.*it is fields.key"),
    ],
)
def test_records_that_have_no_key_are_refused_before_anything_is_sent(columns, labels, said):
    row = {"event_id": 1, "time": 1, "label": "ham"}
    source, others = jsonl("a.jsonl", [row | columns]), jsonl("l.jsonl", [row | labels])
    with pytest.raises((SettingError, SourceError), match=said):
        production(source, KEYED, labels=str(others))


def shout(raw):
    """A decoder: the records of this format are NAME:BODY."""
    name, _, body = raw.partition(b":")
    fields = {"event_id": name.decode(), "body": body.decode()}
    return fields if name != b"L" else {**fields, "label": "ham"}


@pytest.fixture
def own_format(monkeypatch):
    for place in ("plans", "production"):
        monkeypatch.setattr(f"consumers.{place}.find", lambda *_: shout)


@pytest.mark.usefixtures("own_format")
def test_records_in_a_format_of_ones_own_are_passed_on_and_never_written():
    stream = {"decoder": "some:where"}
    sink, _ = sent(jsonl("a.jsonl", [b"a:one", b"b:two"]), stream, no_labels=True)
    assert sink.records == [("s.events", b"a", b"a:one"), ("s.events", b"b", b"b:two")]
    with pytest.raises(SourceError, match=r"row 1 has its label in it.*cannot be written anew"):
        sent(jsonl("b.jsonl", [b"a:one", b"L:two"]), stream)


@pytest.mark.usefixtures("own_format")
def test_the_key_is_read_off_records_in_a_format_of_ones_own():
    stream = {"decoder": "some:where", "fields": {"time": "body", "key": "body"}}
    source, labels = jsonl("a.jsonl", [b"a:1", b"b:2"]), jsonl("l.jsonl", [b"L:3"])
    sink, _ = sent(source, stream, labels=str(labels))
    assert sink.records == [("s.events", b"1", b"a:1"), ("s.events", b"2", b"b:2"), ("s.labels", b"3", b"L:3")]


# ------------------------------------------------------------------------------------------- on the broker


@pytest.fixture
def cluster(kafka, stream_name, monkeypatch):
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", kafka)
    text = f'[streams.{stream_name}]\nfeatures.text = ["body"]\npartitions = 2\n'
    Path("s.toml").write_text(text, encoding="utf-8")
    return Kafka(bootstrap=kafka), config.read(
        {"streams": {stream_name: {"features": {"text": ["body"]}, "partitions": 2}}}
    )


def topics(cluster, name):
    ensure(cluster[0], name, cluster[1].streams[name])


@contextmanager
def reader(cluster, topic):
    consumer = KafkaConsumer(**connection(cluster[0], "test"), auto_offset_reset="earliest", enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in (0, 1)]
    consumer.assign(partitions)
    yield consumer, lambda: sum(consumer.end_offsets(partitions).values())
    consumer.close()


def read(cluster, topic):
    with reader(cluster, topic) as (consumer, count):
        return [next(consumer) for _ in range(count())]


def test_a_file_arrives_record_by_record_with_the_sending_moment_as_its_timestamp(rotwatch, cluster, stream_name):
    topics(cluster, stream_name)
    rows = [{"event_id": f"e{i}", "time": 1e9 + i, "body": "x", "label": "ham"} for i in range(300)]
    jsonl("a.jsonl", [*rows, b"{oops"])
    before = time.time()
    code, out, err = rotwatch("produce", "a.jsonl", "--stream", stream_name, "--config", "s.toml", "--label-delay", "2")
    assert (code, err) == (0, "")
    assert "300 events, 300 labels, 1 unreadable rows sent" in out
    events, labels = (read(cluster, f"{stream_name}.{kind}") for kind in ("events", "labels"))
    poison = [record for record in events if record.key is None]
    assert [record.value for record in poison] == [b"{oops"]
    found = {record.key: json.loads(record.value) for record in events if record.key}
    assert found == {row["event_id"].encode(): {k: row[k] for k in ("event_id", "time", "body")} for row in rows}
    places = {record.key: record.partition for record in events}
    assert set(places.values()) == {0, 1}
    assert len(labels) == 300
    for record in labels:
        assert record.partition == places[record.key]
    for partition in (0, 1):
        numbers = [int(r.key[1:]) for r in events if r.partition == partition and r.key]
        assert numbers == sorted(numbers)
    assert all(before - 1 <= record.timestamp / 1000 <= time.time() + 1 for record in [*events, *labels])


def test_the_simulated_transactions_arrive_by_customer_and_their_labels_in_the_order_of_their_own_times(
    rotwatch, kafka, stream_name, monkeypatch
):
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", kafka)
    names = "".join(f'topics.{kind} = "{stream_name}.{kind}"\n' for kind in config.KINDS)
    own = 'fields.key = "customer_id"\nfeatures.partial_entities = true\npartitions = 2\n'
    Path("s.toml").write_text(f"[streams.fraud]\n{own}{names}", encoding="utf-8")
    assert rotwatch("topics", "--stream", "fraud", "--config", "s.toml")[0] == 0
    words = ["--stream", "fraud", "--config", "s.toml", "--limit", "6000"]
    code, out, err = rotwatch("produce", "simulator:fraud", *words)
    assert (code, err) == (0, "")
    cluster = (Kafka(bootstrap=kafka), None)
    events, labels = (read(cluster, f"{stream_name}.{kind}") for kind in ("events", "labels"))
    assert f"6,000 events, {len(labels)} labels, 0 unreadable rows sent" in out
    assert len(labels) > 100
    sent = {row["event_id"]: (record, row) for record in events for row in [json.loads(record.value)]}
    assert len(sent) == 6_000
    assert {name for _, row in sent.values() for name in row} == {
        "event_id", "time", "customer_id", "terminal_id", "amount",
    }  # fmt: skip
    places = {row["customer_id"]: record.partition for record, row in sent.values()}
    assert all(record.partition == places[row["customer_id"]] for record, row in sent.values())
    assert set(places.values()) == {0, 1}
    for record in labels:
        event, row = sent[json.loads(record.value)["event_id"]]
        assert (record.key, record.partition) == (row["customer_id"].encode(), event.partition)
        assert json.loads(record.value)["time"] - row["time"] > 86_400  # nobody inspects sooner
    for partition in (0, 1):
        times = [json.loads(record.value)["time"] for record in labels if record.partition == partition]
        assert times == sorted(times)


def test_a_topic_that_is_not_there_is_said_with_what_makes_it(rotwatch, cluster, stream_name):  # noqa: ARG001 - the file
    jsonl("a.jsonl", [ROW])
    code, out, err = rotwatch("produce", "a.jsonl", "--stream", stream_name, "--config", "s.toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"`rotwatch topics --stream {stream_name}` makes" in err


@pytest.fixture
def collected():
    """kafka-python leaves the sockets of attempts that failed to the garbage collector, which complains of them."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.usefixtures("collected")
def test_a_broker_that_is_not_there_is_said_in_one_line(rotwatch, monkeypatch):
    monkeypatch.setattr("consumers.kafka.topics.BOOTSTRAP_MS", 500)
    monkeypatch.setenv("ROTWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    jsonl("a.jsonl", [ROW])
    code, out, err = rotwatch("produce", "a.jsonl", "--stream", "spam")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "kafka.bootstrap = '127.0.0.1:1': no broker answers there" in err


def test_an_interrupted_produce_has_sent_what_it_says(cluster, stream_name):
    topics(cluster, stream_name)
    jsonl("a.jsonl", [{**ROW, "event_id": f"e{i}"} for i in range(5_000)])
    words = ["produce", "a.jsonl", "--stream", stream_name, "--config", "s.toml", "--rate", "100"]
    with subprocess.Popen(
        [sys.executable, "-m", "consumers.cli", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        with reader(cluster, f"{stream_name}.events") as (_, count):
            while not count():
                assert time.monotonic() < deadline
                time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    there, labels = (len(read(cluster, f"{stream_name}.{kind}")) for kind in ("events", "labels"))
    assert 0 < there < 5_000
    assert labels in (there, there - 1)  # it may have been stopped between the two
    assert f"{there} events, {labels} labels, 0 unreadable rows sent" in out


def test_a_record_that_cannot_be_delivered_ends_it_with_the_topic(rotwatch, cluster, stream_name):
    topics(cluster, stream_name)
    jsonl("a.jsonl", [{**ROW, "body": "x" * 2_000_000}])
    code, _, err = rotwatch("produce", "a.jsonl", "--stream", stream_name, "--config", "s.toml")
    assert code == 2
    assert f"topic {stream_name}.events: a record is larger than it takes" in err
    assert TransportError.__name__ not in err
