"""MLflow's client, imported only here, and silent: no word home, no banner, no log lines of its own."""

import logging
import os
import warnings
from importlib.util import find_spec
from typing import Any

from stream.errors import RegistryError

NEEDED = ("mlflow", "sqlalchemy", "alembic")

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_AGENT_HINT": "true",
    # A connection a look: a process that forks shares none, and a file put in another's place is seen.
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
}
"""Environment variables that are MLflow's settings."""

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""Of a server: who serves on without it need not wait the minutes that MLflow tries. The user's own stand."""

THERE = "RESOURCE_ALREADY_EXISTS"
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"


def connect(uri: str) -> Any:
    """A client of the registry at a URI; a database there gets MLflow's tables if it has none."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise RegistryError(
            f"registry {uri}: needs the extra: pip install 'rotwatch[registry]' ({', '.join(missing)} not found)"
        )
    os.environ.update(QUIET)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is raised too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow 3.17 uses what SQLAlchemy 2.1 deprecates
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def code_of(error: BaseException | None) -> str:
    """MLflow's word for what went wrong, empty for other errors."""
    return str(getattr(error, "error_code", ""))
