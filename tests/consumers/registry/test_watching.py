"""What a worker hears of the registry: each change within seconds, and of faults only that there are some."""

import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from structlog.testing import capture_logs

from consumers.registry import database, watching
from consumers.registry.registered import Registered
from consumers.registry.registry import CHALLENGER, Registry
from consumers.registry.watching import Watcher
from consumers.runtime import Runtime
from stream.config import Features
from stream.config import Registry as Settings
from stream.errors import RegistryError
from stream.records import Swap
from stream.training.train import Trained
from tests.consumers.registry.shelf import STREAM, Shelf


def watcher(shelf: Shelf, stream=STREAM) -> Watcher:
    return Watcher(Settings(shelf.uri), "shop", stream, Runtime())


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, made: Trained, empty: Path) -> Shelf:
    """Three versions, of which the first is champion."""
    shelf = Shelf(tmp_path_factory.mktemp("filled"), made, empty)
    registry = shelf.open()
    for number in range(3):
        card = msgspec.structs.replace(made.card, version=f"baseline-{number + 1}", threshold=0.25 * (number + 1))
        registry.add("shop", made.artifact, card)
    registry.promote("shop", 1, None)
    return shelf


@pytest.fixture
def registry(shelf: Shelf, filled: Shelf) -> Registry:
    """The same with a database of its own; its files lie where they are."""
    shutil.copyfile(filled.database, shelf.database)
    return shelf.open()


def version_of(swap: Swap | None) -> tuple[str | None, list[str]]:
    assert swap is not None
    return swap.champion and swap.champion.version, [shadow.version for shadow in swap.shadows]


def file_of(filled: Shelf, number: int) -> Path:
    registered = filled.open().version("shop", number)
    (path,) = filled.folder.rglob(f"{registered.run}/artifacts/baseline.skops")
    return path


def test_where_no_registry_has_been_made_nothing_is_amiss(bare: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, told = watcher(bare), []
    # Commands of other tests have set the level of what is logged.
    monkeypatch.setattr("consumers.registry.watching.log", SimpleNamespace(info=lambda said, **_: told.append(said)))
    seen.look()
    seen.look()
    assert seen.swap is None
    assert told == ["there is no registry yet; the baseline of the state serves"]
    assert seen._runtime.registry_faults == 0
    assert not bare.database.exists()


def test_a_registry_that_names_nothing_asks_for_nothing(shelf: Shelf) -> None:
    seen = watcher(shelf)
    seen.look()
    assert seen.swap is None
    assert seen._runtime.registry_faults == 0
    assert time.time() - seen._runtime.registry_seen_at < 60


def test_champion_and_challenger_are_followed_wherever_they_go(shelf: Shelf, registry: Registry) -> None:
    seen = watcher(shelf)
    heard = []
    for change in (
        lambda: None,
        lambda: registry.challenge("shop", 2),
        lambda: registry.promote("shop", 2, 1),
        lambda: registry.challenge("shop", 3),
        lambda: registry.drop("shop"),
        lambda: registry.rollback("shop", 2),
    ):
        change()
        seen.look()
        heard.append(version_of(seen.swap))
    one, two, three = (f"baseline-{number}" for number in (1, 2, 3))
    assert heard == [(one, []), (one, [two]), (two, []), (two, [three]), (two, []), (one, [])]
    assert seen._runtime.registry_faults == 0


def test_what_is_followed_brings_its_file_threshold_and_training_range(shelf: Shelf, registry: Registry) -> None:
    seen = watcher(shelf)
    seen.look()
    assert seen.swap is not None
    champion = seen.swap.champion
    assert champion is not None
    assert (champion.artifact, champion.threshold, champion.trained_until) == (
        shelf.made.artifact,
        0.25,
        shelf.made.card.last,
    )
    assert champion.sha256 == registry.version("shop", 1).sha256


@pytest.mark.usefixtures("registry")
def test_a_look_that_finds_nothing_new_asks_for_nothing_new(shelf: Shelf) -> None:
    seen = watcher(shelf)
    seen.look()
    before = seen.swap
    seen.look()
    assert seen.swap is before  # a task that has refused it is not asked again


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_version_whose_file_is_not_what_was_registered_is_refused_and_what_is_in_use_stays(
    shelf: Shelf, filled: Shelf, registry: Registry, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watcher(shelf)
    seen.look()
    registry.promote("shop", 2, 1)
    registry.challenge("shop", 3)
    path = file_of(filled, 2)
    kept = path.read_bytes()
    path.unlink() if how == "gone" else path.write_bytes(kept[:-9])
    with capture_logs() as logs:
        seen.look()
        seen.look()
    assert version_of(seen.swap) == (None, ["baseline-3"])  # None: the task keeps its champion
    assert seen._runtime.registry_faults == 1
    (told,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert "shop version 2" in told["reason"]
    path.write_bytes(kept)
    seen.look()
    assert version_of(seen.swap)[0] is None  # not tried again yet
    monkeypatch.setattr(watching, "AGAIN", 0.0)
    seen.look()
    assert version_of(seen.swap) == ("baseline-2", ["baseline-3"])


@pytest.mark.usefixtures("registry")
def test_a_version_that_was_made_for_other_columns_is_refused(shelf: Shelf) -> None:
    seen = watcher(shelf, msgspec.structs.replace(STREAM, features=Features(numeric=["x0", "x9"])))
    with capture_logs() as logs:
        seen.look()
    assert seen.swap is None
    assert seen._runtime.registry_faults == 1
    assert "made for something else" in logs[-1]["reason"]


def test_a_challenger_that_somebody_else_has_registered_does_not_hold_up_the_champion(
    shelf: Shelf, registry: Registry
) -> None:
    client, name = registry._client(), "rotwatch.shop"
    theirs = client.create_model_version(name, "nowhere", None)
    client.set_registered_model_alias(name, CHALLENGER, theirs.version)
    seen = watcher(shelf)
    seen.look()
    assert version_of(seen.swap) == ("baseline-1", [])
    assert seen._runtime.registry_faults == 1


def test_a_database_that_goes_away_is_counted_told_once_and_followed_again_when_it_is_back(
    shelf: Shelf, registry: Registry
) -> None:
    seen = watcher(shelf)
    seen.look()
    before, away = seen.swap, shelf.database.with_suffix(".away")
    shelf.database.rename(away)
    with capture_logs() as logs:
        seen.look()
        seen.look()
    assert (seen.swap, seen._runtime.registry_faults) == (before, 2)
    assert [entry["event"] for entry in logs] == ["the registry cannot be followed; what is in use serves on"]
    assert not shelf.database.exists()  # none is made in its place
    away.rename(shelf.database)
    registry.promote("shop", 3, 1)
    seen.look()
    assert version_of(seen.swap) == ("baseline-3", [])


@pytest.mark.usefixtures("registry")
def test_a_locked_database_is_a_fault_and_the_next_look_goes_on(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    seen = watcher(shelf)
    seen.look()
    before = seen.swap
    with closing(sqlite3.connect(shelf.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        seen.look()
        assert (seen.swap, seen._runtime.registry_faults) == (before, 1)
        other.execute("ROLLBACK")
    seen.look()
    assert seen._runtime.registry_faults == 1


def test_where_there_is_no_room_to_fetch_a_file_what_is_in_use_stays_and_the_next_look_has_it(
    shelf: Shelf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watcher(shelf)
    seen.look()
    registry.promote("shop", 2, 1)
    # The test's own process may write files of so many bytes only: what MLflow copies does not fit.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(shelf.made.artifact) // 2, limits[1]))
    try:
        with capture_logs() as logs:
            seen.look()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert version_of(seen.swap) == (None, [])
    assert seen._runtime.registry_faults == 1
    (told,) = [entry["reason"] for entry in logs if entry["log_level"] == "error"]
    assert "shop version 2" in told
    assert "make room" in told, told
    monkeypatch.setattr(watching, "AGAIN", 0.0)
    seen.look()
    assert version_of(seen.swap) == ("baseline-2", [])


@pytest.mark.usefixtures("registry")
def test_whatever_else_goes_wrong_does_not_end_the_looking(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watcher(shelf)
    monkeypatch.setattr(Registry, "numbers", lambda *_: 1 / 0)
    seen.look()
    assert (seen.swap, seen._runtime.registry_faults) == (None, 1)
    monkeypatch.undo()
    seen.look()
    assert version_of(seen.swap) == ("baseline-1", [])


def test_a_registry_that_may_not_be_looked_at_and_a_challenger_that_cannot_be_fetched_are_faults_and_no_end(
    shelf: Shelf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watcher(shelf)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda _: 1 / 0)
        seen.look()
    assert (seen.swap, seen._runtime.registry_faults) == (None, 1)
    registry.challenge("shop", 3)
    artifact = Registry.artifact

    def fails(own: Registry, registered: Registered) -> bytes:
        if registered.number == 3:
            raise RegistryError("the store does not answer")
        return artifact(own, registered)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "artifact", fails)
        seen.look()
    assert version_of(seen.swap) == ("baseline-1", [])
    seen.look()
    assert version_of(seen.swap) == ("baseline-1", ["baseline-3"])


@pytest.fixture
def looking(shelf: Shelf, registry: Registry) -> Iterator[Watcher]:
    assert registry.numbers("shop") == (1, None)
    seen = watcher(shelf)
    seen.start()
    yield seen
    seen.stop()


def test_a_promotion_by_another_is_heard_of_within_ten_seconds(looking: Watcher, registry: Registry) -> None:
    def heard(version: str, until: float) -> bool:
        while time.monotonic() < until:
            if looking.swap is not None and version_of(looking.swap)[0] == version:
                return True
            time.sleep(0.05)
        return False

    assert heard("baseline-1", time.monotonic() + 10)
    registry.promote("shop", 2, 1)
    assert heard("baseline-2", time.monotonic() + 10)
