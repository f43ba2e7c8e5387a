"""``rotwatch state`` on a real broker: looked at, verified, taken out and begun anew."""

import json
import pickle
from collections import Counter
from typing import Any

import pytest
import skops.io
import structlog
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata
from msgspec.structs import replace

from consumers import rebuilding, seal, service, upkeep
from consumers.kafka.placement import group_id
from consumers.kafka.reader import Reader
from consumers.kafka.roles import MONITOR, SCORER
from stream import baseline
from stream.config import topic
from stream.errors import SettingError, StateError
from stream.scoring import ScoringTask
from stream.warmup import warm_up
from tests.consumers.kafka.shelf import Bomb
from tests.consumers.kafka.world import World, no_question


@pytest.fixture
def world(kafka, stream_name, tmp_path):
    return World(kafka, stream_name, tmp_path)


def test_a_verified_journal_gives_the_kept_state_again_and_a_task_that_learns_otherwise_does_not(world, capsys):
    world.send(50)
    world.work(predictions=50, labelled=50)
    world.send(50)
    world.work(predictions=100, labelled=100)
    with world.open() as opened:
        assert upkeep.verify(opened)
        assert "scorer 0: OK: batches" in capsys.readouterr().out
        [placed] = opened.placements
        make = upkeep.maker(opened)

        class Forgetful(ScoringTask):
            def feed(self, batch):
                return super().feed(batch[:-1])

        def make_forgetful():
            made = make()
            made.__class__ = Forgetful
            return made

        found = opened.verify(placed, make_forgetful)
        assert found.fed != found.kept
        assert (found.same_code, found.first < found.last) == (True, True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(upkeep, "maker", lambda _: make_forgetful)
            assert not upkeep.verify(opened)
        assert "scorer 0: DIFFERS: " in capsys.readouterr().out
    with world.open(MONITOR) as opened:
        assert upkeep.verify(opened)
        assert "nothing to verify yet" in capsys.readouterr().out


def test_a_task_is_looked_at_and_verified_while_a_worker_has_it(world, capsys):
    world.send(100)
    world.work(predictions=100, labelled=100)
    looked = []

    def look() -> bool:
        with world.open() as opened:
            looked.append((upkeep.inspect(opened), upkeep.verify(opened)))
            with pytest.raises(StateError, match=rf"group rotwatch.{world.name}.scorer has 1 members: stop all"):
                upkeep.reset(opened, "earliest", no_question)
            with pytest.raises(StateError, match="members"):
                rebuilding.rebuild(opened, "committed", None, no_question)
        return True

    def stop() -> bool:
        return world.members() == 1 and look()

    service.serve(service.Service(world.settings, world.name, world.stream, SCORER, None, None), stop)
    assert looked == [(True, True)]
    assert "last batch" in capsys.readouterr().out


def test_of_a_stream_that_never_ran_it_is_said_that_it_will_begin_anew(world, capsys, tmp_path):
    with world.open() as opened:
        assert upkeep.inspect(opened)
        assert "scorer 0: no state; it will begin anew" in capsys.readouterr().out
        with pytest.raises(StateError, match="no checkpoint can be used: there is none yet"):
            upkeep.export(opened, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def test_topics_that_are_missing_or_of_another_number_of_partitions_are_named_before_anything_is_done(world):
    world.stream = replace(world.stream, partitions=2)
    with pytest.raises(SettingError, match=rf"{world.name}.events: has 1 partitions, must have 2"), world.open():
        pass
    world.name = "never-made"
    with pytest.raises(SettingError, match=r"never-made.state: is not there: `rotwatch topics"), world.open():
        pass


def test_without_a_key_file_nothing_is_looked_at(world):
    world.settings = replace(world.settings, worker=replace(world.settings.worker, checkpoint_key_file=""))
    with pytest.raises(SettingError, match="checkpoint_key_file = ''.*the workers seal with"), world.open():
        pass


# ------------------------------------------------------------------------------------------- taking out


def test_what_is_taken_out_is_whole_and_can_be_used(world, tmp_path):
    rows = [({"n": n / 100}, str(int(n > 0))) for n in range(-100, 100)]
    world.send(200)
    world.work(predictions=200, labelled=200, begin=lambda: warm_up("s", world.stream, rows).models)
    with world.open() as opened:
        [folder] = upkeep.export(opened, tmp_path / "deep" / "out", 0)
        _, task = opened.newest(opened.placements[0], upkeep.maker(opened))
        with pytest.raises(SettingError, match="a folder that is not there yet"):
            upkeep.export(opened, tmp_path / "deep" / "out", None)
        with pytest.raises(SettingError, match="--partition = 1: must be below 1"):
            upkeep.export(opened, tmp_path / "other", 1)
    assert folder == tmp_path / "deep" / "out" / "0"
    assert sorted(path.name for path in folder.iterdir()) == ["baseline.skops", "online.pickle", "totals.json"]
    said = json.loads((folder / "totals.json").read_text())
    assert said["digest"] == task.digest()
    assert said["totals"]["inputs"]["predicted"] == 200
    assert said["positions"] == {f"{world.name}.events-0": 200, f"{world.name}.labels-0": 200}
    model = pickle.loads((folder / "online.pickle").read_bytes())  # noqa: S301 - our own
    assert model.score({"n": 0.9}) > 0.5 > model.score({"n": -0.9})
    frozen = skops.io.load(folder / "baseline.skops", trusted=baseline.TRUSTED)
    assert baseline.version(frozen) == said["versions"]["baseline"]


def test_what_cannot_be_taken_out_whole_leaves_nothing(world, tmp_path, monkeypatch):
    world.send(20)
    world.work(predictions=20, labelled=20)
    monkeypatch.setattr(pickle, "dumps", lambda *_, **__: 1 / 0)
    with world.open() as opened, pytest.raises(ZeroDivisionError):
        upkeep.export(opened, tmp_path / "deep" / "out", None)
    assert list((tmp_path / "deep").iterdir()) == []


# ------------------------------------------------------------------------------------------- beginning anew


def test_a_reset_forgets_all_and_the_next_start_begins_where_it_was_told(world):
    world.send(30)
    world.work(predictions=30, labelled=30)
    asked = []
    with world.open() as opened:
        upkeep.reset(opened, "earliest", asked.append)
        assert f"{world.name}.events-0 from 30 to 0" in asked[0]
        assert "are lost" in asked[0]
        assert opened.inspect(opened.placements[0]).anew
        assert opened._living_keys(opened.placements[0]) == []
    world.work(predictions=60, labelled=60)
    assert Counter(p.event_id for p in world.predictions()) == dict.fromkeys((f"e{i}" for i in range(30)), 2)
    with world.open() as opened:
        upkeep.reset(opened, "committed", no_question)
        [report] = [opened.inspect(placed) for placed in opened.placements]
        assert (report.anew, [side.position for side in report.inputs]) == (True, [30, 30])
    world.send(5)
    with world.open() as opened:
        upkeep.reset(opened, "latest", no_question)
    world.send(5)
    world.work(predictions=65, labelled=65)
    assert [p.event_id for p in world.predictions()][60:] == [f"e{i}" for i in range(35, 40)]
    with world.open() as opened:
        assert opened.newest(opened.placements[0], upkeep.maker(opened))[1].totals().inputs.predicted == 5


def test_a_question_that_is_answered_with_no_changes_nothing(world):
    world.send(10)
    world.work(predictions=10, labelled=10)

    def no(_what: str) -> None:
        raise KeyboardInterrupt

    with world.open() as opened:
        before = opened.inspect(opened.placements[0])
        for act in (
            lambda: upkeep.reset(opened, "earliest", no),
            lambda: rebuilding.rebuild(opened, "committed", None, no),
        ):
            with pytest.raises(KeyboardInterrupt):
                act()
        assert opened.inspect(opened.placements[0]) == before


def test_a_monitor_begins_anew_beside_its_scorer_whose_state_stays(world):
    world.send(30)
    world.work(predictions=30, labelled=30)
    world.work(predictions=0, role=MONITOR)
    with world.open() as opened:
        before = opened.inspect(opened.placements[0])
    with world.open(MONITOR) as opened:
        assert opened.inspect(opened.placements[0]).number > 0
        upkeep.reset(opened, "earliest", no_question)
        assert opened.inspect(opened.placements[0]).anew
    with world.open() as opened:
        assert opened.inspect(opened.placements[0]) == before


# ------------------------------------------------------------------------------------------- the group's offsets


def test_a_task_whose_groups_offsets_have_expired_goes_on_by_the_state_topic(world):
    world.send(50)
    world.work(predictions=50, labelled=50)
    with world.open() as opened:
        before = opened.inspect(opened.placements[0])
    own = [TopicPartition(topic(world.name, world.stream, kind), 0) for kind in ("events", "labels")]
    with world.admin() as admin:
        admin.delete_group_offsets(group_id(SCORER, world.name), own)
    with world.open() as opened:
        with structlog.testing.capture_logs() as logs:
            assert opened.inspect(opened.placements[0]) == before
        assert "the group's offsets are gone; going on by the state topic" in [line["event"] for line in logs]
    world.send(20)
    world.work(predictions=70, labelled=70)
    assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{i}" for i in range(70))


def test_an_offset_that_somebody_else_has_committed_is_refused_until_the_state_is_reset(world, capsys):
    world.send(20)
    world.work(predictions=20, labelled=20)
    own = TopicPartition(topic(world.name, world.stream, "events"), 0)
    with world.admin() as admin:
        admin.alter_group_offsets(group_id(SCORER, world.name), {own: OffsetAndMetadata(3, "", -1)})
    with world.open() as opened:
        assert not upkeep.inspect(opened)
        said = " ".join(capsys.readouterr().out.split())
        assert "not committed by rotwatch" in said
        assert "rotwatch state reset" in said
        asked: list[str] = []
        upkeep.reset(opened, "committed", asked.append)
        assert f"forgets a state that cannot be used and goes {own.topic}-0 to 3," in asked[0]
        assert opened.inspect(opened.placements[0]).inputs[0].position == 3


def test_a_topic_that_was_made_anew_is_not_gone_on_with_at_an_offset_that_it_does_not_have(world):
    world.send(20)
    world.work(predictions=20, labelled=20)
    own = topic(world.name, world.stream, "labels")
    placed_offsets = {TopicPartition(own, 0): OffsetAndMetadata(500, "", -1)}
    with world.admin() as admin:
        admin.alter_group_offsets(group_id(SCORER, world.name), placed_offsets)
    with world.open() as opened:
        with pytest.raises(StateError, match=rf"{own}-0 ends with offset 20, and 500 was committed.*--from earliest"):
            rebuilding.rebuild(opened, "committed", None, no_question)
        rebuilding.rebuild(opened, "earliest", None, no_question)
        assert [side.position for side in opened.inspect(opened.placements[0]).inputs] == [0, 0]


# ------------------------------------------------------------------------------------------- damage


class Damaging(Reader):
    """A reader to which the records of the newest generation look as ``damage`` makes them."""

    damage: Any = None

    def read(self, ranges):
        for tp, records in super().read(ranges):
            made = [type(self).damage(r) if tp.topic.endswith(".state") else r for r in records]
            yield tp, [record for record in made if record is not None]


@pytest.mark.parametrize("what", ["flipped", "cut", "gone", "a bomb", "the older one"])
def test_a_worker_goes_on_from_the_older_generation_where_the_newest_is_damaged(world, tmp_path, monkeypatch, what):
    for upto in (40, 60):
        world.send(upto - world.sent)
        world.work(predictions=upto, labelled=upto)
    state = world.written("state")
    *_, older, newest = [r for r in state if r.key.startswith(b"scorer/manifest/")]
    first = next(r for r in state if r.key == newest.key)
    assert first.offset < older.offset < newest.offset
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    changed = {
        "flipped": newest._replace(value=newest.value[:-1] + bytes([newest.value[-1] ^ 1])),
        "cut": newest._replace(value=newest.value[:40]),
        "gone": None,
        "a bomb": newest._replace(value=seal.seal(b"o" * 32, f"{world.name}/scorer/0/manifest", bomb)),
        "the older one": newest._replace(value=first.value),
    }
    Damaging.damage = lambda r: changed[what] if r.offset == newest.offset else r
    world.send(20)
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logs:
        patch.setattr("consumers.kafka.transport.Reader", Damaging)
        world.work(predictions=80, labelled=80)
    assert "checkpoint refused" in [line["event"] for line in logs]
    assert sorted(p.event_id for p in world.predictions()) == sorted(f"e{i}" for i in range(80))
    with world.open() as opened:
        assert upkeep.inspect(opened)
        totals = opened.newest(opened.placements[0], upkeep.maker(opened))[1].totals()
    assert (totals.inputs.predicted, totals.labels.joined, totals.unbalanced()) == (80, 80, None)
    assert not (tmp_path / "boom").exists()


def test_a_worker_without_a_key_does_not_start_and_says_how_to_make_one(world):
    world.settings = replace(world.settings, worker=replace(world.settings.worker, checkpoint_key_file=""))
    with pytest.raises(SettingError, match="checkpoint_key_file.*openssl rand -hex 32 makes one"):
        world.work(predictions=1)


def test_after_the_key_was_changed_the_old_one_opens_until_every_checkpoint_is_sealed_with_the_new(world, tmp_path):
    world.send(20)
    world.work(predictions=20, labelled=20)
    old = (tmp_path / "key").read_text()
    seal.make_key(tmp_path / "new")
    (tmp_path / "key").write_text((tmp_path / "new").read_text() + old)
    for upto in (40, 60):
        world.send(20)
        world.work(predictions=upto, labelled=upto)
    (tmp_path / "key").write_text((tmp_path / "new").read_text())
    with world.open() as opened:
        assert upkeep.inspect(opened)
    (tmp_path / "key").write_text(old)
    with world.open() as opened:
        assert not upkeep.inspect(opened)


# ------------------------------------------------------------------------------------------- by the command line


def test_the_commands_do_what_their_words_say(world, rotwatch, tmp_path, monkeypatch):
    kafka = world.settings.kafka
    (tmp_path / "conf.toml").write_text(
        f"""
        kafka.bootstrap = "{kafka.bootstrap}"
        kafka.session_timeout = "2s"
        kafka.transaction_timeout = "10s"
        worker.checkpoint_key_file = "{tmp_path / "key"}"
        [streams.{world.name}]
        features.numeric = ["n"]
        classes = ["0", "1"]
        warm_up = 50
        """
    )
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"x": n / 25 - 1, "label": str(int(n > 25))}) + "\n" for n in range(60))
    )
    monkeypatch.setenv("ROTWATCH_CONFIG", str(tmp_path / "conf.toml"))
    world.send(20)
    world.work(predictions=20, labelled=20)
    name = ("--stream", world.name)
    code, out, _ = rotwatch("state", "inspect", *name)
    assert (code, "scorer 0: last batch" in out, "monitor all: no state" in out) == (0, True, True)
    code, out, _ = rotwatch("state", "verify", *name, "--role", "scorer")
    assert (code, "scorer 0: OK" in out) == (0, True)
    code, out, _ = rotwatch("state", "export", *name, "--out", str(tmp_path / "out"))
    assert (code, "must trust" in out, (tmp_path / "out" / "0" / "totals.json").exists()) == (0, True, True)
    code, _, err = rotwatch("state", "rebuild", *name, "--map", "n=x")
    assert (code, "--warm-up" in err) == (2, True)
    code, _, err = rotwatch("state", "rebuild", *name)  # nobody is there to say yes
    assert (code, "Events that wait for a label are forgotten" in err) == (1, True)
    words = ("--warm-up", str(tmp_path / "rows.jsonl"), "--map", "n=x", "--yes")
    code, out, err = rotwatch("state", "rebuild", *name, *words)
    assert (code, "learned from 20 records" in out, "baseline: baseline-" in out) == (0, True, True), err
    code, out, _ = rotwatch("state", "inspect", *name, "--role", "scorer")
    assert (code, "last batch 0" in out) == (0, True)
    code, _, err = rotwatch("state", "reset", *name, "--role", "scorer", "--from", "latest")
    assert (code, "forgets its state after batch 0" in err) == (1, True)
    code, out, _ = rotwatch("state", "reset", *name, "--role", "scorer", "--from", "latest", "--yes")
    assert (code, "begins anew" in out) == (0, True)
    (tmp_path / "key").write_text("ab" * 32)
    world.send(5)
    world.work(predictions=25, labelled=25)
    (tmp_path / "key").write_text("cd" * 32)
    code, out, _ = rotwatch("state", "inspect", *name)
    assert (code, "REFUSED" in out) == (1, True)
    code, out, _ = rotwatch("state", "verify", *name)
    assert (code, "refused" in out) == (1, True)
