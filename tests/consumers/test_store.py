"""The SQLite file of a replay: what it keeps, what it lets go, what it refuses."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.order import Position
from consumers.store import Journalled, Store
from stream.errors import CommitFailed, Fenced, RotwatchError, StateError
from stream.records import DeadLetter, Outputs, Prediction

KEY = b"k" * 32

Open = Callable[..., Store]

KINDS = ("predictions", "labelled", "alarms", "dead_letters")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def opened(path: Path) -> Iterator[Open]:
    stores: list[Store] = []

    def opened(
        key: bytes = KEY, keep: tuple[str, ...] = KINDS, at_step: Callable[[str], None] = lambda _: None
    ) -> Store:
        stores.append(Store(path, key, keep, at_step))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def outputs(*names: str) -> Outputs:
    predictions = [Prediction(name, 0.0, "", 0.5, "online", 0.5, None, "v", None) for name in names]
    return Outputs(predictions, [], [], [DeadLetter("events", "", "bad", 0, b"\xff\x00")])


def begin(store: Store) -> Store:
    store.start(Position(0, 0), b"first", resolved=b"settings")
    return store


def commit(store: Store, events: int, snapshot: bytes | None = None) -> None:
    sequence = store.sequence() + 1
    store.commit(Journalled(sequence, 1, {}), Position(events, 0), outputs(f"e{sequence}"), snapshot)


def test_what_is_committed_is_there_when_the_file_is_opened_again(opened: Open) -> None:
    store = begin(opened())
    store.commit(Journalled(1, 3, {2: "broke it"}), Position(3, 1), outputs("a", "b"), None)
    store.close()
    again = opened()
    assert (again.sequence(), again.position()) == (1, Position(3, 1))
    assert again.journal(0) == [Journalled(1, 3, {2: "broke it"})]
    assert again.checkpoint() == (0, Position(0, 0), b"first")
    assert again.get("resolved") == b"settings"
    assert again.get("nothing") is None
    assert b"".join(again.outputs("predictions")).count(b"\n") == 2


def test_a_file_that_was_opened_and_never_begun_begins_anew(opened: Open) -> None:
    opened().close()
    assert opened().get("resolved") is None


def test_the_closing_tick_is_part_of_the_position(opened: Open) -> None:
    store = begin(opened())
    store.commit(Journalled(1, 1, {}), Position(1, 1, ended=True), outputs(), b"last")
    assert store.position() == Position(1, 1, ended=True)
    assert store.checkpoint() == (1, Position(1, 1, ended=True), b"last")


def test_only_the_kinds_that_are_to_be_kept_are_kept(opened: Open) -> None:
    store = begin(opened(keep=("dead_letters",)))
    commit(store, 1)
    assert list(store.outputs("predictions")) == []
    assert len(list(store.outputs("dead_letters"))) == 1


def test_two_checkpoints_are_kept_and_the_journal_behind_the_older_one(opened: Open) -> None:
    store = begin(opened())
    for events in range(1, 10):
        commit(store, events, b"state %d" % events if events in (2, 5, 7) else None)
    assert store.checkpoint() == (7, Position(7, 0), b"state 7")
    assert [entry.sequence for entry in store.journal(7)] == [8, 9]
    assert [entry.sequence for entry in store.journal(5)] == [6, 7, 8, 9]
    with pytest.raises(StateError, match="journal has gaps"):
        store.journal(4)
    assert store.db.execute("SELECT count(*) FROM checkpoint").fetchone() == (2,)


def test_snapshots_alone_replace_the_checkpoint_of_the_same_place(opened: Open) -> None:
    store = begin(opened())
    commit(store, 1, b"one")
    for state in (b"one again", b"and again"):
        store.commit(None, store.position(), outputs(), state)
    assert store.checkpoint() == (1, Position(1, 0), b"and again")
    store.db.execute("UPDATE checkpoint SET sealed = x'00' WHERE sequence = 1")
    assert store.checkpoint() == (0, Position(0, 0), b"first")
    assert [entry.sequence for entry in store.journal(0)] == [1]
    assert list(store.outputs("predictions"))[1:] == []


def test_a_checkpoint_that_was_moved_to_another_place_is_not_used(opened: Open) -> None:
    store = begin(opened())
    for events in (1, 2, 3):
        commit(store, events, b"state %d" % events)
    store.db.execute("UPDATE checkpoint SET sealed = (SELECT sealed FROM checkpoint WHERE sequence = 2)")
    assert store.checkpoint() == (2, Position(2, 0), b"state 2")
    store.db.execute("UPDATE checkpoint SET events = events + 1")
    with pytest.raises(StateError, match="--fresh"):
        store.checkpoint()


def test_another_key_opens_nothing(opened: Open) -> None:
    begin(opened()).close()
    store = opened(key=b"x" * 32)
    for ask in (lambda: store.get("resolved"), store.checkpoint):
        with pytest.raises(StateError, match="not sealed with our key"):
            ask()


def test_settings_that_were_changed_in_the_file_are_refused(opened: Open) -> None:
    store = begin(opened())
    store.db.execute("UPDATE meta SET value = CAST('settings' AS BLOB) WHERE name = 'resolved'")
    with pytest.raises(StateError, match="not sealed"):
        store.get("resolved")


def test_outputs_that_were_changed_in_the_file_are_refused(opened: Open) -> None:
    store = begin(opened())
    commit(store, 1)
    store.db.execute("UPDATE output SET lines = CAST(replace(lines, 'e1', 'e2') AS BLOB)")
    with pytest.raises(StateError, match="not as they were written"):
        list(store.outputs("predictions"))


def test_who_opens_last_has_it(opened: Open) -> None:
    first = begin(opened())
    commit(first, 1)
    second = opened()
    with pytest.raises(Fenced, match="another process"):
        commit(first, 2)
    commit(second, 2)
    third = opened()
    with pytest.raises(Fenced):
        second.commit(None, second.position(), outputs(), b"state")
    assert third.sequence() == 2


def test_a_file_that_somebody_else_is_writing_fails_the_commit_and_leaves_it_whole(opened: Open, path: Path) -> None:
    store = begin(opened())
    store.db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(CommitFailed, match="locked"):
        commit(store, 1)
    other.execute("ROLLBACK")
    other.close()
    commit(store, 1)
    assert store.sequence() == 1


def test_a_full_disk_fails_the_commit_and_leaves_it_whole(opened: Open) -> None:
    store = begin(opened())
    commit(store, 1)
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    store.db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(CommitFailed, match="full"):
        store.commit(Journalled(2, 1, {}), Position(2, 0), outputs("e2"), bytes(1_000_000))
    assert (store.sequence(), store.checkpoint()) == (1, (0, Position(0, 0), b"first"))
    assert b"e2" not in b"".join(store.outputs("predictions"))
    store.db.execute("PRAGMA max_page_count = 1000000")
    commit(store, 2)


def test_an_output_that_cannot_be_encoded_leaves_nothing_of_its_batch_and_the_next_commit_works(opened: Open) -> None:
    store = begin(opened())
    bad = outputs("fine")
    bad.dead_letters.append(DeadLetter("events", "", "\ud800", 0, b""))
    with pytest.raises(UnicodeEncodeError):
        store.commit(Journalled(1, 1, {}), Position(1, 0), bad, b"state")
    assert (store.sequence(), list(store.outputs("predictions"))) == (0, [])
    commit(store, 1)
    assert store.sequence() == 1


def test_a_file_of_another_schema_is_refused(opened: Open, path: Path) -> None:
    begin(opened()).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 77")
    other.close()
    with pytest.raises(StateError, match="schema 77"):
        opened()


def test_random_bytes_are_refused(opened: Open, path: Path) -> None:
    for seed in range(5):
        path.write_bytes(random.Random(seed).randbytes(5_000))
        with pytest.raises(StateError, match=r"state\.sqlite"):
            opened()


def test_a_folder_and_a_place_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "state.sqlite"):
        with pytest.raises(StateError):
            Store(path, KEY, KINDS)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_gives_known_errors_only(opened: Open, path: Path, seed: int) -> None:
    store = begin(opened())
    for events in range(1, 40):
        commit(store, events, bytes(3_000) if events % 9 == 0 else None)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 3)):
        size = chance.choice([1, 16, 512, 4096])
        at = chance.randrange(100, len(content) - size)
        content[at : at + size] = chance.randbytes(size)
    path.write_bytes(content)
    try:
        again = opened()
        sequence, _, snapshot = again.checkpoint()
        assert snapshot in (bytes(3_000), b"first")
        assert len(again.journal(sequence)) == again.sequence() - sequence
        again.get("resolved")
        assert b"e39" in b"".join(again.outputs("predictions"))
        commit(again, 41)
    except RotwatchError as error:
        assert "\n" not in str(error)  # noqa: PT017 - whether it is raised depends on the seed


def test_a_store_without_a_path_lives_in_memory() -> None:
    store = begin(Store(None, KEY, KINDS))
    commit(store, 1)
    assert store.sequence() == 1
    store.close()
