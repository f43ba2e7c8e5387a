"""A registry's SQLite file: whether it is there and sound, how it is made, and one writer at a time.

MLflow makes an empty database where there is none, and tries for minutes to read what is no database: so both are seen
to beforehand. It has no compare-and-set either: who writes has a lock file beside the database meanwhile.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from consumers.registry.errors import failed, guarded
from stream.errors import RegistryError
from stream.registry import SQLITE

PATIENCE = 5.0
"""Seconds to wait for a database that somebody holds before it is read."""

TURN = 30.0
"""Seconds to wait for one's turn to write."""


def look(database: Path) -> None:
    """See that a registry can be read there; raises RegistryError."""
    uri = f"{SQLITE}{database}"
    with guarded(uri, "cannot be read"):
        if not database.is_file():
            raise RegistryError(
                f"registry {uri}: there is none: rotwatch train makes it; if there was one, put it back in its place, "
                "or name it (registry.uri)"
            )
        try:
            # Not "ro": a writer that was killed leaves a journal, which the next one to open the file rolls back.
            with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=PATIENCE)) as db:
                db.execute("SELECT version_num FROM alembic_version").fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                raise failed(uri, "cannot be read", "is not a database of MLflow's") from error
            raise


def make(database: Path, fill: Callable[[str], object]) -> None:
    """Make the database unless it is there; ``fill`` makes the tables at a URI. Whoever calls has the lock.

    Made whole beside its place and then moved into it: a process that is killed leaves no half of it.
    """
    if database.exists():
        return
    beside = database.with_name(f"{database.name}.new")
    beside.unlink(missing_ok=True)
    fill(f"{SQLITE}{beside}")
    for path in (beside, database.parent):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        if path is beside:
            beside.rename(database)


@contextmanager
def alone(database: Path, turn: float = TURN) -> Iterator[None]:
    """Has the database to itself among all that write by this module; raises RegistryError after ``turn`` seconds."""
    path = database.with_name(f"{database.name}.lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    until = time.monotonic() + turn
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RegistryError(
                        f"registry {SQLITE}{database}: another process has been writing to it for {turn:g} s; nothing "
                        "was changed: try again when that is done"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)
