"""What is kept of events on Kafka: no topic that rotwatch writes shows what settings keep out of it."""

import json
import re
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer
from msgspec.structs import replace

from consumers import plans, rebuilding, training_rows
from consumers.replay import replay
from stream.config import Features, topic
from stream.records import Prediction
from stream.training.gathering import Span
from tests.consumers.kafka.world import World, no_question


def no_names(text):
    """A redaction hook that takes names out, and breaks on what it does not like."""
    if "broken" in text:
        raise ValueError(text)
    return re.sub("anna|bernd", "[name]", text)


@pytest.fixture
def world(kafka, stream_name, tmp_path):
    made = World(kafka, stream_name, tmp_path)
    (tmp_path / "words").write_text("ab" * 32, "ascii")
    features = Features(
        text=["note"],
        numeric=["n", "age"],
        redact=f"{__name__}:no_names",
        keep="features",
        word_key_file=str(tmp_path / "words"),
        unlogged=["age"],
    )
    made.stream = replace(made.stream, features=features, warm_up=0)
    return made


def rows(world, count):
    for number in range(count):
        n = world.chance.uniform(-1, 1)
        who = "anna" if number % 2 else "bernd"
        note = f"dear {who} please {'pay' if n > 0 else 'wait'} soon"
        time, label = float(number), str(int(n > 0))
        yield {"event_id": f"e{number}", "time": time, "n": n, "age": 4711.25, "note": note, "label": label}


def sent(world, events):
    with closing(KafkaProducer(**world.connection)) as producer:
        for event in events:
            key = event["event_id"].encode()
            label = {name: event[name] for name in ("event_id", "time", "label")}
            fields = {name: value for name, value in event.items() if name != "label"}
            producer.send(topic(world.name, world.stream, "events"), json.dumps(fields).encode(), key=key)
            producer.send(topic(world.name, world.stream, "labels"), json.dumps(label).encode(), key=key)
        producer.flush()


def test_no_topic_shows_a_text_or_an_unlogged_column_and_a_replay_of_the_raw_events_sees_the_same(world, tmp_path):
    events = list(rows(world, 300))
    sent(world, [*events, {**events[0], "event_id": "x", "time": 300.0, "note": "broken anna"}])
    world.work(predictions=300, labelled=300)

    written = {kind: world.written(kind) for kind in ("predictions", "labelled", "alarms", "state", "dead_letters")}
    seen = {kind: b"".join((r.value or b"") for r in records) for kind, records in written.items()}
    for kind in ("predictions", "labelled", "alarms", "state"):
        assert seen[kind] or kind == "alarms"
        assert [word for word in (b"anna", b"bernd", b"dear", b"please", b"pay") if word in seen[kind]] == []
    assert b"4711.25" not in seen["labelled"]
    [dead] = written["dead_letters"]
    assert b"broken anna" in dead.value  # as it came, for whoever is to mend it
    said = dict(dead.headers)
    assert said["__streams.errors.message"] == b"the redaction hook raised ValueError"
    assert said["__streams.errors.exception"] == b"note"

    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    settings = replace(world.settings, streams={"s": world.stream})
    plan = plans.make(settings, source=str(file), stream="s")
    of_file = training_rows.of_file("s", world.stream, plan, Span(1_000)).data()[0]
    of_topic = training_rows.of_topic(world.settings, world.name, world.stream, Span(1_000)).data()[0]
    assert list(of_topic.frame.columns) == ["text", "n"]
    assert of_topic.frame.equals(of_file.frame)
    assert of_topic.labels.tolist() == of_file.labels.tolist()

    plan.out = tmp_path / "out"
    plan.warm_up = 0
    assert replay(plan)
    replayed = msgspec.json.Decoder(Prediction).decode_lines((tmp_path / "out" / "predictions.jsonl").read_bytes())
    assert [p.online for p in replayed] == [p.online for p in world.predictions()]


def test_a_rebuild_learns_hashed_words_again_and_says_what_is_not_in_the_log(world, capsys):
    sent(world, rows(world, 300))
    world.work(predictions=300, labelled=300)
    readable = replace(world.stream, features=replace(world.stream.features, keep="text"))
    gathered = training_rows.of_topic(world.settings, world.name, readable, Span(1_000))
    assert gathered.left_out == {"its texts were logged with another features.keep": 300}
    with world.open() as opened:
        rebuilding.rebuild(opened, "committed", None, no_question)
    said = capsys.readouterr().out
    assert "learned from 300 records, left out 0" in said
    assert "not in the training log: age. The online model knows nothing of them" in said
    more = [{**row, "event_id": f"f{number}", "time": 300.0 + number} for number, row in enumerate(rows(world, 100))]
    sent(world, more)
    world.work(predictions=400, labelled=400)
    answered = {p.event_id: p.label for p in world.predictions()}
    assert sum(answered[row["event_id"]] != row["label"] for row in more) <= 2
