"""The command line: ``rotwatch demo | replay | produce | consume | monitor | topics | state | models | schema``, ..."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

# One BLAS thread: more would change the last bits of sums from run to run, and cost time on small batches.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import typer  # noqa: E402 - the threads must be set before numpy is imported anywhere

from consumers import models_commands, state_commands  # noqa: E402
from consumers.calibrate import calibrate  # noqa: E402
from consumers.commands import Config, consume, monitor  # noqa: E402
from consumers.training_commands import import_model, train  # noqa: E402
from stream.errors import RotwatchError, SettingError  # noqa: E402

app = typer.Typer(
    help="Notice when a deployed model has rotted.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Work with the settings file.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@app.callback()
def setup(
    log_format: Annotated[str, typer.Option(help="How log lines look: text or json.")] = "text",
    log_level: Annotated[str, typer.Option(help="The least important level shown.")] = "warning",
) -> None:
    """Set up what all commands share."""
    from consumers import logs

    logs.configure(log_format, log_level)


@app.command()
def demo(
    events: Annotated[int, typer.Option(min=5_000, help="Simulated mails.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of what is simulated.")] = 7,
) -> None:
    """Watch a frozen model rot: simulated mail with known changes, then frauds, and real data. No network, no files."""
    from consumers.demo import run

    run(events, seed)


@app.command()
def replay(
    source: Annotated[
        str,
        typer.Argument(
            help="A file (.jsonl, .csv, .parquet, each also .gz), - for standard input, simulator:mail, "
            "simulator:fraud, or the name of a river.datasets class."
        ),
    ],
    config: Config = None,
    stream: Annotated[
        str | None, typer.Option(help="Stream of the settings; without it, settings are read off the first rows.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="FIELD=COLUMN: which column is event_id, time, label, label_time, or a feature."),
    ] = None,
    ignore: Annotated[str, typer.Option(help="Columns that are no features, by commas.")] = "",
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only such rows.")] = None,
    labels: Annotated[str | None, typer.Option(help="A file of labels: event id, time, label.")] = None,
    label_delay: Annotated[
        str, typer.Option(help="How late labels come: a number of events, or a time such as 7d.")
    ] = "0",
    warm_up: Annotated[int | None, typer.Option(min=0, help="Rows to train on before the replay begins.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read no more rows than this.")] = None,
    retrain: Annotated[
        str, typer.Option(help="Fit the baseline anew: never, on-alarm, or periodic:N (labelled events).")
    ] = "never",
    compare_detectors: Annotated[
        bool, typer.Option("--compare-detectors", help="Show what river's detectors and fixed windows would have told.")
    ] = False,
    segment: Annotated[str, typer.Option(help="Show figures per so many rows, or from each of some rows on.")] = "0",
    speed: Annotated[str, typer.Option(help="max, realtime, or a multiple such as x100.")] = "max",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report, predictions, alarms, dead letters and summary.json.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="How they are written: jsonl or parquet.")] = "jsonl",
    input_format: Annotated[
        str | None, typer.Option(help="jsonl, csv or parquet, where the name does not say.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew over what --out holds.")] = False,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Serve /metrics, /livez and /readyz here meanwhile.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Use this baseline instead: a name, field:NAME, none, or registry:champion, :challenger, :N."
        ),
    ] = None,
    online: Annotated[str | None, typer.Option(help="Use this online model instead: a name, or field:NAME.")] = None,
) -> None:
    """Run a file's events through both models, as if they came now, and show what drift has cost."""
    from consumers import plans, pool
    from consumers.settings import load

    settings = load(config)
    plan = plans.make(
        settings,
        source=source,
        stream=stream,
        mapping=plans.pairs("--map", mapping or []),
        ignore=[name for name in ignore.split(",") if name],
        where=plans.pairs("--where", where or []),
        labels=labels,
        label_delay=label_delay,
        segment=segment,
        speed=speed,
        input_format=input_format,
        retrain=retrain,
        compare=compare_detectors,
        models={"baseline": baseline, "online": online},
    )
    plan.warm_up, plan.limit, plan.out, plan.form, plan.fresh = warm_up, limit, out, form, fresh
    from consumers.screen import show

    if not show(plan, settings.metrics, metrics_port, pool.stopping()):
        where_to = f" in {out}" if out else ", nothing was kept (there was no --out)"
        typer.echo(f"Stopped; what was done is kept{where_to}." if out else f"Stopped{where_to}.", err=True)
        raise typer.Exit(130)


@app.command()
def topics(
    stream: Annotated[str, typer.Option(help="Stream of the settings.")],
    check: Annotated[bool, typer.Option("--check", help="Make none, only say what is there.")] = False,
    config: Config = None,
) -> None:
    """Make a stream's Kafka topics where they are missing, and see that all are as they must be."""
    from consumers.kafka import topics as kafka_topics
    from consumers.settings import find_stream, load

    settings = load(config)
    look = kafka_topics.check if check else kafka_topics.ensure
    findings = look(settings.kafka, stream, find_stream(settings, stream))
    if not kafka_topics.report(findings):
        raise typer.Exit(1)


@app.command()
def produce(
    source: Annotated[
        str,
        typer.Argument(
            help="A file, - for standard input, simulator:mail, simulator:fraud, or a river.datasets class, "
            "as in replay."
        ),
    ],
    stream: Annotated[str, typer.Option(help="Stream of the settings.")],
    config: Config = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as can be.")] = 0.0,
    skip: Annotated[int, typer.Option(min=0, help="Leave out the first rows, such as those of a warm-up.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Read no more rows than this, skipped ones included.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="FIELD=COLUMN: which column is event_id, time, label, label_time, or a feature."),
    ] = None,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: keep only such rows.")] = None,
    labels: Annotated[str | None, typer.Option(help="A file of labels: event id, time, label.")] = None,
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Send events only.")] = False,
    label_delay: Annotated[
        str, typer.Option(help="How late labels come: a number of events, or a time such as 7d.")
    ] = "0",
    input_format: Annotated[
        str | None, typer.Option(help="jsonl, csv or parquet, where the name does not say.")
    ] = None,
) -> None:
    """Send a file's events and labels to a stream's Kafka topics, at a rate."""
    from consumers import plans, pool
    from consumers import produce as producing
    from consumers.settings import load

    settings = load(config)
    production = producing.make(
        settings,
        source=source,
        stream=stream,
        mapping=plans.pairs("--map", mapping or []),
        where=plans.pairs("--where", where or []),
        labels=labels,
        no_labels=no_labels,
        label_delay=label_delay,
        input_format=input_format,
        skip=skip,
        limit=limit,
    )
    if not producing.show(production, settings.kafka, rate, pool.stopping()):
        raise typer.Exit(130)


app.command()(train)
app.command()(calibrate)
app.command()(consume)
app.command()(monitor)
app.add_typer(state_commands.app, name="state")
models_commands.app.command("import")(import_model)
app.add_typer(models_commands.app, name="models")


@app.command()
def schema(
    record: Annotated[
        str | None, typer.Argument(help="event, label, prediction, labelled, profile, references, alarm, dead-letter.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help="Show the events and labels that this stream reads.")] = None,
    config: Config = None,
) -> None:
    """Print the JSON Schema of a record, or of all."""
    from consumers.schemas import schemas
    from consumers.settings import find_stream, load

    known = schemas(find_stream(load(config), stream) if stream else None)
    if record is not None and record not in known:
        raise SettingError("RECORD", record, f"one of {', '.join(known)}")
    _print_json(known if record is None else known[record])


@config_app.command("check")
def check(config: Annotated[Path, typer.Argument(help="Settings file (TOML).", dir_okay=False)]) -> None:
    """Say whether a settings file is right, and what is wrong in it."""
    from consumers.settings import check_models, load

    settings = load(config)
    check_models(settings)
    typer.echo(f"{config}: right; streams: {', '.join(settings.streams)}")


def _print_json(value: Any) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def main() -> None:
    """Run a command; a known error is one line on standard error and exit code 2."""
    try:
        app(standalone_mode=True)
    except RotwatchError as error:
        typer.echo(f"rotwatch: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)


if __name__ == "__main__":
    main()
