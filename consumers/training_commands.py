"""``rotwatch train``, and ``rotwatch models import`` of what was trained elsewhere: each makes a challenger."""

import signal
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers.commands import Config, StreamName
from stream.errors import SettingError, SourceError

if TYPE_CHECKING:  # training brings its libraries, for which --help does not wait
    from consumers.training import Wanted

Mapping = Annotated[
    list[str] | None,
    typer.Option("--map", help="FIELD=COLUMN: which column is event_id, time, label, or a feature."),
]
Where = Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only such rows.")]
InputFormat = Annotated[str | None, typer.Option(help="jsonl, csv or parquet, where the name does not say.")]


def train(
    stream: StreamName,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A file of events with their labels, as replay takes it, or of labelled records; without it, the "
            "training log in Kafka."
        ),
    ] = None,
    config: Config = None,
    mapping: Mapping = None,
    where: Where = None,
    input_format: InputFormat = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read no more rows of the file than this.")] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Train on the newest so many rows.")] = None,
    since: Annotated[str | None, typer.Option(help="On events from this date and time on (ISO 8601, UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="On events before this date and time.")] = None,
    alarm: Annotated[
        str | None,
        typer.Option(help="When the baseline was last said to have rotted: the rows since then are tried as a window."),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="How long to search, such as 60s.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=4_294_967_295, help="Of what is drawn; the stream's unless given.")
    ] = None,
    first: Annotated[
        bool,
        typer.Option(
            "--first", help="Wait for the stream's first warm_up labels in Kafka; what comes of them is the champion."
        ),
    ] = False,
) -> None:
    """Train a baseline, judge it on the newest rows, and register it as the challenger."""
    from consumers import training
    from consumers.registry.registry import Registry
    from consumers.terminal import terminal
    from stream.duration import Duration
    from stream.training.gathering import Span

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is registered then: as Ctrl-C
    if source is None and (mapping or where or limit or input_format):
        raise SettingError("SOURCE", None, "a file, where --map, --where, --limit or --input-format is given")
    wanted = _wanted(stream, source, config, mapping, where, input_format)
    if wanted.plan is not None:
        wanted.plan.limit = limit
    if budget is not None:
        try:
            wanted.budget = Duration.parse(budget)
        except ValueError as error:
            raise SettingError("--budget", budget, str(error).removeprefix("must be ")) from None
    wanted.seed = wanted.seed if seed is None else seed
    if alarm is not None:
        wanted.alarmed = _moment("--alarm", alarm, 0.0)
    wanted.span = Span(
        wanted.span.rows if last is None else last,
        _moment("--since", since, float("-inf")),
        _moment("--until", until, float("inf")),
    )
    if not first:
        prepare = partial(Registry(wanted.settings.registry).prepare, stream)
        training.register(wanted, training.run(wanted, terminal(stderr=True), prepare=prepare), terminal())
        return
    if wanted.plan is not None:
        raise SettingError("--first", True, "left out with a file: its labels are all there")
    from consumers.first_baseline import train_first

    train_first(wanted, terminal(), terminal(stderr=True))


def import_model(
    file: Annotated[Path, typer.Argument(help="A skops file of a scikit-learn classifier.", dir_okay=False)],
    stream: StreamName,
    card: Annotated[
        str, typer.Option(help="Labelled events that it has not been trained on, as train takes them: they judge it.")
    ],
    config: Config = None,
    mapping: Mapping = None,
    where: Where = None,
    input_format: InputFormat = None,
) -> None:
    """Judge a baseline that was trained elsewhere, and register it as the challenger."""
    from consumers import training
    from consumers.terminal import terminal

    try:
        artifact = file.read_bytes()
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}") from error
    if not artifact:
        raise SourceError(f"{file}: is empty")
    wanted = _wanted(stream, card, config, mapping, where, input_format)
    if not wanted.stream.classes:
        raise SettingError(f"streams.{stream}.classes", [], "named: their order says which class a model means")
    training.register(wanted, training.judge(wanted, artifact), terminal())


def _wanted(
    stream: str,
    source: str | None,
    config: Path | None,
    mapping: list[str] | None,
    where: list[str] | None,
    input_format: str | None,
) -> "Wanted":
    from consumers import plans, training
    from consumers.settings import find_stream, load
    from stream.training.gathering import Span

    settings = load(config)
    chosen = find_stream(settings, stream)
    plan = None
    if source is not None:
        plan = plans.make(
            settings,
            source=source,
            stream=stream,
            mapping=plans.pairs("--map", mapping or []),
            where=plans.pairs("--where", where or []),
            input_format=input_format,
        )
    span = Span(chosen.training.rows)
    return training.Wanted(settings, stream, chosen, plan, span, chosen.training.budget, chosen.seed)


def _moment(option: str, word: Any, otherwise: float) -> float:
    """Seconds since the epoch."""
    if word is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        raise SettingError(option, word, "a date and time such as 2024-01-31T12:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
