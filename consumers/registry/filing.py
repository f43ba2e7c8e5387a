"""A baseline's files and figures as one of MLflow's runs, below a stream's experiment."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from consumers.registry.client import THERE, code_of
from consumers.registry.registered import metrics, parameters
from stream.errors import RegistryError
from stream.training.card import Card


def file(client: Any, name: str, folder: str | None, card: Card, files: Mapping[str, bytes]) -> tuple[str, str]:
    """File a baseline: parameters, metrics, files, each read back. Gives the run and where its files are.

    ``name`` is the experiment's, made with its files in ``folder`` where it is not there.
    """
    experiment = unless_there(lambda: client.create_experiment(name, artifact_location=folder))
    experiment = experiment or client.get_experiment_by_name(name).experiment_id
    run = client.create_run(experiment, run_name=card.version).info
    try:
        for key, value in parameters(card).items():
            client.log_param(run.run_id, key, value)
        for key, figure in metrics(card).items():
            client.log_metric(run.run_id, key, figure)
        with tempfile.TemporaryDirectory() as kept:
            for one, data in files.items():
                (Path(kept) / one).write_bytes(data)
            client.log_artifacts(run.run_id, kept)
        _see(client, run.run_id, files)
        client.set_terminated(run.run_id)
    except BaseException:
        with suppress(Exception):  # what is told is why it failed
            client.set_terminated(run.run_id, "FAILED")
        raise
    return run.run_id, run.artifact_uri


def _see(client: Any, run: str, files: Mapping[str, bytes]) -> None:
    """See that all has arrived."""
    for one, data in files.items():
        if fetch(client, run, one) != data:
            raise RegistryError(f"{one} did not arrive whole in MLflow's run {run}: try again")


def fetch(client: Any, run: str, one: str) -> bytes:
    """One of a run's files."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run, one, dst_path=folder)).read_bytes()


def unless_there(make: Callable[[], Any]) -> Any:
    """What ``make`` gives, None where it is there already."""
    try:
        return make()
    except Exception as error:
        if code_of(error) != THERE:
            raise
        return None
