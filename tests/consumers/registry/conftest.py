"""What the registry's tests share: one trained baseline, and one empty registry that is copied."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.registry.registry import Registry
from stream.config import Registry as Settings
from stream.training.train import Trained
from tests.consumers.registry.shelf import Others, Shelf, trained


@pytest.fixture(scope="session")
def made() -> Trained:
    return trained()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database without any version, made as the first ``add`` makes it."""
    folder = tmp_path_factory.mktemp("empty")
    registry = Registry(Settings(f"sqlite:///{folder}/registry.sqlite"))
    registry._make()
    return folder / "registry.sqlite"


@pytest.fixture
def shelf(tmp_path: Path, made: Trained, empty: Path) -> Shelf:
    return Shelf(tmp_path, made, empty)


@pytest.fixture
def bare(tmp_path: Path, made: Trained) -> Shelf:
    """A folder where no registry is yet."""
    return Shelf(tmp_path, made, None)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory, made: Trained) -> Iterator[Others]:
    others = Others(tmp_path_factory.mktemp("others"), made)
    yield others
    others.close()
