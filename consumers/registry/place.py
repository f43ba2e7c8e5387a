"""Where a registry is: its URI, its SQLite file if it has one, and where its files go."""

import os
from pathlib import Path

from msgspec import Struct

from stream.registry import SERVERS, SQLITE, Registry


class Place(Struct, frozen=True):
    """``database`` is None where a server or a database of another kind keeps the registry.

    ``artifacts`` is where the files go; None: the server decides.
    """

    uri: str
    database: Path | None
    artifacts: str | None

    @property
    def folder(self) -> Path | None:
        """Where the files go, if that is a folder here."""
        return None if self.artifacts is None or ":" in self.artifacts else Path(self.artifacts)


def default_folder() -> Path:
    """Where the registry is kept unless a setting says otherwise: the user's state folder."""
    home = os.environ.get("XDG_STATE_HOME")
    base = Path(home) if home else Path.home() / ".local" / "state"
    return base / "rotwatch" / "registry"


def place_of(settings: Registry) -> Place:
    """The place that checked settings name; paths are made absolute, since MLflow writes them down."""
    if settings.uri and not settings.uri.startswith(SQLITE):
        server = settings.uri.startswith(SERVERS)
        return Place(settings.uri, None, None if server else _absolute(settings.artifacts))
    file = settings.uri.removeprefix(SQLITE)
    database = Path(file).absolute() if file else default_folder().absolute() / "registry.sqlite"
    return Place(f"{SQLITE}{database}", database, _absolute(settings.artifacts or str(database.parent / "artifacts")))


def _absolute(folder: str) -> str:
    return folder if ":" in folder else str(Path(folder).absolute())
