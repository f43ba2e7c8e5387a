"""Prints a benchmark's figures as a table and writes them to bench/results/NAME.json."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

DATA = Path(__file__).parents[2] / "shared" / "data"
"""Where the reference streams lie, beside the checkout; a benchmark that needs one that is not there cannot run."""


class Figure(Struct):
    """One measured figure; ``goal`` says what it should be in words, ``met`` is null where there is no goal."""

    what: str
    value: float
    goal: str | None = None
    met: bool | None = None


def at_least(what: str, value: float, goal: float) -> Figure:
    """A figure that should not be below its goal."""
    return Figure(what, value, f">= {goal:g}", value >= goal)


def at_most(what: str, value: float, goal: float) -> Figure:
    """A figure that should not be above its goal."""
    return Figure(what, value, f"<= {goal:g}", value <= goal)


def publish(name: str, figures: Sequence[Figure]) -> None:
    """Print and write the figures of a benchmark."""
    table = Table(title=f"bench-{name}", title_justify="left")
    table.add_column("what")
    for column in ("value", "goal", "met"):
        table.add_column(column, justify="right")
    for figure in figures:
        met = "" if figure.met is None else "yes" if figure.met else "NO"
        table.add_row(figure.what, f"{figure.value:,.4g}", figure.goal or "", met)
    Console(width=120).print(table)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
