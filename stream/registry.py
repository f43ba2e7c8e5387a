"""Settings of the registry of baselines: the table ``[registry]``. Secrets are never among them."""

import re

from msgspec import Struct

from stream.errors import SettingError

SQLITE = "sqlite:///"

SERVERS = ("http", "https")

DATABASES = ("postgresql", "mysql", "mssql")


class Registry(Struct, frozen=True, forbid_unknown_fields=True):
    """Where baselines are registered.

    ``uri`` is MLflow's tracking URI: ``sqlite:///FILE``, a server's address, or another database's; empty is a SQLite
    file in the user's state folder. ``artifacts``: where the files go; empty is a folder beside the SQLite file. A
    server knows by itself where its files go.
    """

    uri: str = ""
    artifacts: str = ""


def check_registry(registry: Registry) -> None:
    """Check what a type cannot say of the registry; raises SettingError."""
    uri = registry.uri
    if re.match(r"[^/]*//[^/@]*:[^/]*@", uri):
        shown = re.sub(r"//[^@]*@", "//(hidden)@", uri)
        wanted = "without a password: the database's driver or MLflow's own environment variables hold it"
        raise SettingError("registry.uri", shown, wanted)
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else ""
    file = uri.removeprefix(SQLITE)
    if uri and scheme not in ("sqlite", *SERVERS, *DATABASES):
        wanted = (
            "sqlite:///FILE, http(s)://SERVER, or a database's URI as MLflow takes it (no folder: sqlite is as simple)"
        )
        raise SettingError("registry.uri", uri, wanted)
    if scheme == "sqlite" and (not uri.startswith(SQLITE) or file in ("", ":memory:") or set("?#") & set(file)):
        raise SettingError("registry.uri", uri, "sqlite:///FILE, or sqlite:////FILE from the root on, without ? and #")
    if scheme in SERVERS and registry.artifacts:
        raise SettingError("registry.artifacts", registry.artifacts, "left out: the server knows where its files go")
    if scheme in DATABASES and not registry.artifacts:
        raise SettingError(
            "registry.artifacts", "", f"a folder or a store's URI that all can reach, since {scheme} is used"
        )
