"""The length of the chaos, the nursery of its workers, and the figures that it shows at its end."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.workers import Nursery, open_nursery
from tests.chaos.world import World

FIGURES: list[str] = []


@pytest.fixture(scope="session")
def long() -> bool:
    """Whether to do all of it, by ROTWATCH_CHAOS=long (`make chaos`), or what CI has the time for."""
    return os.environ.get("ROTWATCH_CHAOS") == "long"


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where workers are started."""
    made = open_nursery(tmp_path_factory.mktemp("workers"))
    yield made
    made.close()


@pytest.fixture
def show() -> Callable[[str], None]:
    """Shows a figure at the end of the run: nothing is asserted of times."""
    return FIGURES.append


Make = Callable[..., World]


@pytest.fixture
def make(kafka: str, stream_name: str, tmp_path: Path, nursery: Nursery) -> Iterator[Make]:
    """Makes worlds: streams of their own, with what World takes."""
    worlds: list[World] = []
    numbers = itertools.count()

    def make(**settings: Any) -> World:
        worlds.append(World(kafka, f"{stream_name}-{next(numbers)}", tmp_path, nursery, **settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    for figure in FIGURES:
        terminalreporter.write_line(f"chaos: {figure}")
