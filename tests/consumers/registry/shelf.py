"""Registries for tests: a baseline to register, an empty registry to begin with, and processes that work on it."""

import json
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from consumers.registry.registry import Registry
from stream.config import Features, Stream
from stream.config import Registry as Settings
from stream.training.search import Budget
from stream.training.train import Order, Trained, train
from tests.stream.training.tables import linear

ROOT = Path(__file__).parents[3]

COLUMNS = [f"x{i}" for i in range(6)]

STREAM = Stream(classes=["no", "yes"], features=Features(numeric=COLUMNS))
"""The stream that the baseline is for."""


def trained(rows: int = 600) -> Trained:
    """A baseline for STREAM, of as few trials as can be."""
    clock = count()
    order = Order("shop", "binary", ["no", "yes"])
    return train(linear(rows), None, order, Budget(2, lambda: next(clock)), {"scikit-learn": "x"}, {"no label": 3})


class Shelf:
    """A folder with a registry of its own, and what can be put into it."""

    def __init__(self, folder: Path, made: Trained, empty: Path | None) -> None:
        self.folder = folder
        self.made = made
        self.database = folder / "registry.sqlite"
        self.uri = f"sqlite:///{self.database}"
        if empty is not None:  # to make one takes seconds
            shutil.copyfile(empty, self.database)

    def open(self) -> Registry:
        return Registry(Settings(self.uri))

    def filled(self, versions: int, champion: int | None = None) -> Registry:
        """A registry with so many versions, and a champion."""
        registry = self.open()
        for _ in range(versions):
            registry.add("shop", self.made.artifact, self.made.card)
        if champion is not None:
            registry.promote("shop", champion, None)
        return registry


class Others:
    """Other processes that work on registries: what target.py reads and answers."""

    def __init__(self, folder: Path, made: Trained) -> None:
        (folder / "baseline.skops").write_bytes(made.artifact)
        (folder / "card.json").write_bytes(msgspec.json.encode(made.card))
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("target.py")), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MLFLOW_CONFIGURE_LOGGING": "false"},
        )

    def run(self, *jobs: dict[str, Any]) -> list[tuple[int, str]]:
        """Exit code and error of each job, all done at the same time."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(jobs) + "\n")
        self.process.stdin.flush()
        return [(status, error) for status, error in json.loads(self.process.stdout.readline())]

    def close(self) -> None:
        self.process.communicate(timeout=30)
