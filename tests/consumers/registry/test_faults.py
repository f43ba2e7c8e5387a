"""What can go wrong with a registry: one clear error that says what to do, nothing lost, the champion as it was."""

import shutil
import sqlite3
import threading
import time
from pathlib import Path

import mlflow
import pytest

from consumers.registry import database
from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from stream.errors import Refused, RegistryError
from tests.broker.disk import SmallDisk
from tests.broker.errors import BrokerError
from tests.consumers.registry.shelf import STREAM, Shelf


def files(registry):
    """The version's folder of files, of the only one that there is."""
    [folder] = (registry.place.database.parent / "artifacts" / "shop").iterdir()
    return folder / "artifacts"


# ------------------------------------------------------------------------------------------- the database


@pytest.mark.parametrize("verb", ["versions", "in_use", "drop"])
def test_a_registry_that_is_not_there_is_said_and_not_made(bare, verb):
    registry = bare.open()
    with pytest.raises(RegistryError, match="there is none: rotwatch train makes it") as refused:
        getattr(registry, verb)("shop")
    assert bare.uri in str(refused.value)
    assert list(bare.folder.iterdir()) == []


def test_a_registry_that_goes_away_is_said_and_used_again_when_it_is_back(shelf):
    registry = shelf.filled(1, champion=1)
    away = shelf.folder / "away"
    shelf.database.rename(away)
    for _ in range(2):
        with pytest.raises(RegistryError, match="there is none"):
            registry.in_use("shop")
    with pytest.raises(RegistryError, match="there is none"):
        registry.artifact(registry.version("shop", 1))
    assert not shelf.database.exists()
    away.rename(shelf.database)
    assert registry.in_use("shop").champion.number == 1


def test_another_registry_in_its_place_is_noticed(shelf, empty):
    registry = shelf.filled(1, champion=1)
    assert registry.in_use("shop").champion.number == 1
    shelf.database.rename(shelf.folder / "away")
    shutil.copyfile(empty, shelf.database)
    assert registry.in_use("shop").champion is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"this is no database at all" * 100, "file is not a database; put the registry's file back"),
        (b"", "is not a database of MLflow's"),
        (None, "there is none: rotwatch train makes it; if there was one"),
    ],
    ids=["garbage", "empty", "a folder"],
)
def test_what_is_no_registry_is_said_at_once_and_left_as_it_is(bare, content, why):
    if content is None:
        bare.database.mkdir()
    else:
        bare.database.write_bytes(content)
    began = time.monotonic()
    with pytest.raises(RegistryError) as refused:
        bare.open().in_use("shop")
    assert why in str(refused.value)
    assert str(refused.value).count(bare.uri) == 1
    with pytest.raises(RegistryError, match="registry"):
        bare.open().add("shop", bare.made.artifact, bare.made.card)
    assert time.monotonic() - began < 5
    assert bare.database.is_dir() if content is None else bare.database.read_bytes() == content


@pytest.fixture
def impatient(monkeypatch):
    """Waits for a locked database are short: MLflow's own is 20 s."""
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    connect = sqlite3.connect

    class Hasty(sqlite3.Cursor):
        def execute(self, statement, *words):
            return super().execute(statement.replace("busy_timeout = 20000", "busy_timeout = 200"), *words)

    class Connection(sqlite3.Connection):
        def cursor(self, *_):
            return super().cursor(Hasty)

    monkeypatch.setattr(sqlite3.dbapi2, "connect", lambda *a, **k: connect(*a, **{**k, "factory": Connection}))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_locked_database_is_said_and_nothing_is_changed_by_half(shelf, how):
    registry = shelf.filled(2, champion=1)
    holder = sqlite3.connect(shelf.database, isolation_level=None)
    holder.execute(f"BEGIN {how}")
    verbs = [
        lambda: registry.promote("shop", 2, 1),
        lambda: registry.challenge("shop", 2),
        lambda: registry.add("shop", shelf.made.artifact, shelf.made.card),
    ]
    if how == "EXCLUSIVE":
        verbs += [lambda: registry.in_use("shop"), lambda: registry.versions("shop")]
    else:
        assert registry.in_use("shop").champion.number == 1  # who writes keeps nobody from reading
    for verb in verbs:
        with pytest.raises(RegistryError, match="database is locked.*; another program holds it: try again") as refused:
            verb()
        assert shelf.uri in str(refused.value)
        assert "\n" not in str(refused.value)
    holder.execute("ROLLBACK")
    holder.close()
    assert registry.in_use("shop").champion.number == 1
    assert registry.in_use("shop").challenger is None
    assert [one.number for one in registry.versions("shop")] == [1, 2]
    assert registry.promote("shop", 2, 1).number == 2


def test_a_writer_that_was_killed_in_the_midst_of_a_transaction_leaves_the_champion_that_was(shelf):
    registry = shelf.filled(2, champion=1)
    writer = sqlite3.connect(shelf.database, isolation_level=None)
    writer.execute("PRAGMA cache_size = 5")  # so that half of it is in the file before it is committed
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE registered_model_aliases SET version = 2")
    for number in range(2_000):
        writer.execute(
            "INSERT INTO tags (key, value, run_uuid) SELECT ?, ?, run_uuid FROM runs LIMIT 1", (number, "x" * 500)
        )
    after = shelf.folder / "after"
    after.mkdir()
    for name in ("registry.sqlite", "registry.sqlite-journal"):
        shutil.copyfile(shelf.folder / name, after / name)
    writer.close()
    assert (after / "registry.sqlite").read_bytes() != shelf.database.read_bytes()
    left = Registry(Settings(f"sqlite:///{after}/registry.sqlite"))
    assert left.in_use("shop").champion == registry.in_use("shop").champion
    assert left.promote("shop", 2, 1).number == 2


def test_a_database_of_another_version_of_mlflow_is_refused(shelf):
    registry = shelf.filled(1, champion=1)
    with sqlite3.connect(shelf.database) as db:
        db.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    db.close()
    copied = shelf.folder / "copy.sqlite"
    shutil.copyfile(shelf.database, copied)
    with pytest.raises(RegistryError, match="out-of-date database schema.*must have one version of MLflow"):
        Registry(Settings(f"sqlite:///{copied}")).in_use("shop")
    assert registry.in_use("shop").champion.number == 1  # whoever has it open goes on


def test_a_writer_waits_for_its_turn_and_says_so_if_it_does_not_come(shelf):
    registry = shelf.filled(1)
    waited, done = [], threading.Event()

    def write():
        registry.promote("shop", 1, None)
        waited.append(True)
        done.set()

    with database.alone(shelf.database):
        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.5)
        with (
            pytest.raises(RegistryError, match="another process has been writing to it for 0.1 s; nothing was changed"),
            database.alone(shelf.database, 0.1),
        ):
            pass
    thread.join(10)
    assert waited == [True]


# ------------------------------------------------------------------------------------------- the files


@pytest.mark.parametrize("name", ["baseline.skops", "card.json"])
def test_a_damaged_file_is_refused_by_whoever_loads_or_promotes_it(shelf, name):
    registry = shelf.filled(1)
    path = files(registry) / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    version = registry.version("shop", 1)
    why = rf"registry {shelf.uri}: {name} of shop version 1 \(baseline-\w+\) is not what was registered \(sha256\)"
    with pytest.raises(Refused, match=why):
        registry.load(version, STREAM)
    if name == "baseline.skops":
        for verb in (lambda: registry.promote("shop", 1, None), lambda: registry.challenge("shop", 1)):
            with pytest.raises(Refused, match=why):
                verb()
        assert registry.in_use("shop").champion is None
    path.write_bytes(whole)
    assert registry.load(version, STREAM).baseline.version == version.version


def test_a_missing_file_is_refused_with_what_to_do(shelf):
    registry = shelf.filled(1)
    version = registry.version("shop", 1)
    (files(registry) / "baseline.skops").unlink()
    with pytest.raises(Refused, match="baseline.skops of shop version 1 .* cannot be fetched: .*put the files back"):
        registry.artifact(version)
    shutil.rmtree(files(registry).parent)
    with pytest.raises(Refused, match="put the files back"):
        registry.load(version, STREAM)


def test_files_that_do_not_arrive_whole_become_no_version(shelf, monkeypatch):
    log = mlflow.MlflowClient.log_artifacts

    def short(self, run, folder):
        path = Path(folder) / "baseline.skops"
        path.write_bytes(path.read_bytes()[:100])
        log(self, run, folder)

    registry = shelf.filled(1, champion=1)
    monkeypatch.setattr(mlflow.MlflowClient, "log_artifacts", short)
    with pytest.raises(RegistryError, match="baseline.skops did not arrive whole"):
        registry.add("shop", shelf.made.artifact, shelf.made.card)
    assert [one.number for one in registry.versions("shop")] == [1]
    client = registry._client()
    [experiment] = [one for one in client.search_experiments() if one.name == "rotwatch.shop"]
    assert {run.info.status for run in client.search_runs([experiment.experiment_id])} == {"FINISHED", "FAILED"}


# ------------------------------------------------------------------------------------------- a full disk


def test_a_full_disk_is_said_and_the_champion_stays(tmp_path, made, empty):
    try:
        disk = SmallDisk(tmp_path / "disk")
    except BrokerError as error:
        pytest.skip(str(error))
    with disk:
        shelf = Shelf(tmp_path / "disk", made, empty)
        registry = shelf.filled(1, champion=1)
        disk.fill(0)
        for verb in (
            lambda: registry.add("shop", made.artifact, made.card),
            lambda: registry.add("new", made.artifact, made.card),
        ):
            with pytest.raises(
                RegistryError, match="there is no new version: database or disk is full; make room there"
            ) as refused:
                verb()
            assert made.card.version in str(refused.value)
        assert registry.in_use("shop").champion.number == 1
        assert [one.number for one in registry.versions("shop")] == [1]
        assert registry.load(registry.in_use("shop").champion, STREAM).baseline.version == made.card.version
        disk.free()
        assert registry.add("shop", made.artifact, made.card).number == 2
        assert registry.promote("shop", 2, 1).number == 2


def test_a_full_disk_at_the_very_first_leaves_no_half_registry(tmp_path, made):
    try:
        disk = SmallDisk(tmp_path / "disk")
    except BrokerError as error:
        pytest.skip(str(error))
    with disk:
        shelf = Shelf(tmp_path / "disk", made, None)
        registry = shelf.open()
        disk.fill(0)
        with pytest.raises(RegistryError, match="cannot be made: .*; make room there"):
            registry.add("shop", made.artifact, made.card)
        assert not shelf.database.exists()
        disk.free()
        assert registry.add("shop", made.artifact, made.card).number == 1


def test_where_no_file_may_grow_the_error_says_so_and_the_champion_stays(shelf, others):
    registry = shelf.filled(1, champion=1)
    [(status, error)] = others.run({"uri": shelf.uri, "verb": "add", "words": ["shop"], "largest": 2000})
    assert status == 2
    assert error.startswith("RegistryError: ")
    assert "there is no new version: " in error
    assert "and do it again" in error
    assert registry.in_use("shop").champion.number == 1
    assert [one.number for one in registry.versions("shop")] == [1]
    assert registry.add("shop", shelf.made.artifact, shelf.made.card).number == 2


# ------------------------------------------------------------------------------------------- a server


def test_a_server_that_is_away_is_said_within_seconds():
    registry = Registry(Settings("http://127.0.0.1:9"))
    began = time.monotonic()
    with pytest.raises(RegistryError) as refused:
        registry.in_use("shop")
    assert str(refused.value) == (
        "registry http://127.0.0.1:9: champion and challenger of shop cannot be looked up: no answer; see that the "
        "server runs at that address"
    )
    assert time.monotonic() - began < 20
