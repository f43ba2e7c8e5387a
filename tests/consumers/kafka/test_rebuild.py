"""``rotwatch state rebuild`` on a real broker: a scorer's state made anew out of the training log."""

import json
import time
from collections import Counter
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer
from msgspec.structs import replace

from consumers import plans, rebuilding, seal, service, training_rows, upkeep
from consumers.kafka.placement import partition_of
from consumers.kafka.roles import SCORER
from consumers.kafka.training_log import TrainingLog
from consumers.kafka.upkeep import Upkeep
from stream import baseline, config
from stream.errors import SettingError
from stream.records import Labelled
from stream.training.gathering import Span
from stream.warmup import warm_up
from tests.consumers.kafka.world import World, no_question


@pytest.fixture
def world(kafka, stream_name, tmp_path):
    return World(kafka, stream_name, tmp_path)


def test_a_stream_goes_on_with_four_partitions_after_a_rebuild_from_its_training_log(world, capsys):
    world.send(600)
    world.work(predictions=600, labelled=600)
    world.label("e7", "0")
    world.label("e7", "1")  # one of them contradicts what was said
    world.send(40, labels=False)
    world.work(predictions=640, labelled=601)

    world.grow(4)
    with world.open() as opened:
        assert not upkeep.inspect(opened)
        assert "made with 1 partitions, and now there are 4" in (said := capsys.readouterr().out)
        assert "rotwatch state rebuild" in said
        rebuilding.rebuild(opened, "committed", None, no_question)
        said = capsys.readouterr().out
        assert "no baseline: the online model serves alone" in said
        learned = [line for line in said.splitlines() if "learned from" in line]
        assert len(learned) == 4
        assert sum(int(line.split("learned from ")[1].split()[0]) for line in learned) == 600
        assert upkeep.inspect(opened)
        assert f"{world.name}.events-3 0" in said

    world.send(400)
    world.work(predictions=1_040, labelled=1_001)
    predictions = world.predictions()
    assert Counter(p.event_id for p in predictions) == dict.fromkeys((f"e{i}" for i in range(1_040)), 1)
    events = {json.loads(r.value)["event_id"]: json.loads(r.value) for r in world.written("events")}
    later = [p for p in predictions if int(p.event_id[1:]) >= 640]
    labelled = [(r.partition, json.loads(r.value)) for r in world.written("labelled")]
    assert {record.get("partition", 0) for _, record in labelled} == set(range(4))
    assert all(partition == record.get("partition", 0) for partition, record in labelled)
    wrong = sum((events[p.event_id]["n"] > 0) != (p.label == "1") for p in later)
    assert wrong < 40  # four that begin untrained make some 60 errors before they know; each has learned from 150
    with world.open() as opened:
        totals = [opened.newest(placed, upkeep.maker(opened))[1].totals() for placed in opened.placements]
        assert [found.unbalanced() for found in totals] == [None] * 4
        assert sum(found.inputs.predicted for found in totals) == 400
        assert sum(found.labels.joined for found in totals) == 400
        assert upkeep.inspect(opened)
        assert upkeep.verify(opened)


def test_a_state_sealed_with_a_lost_key_is_made_anew_and_without_its_key_so_is_the_baseline(world, tmp_path, capsys):
    rows = [({"n": n / 100}, str(int(n > 0))) for n in range(-100, 100)]
    world.send(300)
    world.work(predictions=300, labelled=300, begin=lambda: warm_up("s", world.stream, rows).models)
    with world.open() as opened:
        version, artifact, made_for = opened.old_baseline()
        assert baseline.load(artifact, "binary", version).version == version
        assert made_for.features == world.stream.features
        rebuilding.rebuild(opened, "committed", None, no_question)
        assert version in capsys.readouterr().out
        assert opened.old_baseline()[:2] == (version, artifact)
    lost = tmp_path / "key"
    lost.rename(tmp_path / "lost")
    seal.make_key(lost)
    with world.open() as opened:
        assert not upkeep.inspect(opened)
        assert "not sealed with our key" in capsys.readouterr().out
        assert opened.old_baseline() is None
        rebuilding.rebuild(opened, "committed", lambda: warm_up("s", world.stream, rows).models, no_question)
        assert version in capsys.readouterr().out
        assert upkeep.inspect(opened)
    world.send(20)
    world.work(predictions=320, labelled=320)
    assert {p.baseline_version for p in world.predictions()} == {version}


def test_a_state_for_other_columns_is_not_taken_up_and_a_rebuild_leaves_its_baseline_out(world, capsys):
    rows = [({"n": n / 100}, str(int(n > 0))) for n in range(-100, 100)]
    world.send(300)
    world.work(predictions=300, labelled=300, begin=lambda: warm_up("s", world.stream, rows).models)
    world.stream = replace(world.stream, features=replace(world.stream.features, numeric=["n", "m"]))
    world.send(20)
    until = time.monotonic() + 6
    made = service.Service(world.settings, world.name, world.stream, SCORER)
    service.serve(made, lambda: time.monotonic() > until)
    assert len(world.predictions()) == 300
    with world.open() as opened:
        assert not upkeep.verify(opened)
        assert "made under other settings: its numbers are n, the stream has m, n; go back" in capsys.readouterr().out
        rebuilding.rebuild(opened, "committed", None, no_question)
    said = capsys.readouterr()
    assert "no baseline: the online model serves alone" in said.out
    world.work(predictions=320, labelled=320)
    assert {p.baseline_version for p in world.predictions()[300:]} == {None}


def test_a_rebuild_that_dies_half_way_can_be_done_again(world, monkeypatch):
    world.grow(2)
    world.send(100)
    world.work(predictions=100, labelled=100)
    begin = Upkeep.begin

    def die_at_the_second(self, placed, offsets, snapshot):
        if placed.task == "1":
            raise KeyboardInterrupt
        begin(self, placed, offsets, snapshot)

    with world.open() as opened:
        before = [opened.inspect(placed).inputs for placed in opened.placements]
        with monkeypatch.context() as patch:
            patch.setattr(Upkeep, "begin", die_at_the_second)
            with pytest.raises(KeyboardInterrupt):
                rebuilding.rebuild(opened, "committed", None, no_question)
        numbers = [opened.inspect(placed).number for placed in opened.placements]
        assert numbers[0] == 0
        assert numbers[1] > 0
        rebuilding.rebuild(opened, "committed", None, no_question)
        after = [opened.inspect(placed) for placed in opened.placements]
        assert [report.number for report in after] == [0, 0]
        assert [report.inputs for report in after] == before
    world.send(50)
    world.work(predictions=150, labelled=150)
    assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{i}" for i in range(150))


def test_more_partitions_without_a_rebuild_stop_every_task_so_that_none_begins_untrained(world):
    world.send(50)
    world.work(predictions=50, labelled=50)
    world.grow(2)
    world.send(50)
    until = time.monotonic() + 6
    made = service.Service(world.settings, world.name, world.stream, SCORER)
    service.serve(made, lambda: time.monotonic() > until)
    assert len(world.predictions()) == 50
    with world.open() as opened:
        assert [len(opened.inspect(placed).generations) for placed in opened.placements] == [0, 0]
        rebuilding.rebuild(opened, "committed", None, no_question)
    world.work(predictions=100, labelled=100)
    assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{i}" for i in range(100))


def test_each_record_is_learned_by_the_task_that_its_key_belongs_to(world, monkeypatch):
    world.send(20)  # which have no key, so that their ids count
    world.work(predictions=20, labelled=20)
    table = {"by": "who", "statistics": ["count"], "horizons": ["1d"]}
    world.stream = config.read(
        {
            "streams": {
                "s": {
                    "classes": ["0", "1"],
                    "fields": {"key": "who"},
                    "features": {"numeric": ["n"], "entities": [table]},
                    "max_ahead": "36500d",
                }
            }
        }
    ).streams["s"]
    world.grow(4)
    row = {"n": 1.0, world.stream.features.derived[0]: 1.0}
    keys = [None] * 20 + ["a", "b", "c", "d"] * 20
    with closing(KafkaProducer(**world.connection)) as producer:
        for number, who in list(enumerate(keys))[20:]:
            record = Labelled(f"e{number}", 1.0, 0, "0", 1.0, {**row, "who": who}, *SCORES)
            producer.send(f"{world.name}.labelled", msgspec.json.encode(record), partition=0)
        producer.flush()
    learned = {}

    def feed(task, records):
        learned.setdefault(id(task), set()).update(logged.record.event_id for logged in records)

    monkeypatch.setattr("stream.relearning.Relearning.feed", feed)
    with world.open() as opened:
        rebuilding.rebuild(opened, "committed", None, no_question)
    wanted = {}
    for number, who in enumerate(keys):
        key = who or f"e{number}"
        wanted.setdefault(partition_of(key.encode(), 4), set()).add(f"e{number}")
    assert sorted(map(sorted, filter(None, learned.values()))) == sorted(map(sorted, wanted.values()))
    assert len(wanted) == 4


def test_a_log_without_the_key_is_refused_where_it_must_tell_whose_task_a_record_is(world):
    world.grow(2)
    world.stream = replace(world.stream, fields=replace(world.stream.fields, key="who"))
    with (
        world.open() as opened,
        pytest.raises(SettingError, match=r"fields.key = 'who': must be a logged feature.* 2 tasks an event belongs"),
    ):
        rebuilding.rebuild(opened, "committed", None, no_question)


# ------------------------------------------------------------------------------------------- the training log


SCORES = (0.5, 0.5, None, "0", "0", None, "online-1", None)


def labelled(event_id: str, label_time: float) -> bytes:
    return msgspec.json.encode(Labelled(event_id, label_time, 0, "0", label_time, {"n": 1.0}, *SCORES))


def test_the_log_of_all_partitions_is_merged_by_the_time_of_the_labels_each_partition_in_its_order(world):
    world.grow(3)
    world.stream = replace(world.stream, max_ahead=10.0)
    times = {0: [1, 4, 2, 9], 1: [3, 1e12, 5], 2: []}
    with closing(KafkaProducer(**world.connection)) as producer:
        for partition, own in times.items():
            for number, at in enumerate(own):
                value = labelled(f"{partition}-{number}", float(at))
                producer.send(f"{world.name}.labelled", value, key=b"k", partition=partition)
        producer.send(f"{world.name}.labelled", b"{", key=b"k", partition=2)
        producer.flush()
    log = TrainingLog(world.connection, world.name, world.stream)
    # What is not believed goes right behind what came before it.
    order = ["0-0", "1-0", "1-1", "0-1", "0-2", "1-2", "0-3"]
    for _ in range(2):
        assert [logged.record.event_id for batch in log for logged in batch] == order
        assert log.unreadable == 1
    assert log.records == 8


def test_a_log_of_nothing_gives_nothing(world):
    assert list(TrainingLog(world.connection, world.name, world.stream)) == []


def test_rows_to_train_on_are_the_same_from_the_topic_as_from_a_file_of_its_records(world, tmp_path):
    world.send(200)
    world.work(predictions=200, labelled=200)
    with closing(KafkaProducer(**world.connection)) as producer:
        producer.send(f"{world.name}.labelled", b"no record at all")
    file = tmp_path / "labelled.jsonl"
    file.write_bytes(b"".join((record.value or b"") + b"\n" for record in world.written("labelled")))
    made = plans.make(world.settings, source=str(file), stream=None)
    span = Span(150, since=10.0)
    filed = training_rows.of_file(world.name, world.stream, made, span)
    read = training_rows.of_topic(world.settings, world.name, world.stream, span)
    assert sum(filed.left_out.values()) == read.left_out["cannot be read"] == 1
    (one, times), (other, as_read) = filed.data(), read.data()
    assert one.frame.equals(other.frame)
    assert one.labels.tolist() == other.labels.tolist()
    assert times.tolist() == as_read.tolist() == [float(n) for n in range(50, 200)]
