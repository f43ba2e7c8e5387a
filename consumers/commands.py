"""The commands that run on Kafka and do not end by themselves: ``rotwatch consume | monitor``."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from stream.config import Settings
from stream.errors import SettingError

Config = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="ROTWATCH_CONFIG", help="Settings file (TOML).", dir_okay=False)
]

StreamName = Annotated[str, typer.Option("--stream", help="Stream of the settings.")]

MetricsPort = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Serve /metrics, /livez and /readyz here; further workers take the ports above it."
    ),
]


def consume(
    stream: StreamName,
    config: Config = None,
    warm_up: Annotated[
        str | None, typer.Option(help="Rows to train on where there is no state yet: a file as replay takes it.")
    ] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN of the warm-up's rows, where they have other names.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE: warm up on such rows only.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes; partitions are shared among all of the group's.")] = 1,
    metrics_port: MetricsPort = None,
) -> None:
    """Score a stream's events on Kafka and learn from its labels, until stopped (SIGTERM)."""
    from consumers import pool, service
    from consumers.kafka.roles import SCORER
    from consumers.settings import find_stream, load

    if workers > 1:
        raise typer.Exit(pool.run(workers, metrics_port))
    settings = load(config)
    begin = warm_begin(settings, stream, warm_up, mapping, where)
    chosen = find_stream(settings, stream)
    made = service.Service(settings, stream, chosen, SCORER, metrics_port, begin)
    service.serve(made, pool.stopping())


def monitor(stream: StreamName, config: Config = None, metrics_port: MetricsPort = None) -> None:
    """Judge a stream's models by its labelled records on Kafka, until stopped (SIGTERM)."""
    from consumers import pool, service
    from consumers.kafka.roles import MONITOR
    from consumers.settings import find_stream, load

    settings = load(config)
    made = service.Service(settings, stream, find_stream(settings, stream), MONITOR, metrics_port)
    service.serve(made, pool.stopping())


def warm_begin(
    settings: Settings, stream: str, warm_up: str | None, mapping: list[str] | None, where: list[str] | None
) -> Callable[[], Any] | None:
    """What makes models on a warm-up, None without one; raises SettingError where the words do not go together."""
    from consumers import plans, service
    from consumers.settings import find_stream

    if warm_up is None:
        if mapping or where:
            raise SettingError("--warm-up", None, "a file, where --map or --where is given")
        return None
    plan = plans.make(
        settings,
        source=warm_up,
        stream=stream,
        mapping=plans.pairs("--map", mapping or []),
        where=plans.pairs("--where", where or []),
    )
    return service.warm_models(plan, find_stream(settings, stream))
