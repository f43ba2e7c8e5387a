"""One SQLite file (WAL) that holds a replay's positions, journal, checkpoints and outputs, in one transaction a batch.

What decides how a replay goes on is sealed, and outputs carry a checksum: a damaged file is refused, not gone on from.
"""

import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from consumers.order import Position
from consumers.seal import seal, unseal
from stream.errors import CommitFailed, Fenced, StateError
from stream.records import Outputs

SCHEMA = 2

TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE journal (sequence INTEGER PRIMARY KEY, inputs INTEGER NOT NULL, skips BLOB NOT NULL);
CREATE TABLE position (one INTEGER PRIMARY KEY, sequence INTEGER, events INTEGER, labels INTEGER, ended INTEGER);
CREATE TABLE checkpoint
    (sequence INTEGER PRIMARY KEY, events INTEGER, labels INTEGER, ended INTEGER, sealed BLOB, names BLOB);
CREATE TABLE segment (name TEXT PRIMARY KEY, sealed BLOB);
CREATE TABLE output (sequence INTEGER, kind TEXT, records INTEGER, lines BLOB, crc INTEGER);
"""


Segments = Mapping[str, Callable[[], bytes]]
"""Parts of a snapshot that are written once: each with what encodes it."""

NONE: Segments = {}


class Journalled(Struct, frozen=True):
    """A committed batch: how many inputs it had, and which of them were skipped and why."""

    sequence: int
    inputs: int
    skips: dict[int, str]


class Store:
    """A replay's durable state.

    ``keep`` names the kinds of output to store. ``at_step`` hears each step of a commit: tests kill the process there.
    """

    def __init__(
        self, path: Path | None, key: bytes, keep: tuple[str, ...], at_step: Callable[[str], None] = lambda _: None
    ) -> None:
        self.path = path
        self.key = key
        self.keep = keep
        self.at_step = at_step
        self.encode = msgspec.json.Encoder().encode_lines
        try:
            self.db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5.0)
            self._prepare()
        except sqlite3.Error as error:
            raise StateError(f"{path}: cannot be used as a replay's state: {error}") from error

    def _prepare(self) -> None:
        self.db.execute("PRAGMA page_size = 16384")  # a batch's outputs are a hundred kilobytes
        self.db.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a killed process loses nothing; a machine that loses power loses whole commits at the most.
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("BEGIN IMMEDIATE")
        version = self.db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise StateError(
                f"{self.path}: was written by another version of rotwatch (schema {version}, not {SCHEMA})"
            )
        if version == 0:
            for statement in TABLES.split(";"):
                self.db.execute(statement)
            self.db.execute("INSERT INTO position VALUES (1, 0, 0, 0, 0)")
            # Tells this replay from every other that is sealed with the same key.
            self._put("run", secrets.token_hex(16).encode())
            self.db.execute(f"PRAGMA user_version = {SCHEMA}")
        self.run = self.db.execute("SELECT value FROM meta WHERE name = 'run'").fetchone()[0].decode()
        # Each opening takes the state over: whoever had it before is fenced off at its next commit.
        self.epoch = 1 + self._epoch()
        self._put("epoch", str(self.epoch).encode())
        self.db.execute("COMMIT")

    def get(self, name: str) -> bytes | None:
        """A value set at the start, or None."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (name,))
        if not rows:
            return None
        try:
            return unseal(self.key, f"{self.run}/meta/{name}", bytes(rows[0][0]))
        except (StateError, TypeError) as error:
            raise self._damaged(error) from error

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self.db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, why: object) -> StateError:
        return StateError(f"{self.path}: cannot be gone on from; begin anew with --fresh. {why}")

    def _epoch(self) -> int:
        row = self.db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
        return 0 if row is None else int(row[0])

    def _put(self, name: str, value: bytes) -> None:
        self.db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def start(self, position: Position, snapshot: bytes, segments: Segments = NONE, **meta: bytes) -> None:
        """Write what the replay begins with: its first checkpoint and what is known only once. Raises StateError."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            for name, value in meta.items():
                self._put(name, seal(self.key, f"{self.run}/meta/{name}", value))
            self._place(0, position)
            self._checkpoint(0, position, snapshot, segments)
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StateError(f"{self.path}: the replay's beginning cannot be written: {error}") from error

    def commit(
        self,
        entry: Journalled | None,
        position: Position,
        outputs: Outputs,
        snapshot: bytes | None,
        segments: Segments = NONE,
    ) -> None:
        """Make a batch durable, or a snapshot alone.

        1. begin: take the file's write lock
        2. fence: go no further if somebody has opened the state since
        3. outputs: one row a kind, of JSON lines
        4. journal: the batch's size and skips, and the position behind it
        5. checkpoint, if one is given: sealed, with those of its segments that are not there yet; the one before is
           kept, older ones go, with their journal and the segments that nobody names any more
        6. commit

        Raises Fenced, or CommitFailed with nothing written.
        """
        try:
            self.at_step("begin")
            self.db.execute("BEGIN IMMEDIATE")
            self.at_step("fence")
            if self._epoch() != self.epoch:
                raise Fenced(f"{self.path}: another process has taken this replay over")
            sequence = self.sequence()
            if entry is not None:
                sequence = entry.sequence
                self.at_step("outputs")
                self._write_outputs(sequence, outputs)
                self.at_step("journal")
                skips = msgspec.json.encode(entry.skips)
                self.db.execute("INSERT INTO journal VALUES (?, ?, ?)", (sequence, entry.inputs, skips))
                self._place(sequence, position)
            if snapshot is not None:
                self.at_step("checkpoint")
                self._checkpoint(sequence, position, snapshot, segments)
            self.at_step("commit")
            self.db.execute("COMMIT")
            self.at_step("done")
        except sqlite3.Error as error:
            raise CommitFailed(f"{self.path}: {error}") from error
        finally:
            # Whatever went wrong, an output that cannot be encoded included, nothing of it stays.
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def _write_outputs(self, sequence: int, outputs: Outputs) -> None:
        for kind in self.keep:
            records = getattr(outputs, kind)
            if records:
                lines = self.encode(records)
                row = (sequence, kind, len(records), lines, zlib.crc32(lines))
                self.db.execute("INSERT INTO output VALUES (?, ?, ?, ?, ?)", row)

    def _place(self, sequence: int, at: Position) -> None:
        self.db.execute(
            "UPDATE position SET sequence = ?, events = ?, labels = ?, ended = ?",
            (sequence, at.events, at.labels, at.ended),
        )

    def _checkpoint(self, sequence: int, at: Position, snapshot: bytes, segments: Segments) -> None:
        there = {name for (name,) in self.db.execute("SELECT name FROM segment")}
        for name, encode in segments.items():
            if name not in there:
                sealed = seal(self.key, self._place_of_segment(name), encode())
                self.db.execute("INSERT INTO segment VALUES (?, ?)", (name, sealed))
        sealed = seal(self.key, self._place_of(sequence, at), snapshot)
        self.db.execute(
            "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?, ?, ?)",
            (sequence, at.events, at.labels, at.ended, sealed, msgspec.json.encode(list(segments))),
        )
        # Memory is not damaged while a process lives; a file keeps one more to fall back on.
        keep = 1 if self.path is None else 2
        query = "SELECT sequence FROM checkpoint ORDER BY sequence DESC LIMIT ?"
        kept = self.db.execute(query, (keep,)).fetchall()[-1][0]
        self.db.execute("DELETE FROM checkpoint WHERE sequence < ?", (kept,))
        self.db.execute("DELETE FROM journal WHERE sequence <= ?", (kept,))
        named = {
            name for (names,) in self.db.execute("SELECT names FROM checkpoint") for name in msgspec.json.decode(names)
        }
        for name in (there | set(segments)) - named:
            self.db.execute("DELETE FROM segment WHERE name = ?", (name,))

    def sequence(self) -> int:
        """The number of the last committed batch."""
        return self._last()[0]

    def position(self) -> Position:
        """Where the last committed batch ended."""
        return self._last()[1]

    def _last(self) -> tuple[int, Position]:
        found = self._rows("SELECT sequence, events, labels, ended FROM position")
        if len(found) != 1 or not all(isinstance(value, int) for value in found[0]):
            raise self._damaged("its position is lost")
        sequence, events, labels, ended = found[0]
        return sequence, Position(events, labels, bool(ended))

    def checkpoint(self) -> tuple[int, Position, bytes]:
        """The newest authentic checkpoint: its batch, its position, its snapshot. Raises StateError without one."""
        refused = ""
        query = "SELECT sequence, events, labels, ended, sealed FROM checkpoint ORDER BY sequence DESC"
        for sequence, events, labels, ended, sealed in self._rows(query):
            at = Position(events, labels, bool(ended))
            try:
                return sequence, at, unseal(self.key, self._place_of(sequence, at), sealed)
            except (StateError, TypeError) as error:
                refused = str(error)
        raise self._damaged(f"It holds no checkpoint that can be used: {refused}")

    def segments(self, sequence: int) -> dict[str, bytes]:
        """The segments that a checkpoint names; raises StateError where one is not authentic."""
        found: dict[str, bytes] = {}
        try:
            for (names,) in self._rows("SELECT names FROM checkpoint WHERE sequence = ?", (sequence,)):
                for name in msgspec.json.decode(names, type=list[str]):
                    rows = self._rows("SELECT sealed FROM segment WHERE name = ?", (name,))
                    found[name] = unseal(self.key, self._place_of_segment(name), bytes(rows[0][0]))
        except (StateError, TypeError, IndexError, msgspec.MsgspecError) as error:
            raise self._damaged(error) from error
        return found

    def _place_of_segment(self, name: str) -> str:
        """What a segment's seal is bound to: this replay and its name."""
        return f"{self.run}/segment/{name}"

    def journal(self, after: int) -> list[Journalled]:
        """The committed batches behind a checkpoint, in order."""
        query = "SELECT sequence, inputs, skips FROM journal WHERE sequence > ? ORDER BY sequence"
        rows = self._rows(query, (after,))
        try:
            found = [Journalled(s, int(n), msgspec.json.decode(skips, type=dict[int, str])) for s, n, skips in rows]
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise self._damaged(error) from error
        if [entry.sequence for entry in found] != list(range(after + 1, self.sequence() + 1)):
            raise self._damaged("Its journal has gaps")
        return found

    def _place_of(self, sequence: int, at: Position) -> str:
        """What a checkpoint's seal is bound to: this replay, and the place in it."""
        return f"{self.run}/{sequence}/{at.events}/{at.labels}/{int(at.ended)}"

    def outputs(self, kind: str) -> Iterator[bytes]:
        """The JSON lines of one kind, in order, some batches' at a time."""
        try:
            for lines, crc in self.db.execute("SELECT lines, crc FROM output WHERE kind = ? ORDER BY rowid", (kind,)):
                if not isinstance(lines, bytes) or zlib.crc32(lines) != crc:
                    raise self._damaged("Outputs are not as they were written")
                yield lines
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        """Let the file go."""
        self.db.close()
