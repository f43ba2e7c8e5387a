"""``rotwatch models list | show | compare | promote | rollback | drop``: the registered baselines of a stream."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.commands import Config, StreamName
from stream.errors import SettingError

if TYPE_CHECKING:  # the registry brings the training's libraries, for which --help does not wait
    from rich.table import Table

    from consumers.registry.registry import InUse, Registry

PIPE = 250
"""Columns of a table that goes into a pipe or a file."""

app = typer.Typer(help="Look after a stream's registered baselines.", no_args_is_help=True)

Over = Annotated[
    int | None, typer.Option(min=1, help="Only if this version is the champion; unless given, whoever is now.")
]


@app.command("list")
def list_versions(stream: StreamName, config: Config = None) -> None:
    """List a stream's versions, the newest first, with their risk on the rows that judged them."""
    from consumers.registry.tables import versions_table

    registry = _registry(stream, config)
    versions, used = registry.versions(stream), registry.in_use(stream)
    _print(versions_table(versions, used))
    typer.echo(f"{len(versions):,} versions of {stream} in {registry.place.uri}")


@app.command()
def show(
    stream: StreamName,
    number: Annotated[int | None, typer.Argument(min=1, help="The version; the champion unless given.")] = None,
    config: Config = None,
) -> None:
    """Show a version's model card."""
    registry = _registry(stream, config)
    used = registry.in_use(stream)
    _print_cards(registry, stream, [_champion(stream, used) if number is None else number], used)


@app.command()
def compare(
    first: Annotated[int, typer.Argument(min=1, help="A version.")],
    second: Annotated[int, typer.Argument(min=1, help="Another.")],
    stream: StreamName,
    config: Config = None,
) -> None:
    """Show the model cards of two versions side by side."""
    registry = _registry(stream, config)
    _print_cards(registry, stream, [first, second], registry.in_use(stream))
    typer.echo("Each was judged on rows of its own: only scoring the same events tells which is better now.")


@app.command()
def promote(
    number: Annotated[int, typer.Argument(min=1, help="The version.")],
    stream: StreamName,
    over: Over = None,
    config: Config = None,
) -> None:
    """Make a version the champion, once it has been seen to load and to fit the stream's settings."""
    from consumers.settings import find_stream, load

    registry = _registry(stream, config)
    champion = registry.in_use(stream).champion
    if over is None and champion is not None:
        over = champion.number
    registry.load(registry.version(stream, number), find_stream(load(config), stream))
    promoted = registry.promote(stream, number, over)
    typer.echo(f"{promoted.name} is the champion{'' if over in (None, number) else f', over version {over}'}.")


@app.command()
def rollback(stream: StreamName, over: Over = None, config: Config = None) -> None:
    """Make the champion before the present one the champion again, if it loads and fits the stream's settings."""
    from consumers.settings import find_stream, load

    registry = _registry(stream, config)
    if over is None:
        over = _champion(stream, registry.in_use(stream))
    registry.load(registry.former(stream, over), find_stream(load(config), stream))
    typer.echo(f"{registry.rollback(stream, over).name} is the champion again, instead of version {over}.")


@app.command()
def drop(stream: StreamName, config: Config = None) -> None:
    """Have no challenger any more; its version stays in the registry."""
    registry = _registry(stream, config)
    challenger = registry.in_use(stream).challenger
    registry.drop(stream)
    typer.echo(
        f"{stream} had no challenger." if challenger is None else f"{challenger.name} is no challenger any more."
    )


def _registry(stream: str, config: Config) -> "Registry":
    """The registry of the settings; the stream must be one of theirs."""
    from consumers.registry.registry import Registry
    from consumers.settings import find_stream, load

    settings = load(config)
    find_stream(settings, stream)
    return Registry(settings.registry)


def _champion(stream: str, used: "InUse") -> int:
    if used.champion is None:
        raise SettingError("--stream", stream, "a stream with a champion: it has none (rotwatch models promote)")
    return used.champion.number


def _print_cards(registry: "Registry", stream: str, numbers: list[int], used: "InUse") -> None:
    from consumers.registry.tables import cards_table

    versions = [registry.version(stream, number) for number in numbers]
    _print(cards_table([(one, registry.card(one)) for one in versions], used))


def _print(table: "Table") -> None:
    """Print a table; whoever is not a terminal has room for all of it."""
    from consumers.terminal import terminal

    console = terminal()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = terminal(width=PIPE)
    console.print(table)
