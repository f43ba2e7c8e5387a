"""``rotwatch state inspect | verify | export | reset | rebuild``: looking after a stream's state on Kafka."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from consumers.commands import Config, StreamName, warm_begin

app = typer.Typer(help="Look after a stream's state on Kafka.", no_args_is_help=True)

RoleName = Literal["scorer", "monitor"]

Start = Literal["earliest", "latest", "committed"]

Role = Annotated[RoleName | None, typer.Option(help="scorer or monitor; both unless given.")]

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def inspect(stream: StreamName, role: Role = None, config: Config = None) -> None:
    """Show each task's position, lag and checkpoints, and what is refused (exit code 1). Workers may be at work."""
    from consumers import upkeep

    _each(stream, role, config, upkeep.inspect)


@app.command()
def verify(stream: StreamName, role: Role = None, config: Config = None) -> None:
    """Re-execute the journal between the two newest checkpoints and compare (exit code 1). Workers may be at work."""
    from consumers import upkeep

    _each(stream, role, config, upkeep.verify)


@app.command()
def export(
    stream: StreamName,
    out: Annotated[Path, typer.Option(help="Folder to make.", file_okay=False)],
    partition: Annotated[int | None, typer.Option(min=0, help="This one only.")] = None,
    config: Config = None,
) -> None:
    """Write counts and models of the scorer's newest checkpoint into a folder. Workers may be at work."""
    from consumers import upkeep
    from consumers.kafka.roles import SCORER
    from consumers.settings import find_stream, load

    settings = load(config)
    with upkeep.opened(settings, stream, find_stream(settings, stream), SCORER) as opened:
        for folder in upkeep.export(opened, out, partition):
            typer.echo(f"{folder}: totals.json, the models")
    typer.echo("online.pickle runs code when it is loaded: whoever loads it must trust where it has been since.")


@app.command()
def reset(
    stream: StreamName,
    role: Annotated[RoleName, typer.Option(help="scorer or monitor.")],
    start: Annotated[Start, typer.Option("--from", help="Where the next start begins: earliest, latest or committed.")],
    config: Config = None,
    yes: Yes = False,
) -> None:
    """Forget a role's state; the next start begins anew. All of the role's processes must have been stopped."""
    from consumers import upkeep
    from consumers.settings import find_stream, load

    settings = load(config)
    with upkeep.opened(settings, stream, find_stream(settings, stream), upkeep.ROLES[role]) as opened:
        upkeep.reset(opened, start, _asking(yes))
    typer.echo("Done: the next start begins anew.")


@app.command()
def rebuild(
    stream: StreamName,
    config: Config = None,
    warm_up: Annotated[
        str | None, typer.Option(help="Rows to train new models on first: a file as replay takes it.")
    ] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN of the warm-up's rows, where they have other names.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: warm up on such rows only.")] = None,
    start: Annotated[
        Start, typer.Option("--from", help="Where tasks begin: committed, latest or earliest.")
    ] = "committed",
    yes: Yes = False,
) -> None:
    """Make new scorer state from the training log. All scorers of the stream must have been stopped."""
    from consumers import rebuilding, upkeep
    from consumers.kafka.roles import SCORER
    from consumers.settings import find_stream, load

    settings = load(config)
    begin = warm_begin(settings, stream, warm_up, mapping, where)
    with upkeep.opened(settings, stream, find_stream(settings, stream), SCORER) as opened:
        rebuilding.rebuild(opened, start, begin, _asking(yes))


def _each(stream: str, role: RoleName | None, config: Path | None, look: Callable[..., bool]) -> None:
    """Look at one role or both; exit code 1 where something is not right."""
    from consumers import upkeep
    from consumers.settings import find_stream, load

    settings = load(config)
    right = True
    for name in upkeep.ROLES if role is None else [role]:
        with upkeep.opened(settings, stream, find_stream(settings, stream), upkeep.ROLES[name]) as opened:
            right = look(opened) and right
    if not right:
        raise typer.Exit(1)


def _asking(yes: bool) -> Callable[[str], None]:
    def ask(what: str) -> None:
        typer.echo(what, err=True)
        if not yes:
            typer.confirm("Go on?", abort=True, err=True)

    return ask
