"""``rotwatch consume`` and ``rotwatch monitor``: one worker of a stream's scorer or monitor on Kafka, until stopped.

Scorers that have no state yet begin with models made on a warm-up, rows of a file, or with nothing: then the online
model serves alone. Whatever they begin with is kept in Kafka before their first batch, so that another machine needs
no file to go on.
"""

import copy
import gc
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from consumers.exporter import Exporter
from consumers.fingerprint import fingerprint
from consumers.following import Following
from consumers.health import HealthServer
from consumers.kafka.client import connection
from consumers.kafka.roles import MONITOR, Role
from consumers.kafka.topics import check
from consumers.kafka.transport import KafkaTransport
from consumers.outgoing import Format
from consumers.plans import Plan, renamed
from consumers.redaction import redaction
from consumers.runtime import Runtime
from consumers.seal import load_keys
from consumers.start import Rows, given, side_by_side
from consumers.worker import Worker
from stream.config import Settings, Stream
from stream.decoding import RecordDecoder
from stream.errors import RecordError, SettingError, SourceError, TransportError
from stream.given import GIVEN, GivenScore
from stream.models import Models
from stream.monitoring import MonitoringTask
from stream.sample import Sample
from stream.scoring import ScoringTask
from stream.warmup import name_classes, warm_up

log = structlog.get_logger()

MOST_PAUSE = 5.0
"""Seconds between two looks for the broker at most: a worker that waits must hear that it is to stop."""


class Service(Struct):
    """What to run: a stream's role, and where its metrics are shown (None: nowhere, 0: any free port)."""

    settings: Settings
    name: str
    stream: Stream
    role: Role
    metrics_port: int | None = None
    begin: Callable[[], Models] | None = None


def serve(service: Service, stop: Callable[[], bool], at_step: Callable[[str], None] = lambda _: None) -> None:
    """Run a service until ``stop`` says so; raises SettingError and StateError for what waiting does not mend."""
    settings, name, role = service.settings, service.name, service.role
    stream = name_classes(f"streams.{name}", service.stream, [])
    keys = _keys(settings)
    registry, exporter = _metrics(service)
    server = watcher = None
    if service.metrics_port is not None:
        server = HealthServer(registry, exporter, settings.metrics.host, service.metrics_port)
        server.start()
        log.info("metrics", url=f"http://{server.host}:{server.port}/metrics")
    try:
        if not _topics_right(service, exporter, stop):
            return
        transport = KafkaTransport(
            role,
            name,
            stream,
            settings.kafka,
            connection(settings.kafka, f"rotwatch-{role.name}"),
            keys,
            fingerprint(),
            at_step=at_step,
        )
        exporter.runtime = transport.runtime
        make, begin = _tasks(role, name, stream, service.begin)
        watcher = _watcher(service, stream, transport.runtime)
        worker = Worker(
            transport,
            make,
            begin=begin,
            batch=settings.worker.batch,
            commit_every=settings.worker.commit_every,
            checkpoint_every=settings.worker.checkpoint_every,
            observer=exporter,
            stop=stop,
            following=watcher and Following(lambda: watcher.swap, transport.swap, transport.runtime),
        )
        # What has been imported stays: a collection that goes through it again and again takes 200 ms each time.
        gc.collect()
        gc.freeze()
        worker.run()
    finally:
        if watcher is not None:
            watcher.stop()
        if server is not None:
            server.stop()


def _tasks(
    role: Role, name: str, stream: Stream, begin: Callable[[], Models] | None
) -> tuple[Callable[[str], Any], Callable[[str], Any]]:
    """What makes a task to be restored, and one that begins anew."""
    if role is MONITOR:
        return (lambda _: MonitoringTask(name, stream)), (lambda _: MonitoringTask(name, stream))
    made: list[Models] = []

    def anew(task: str) -> ScoringTask:
        if not made:
            models = warm_up(f"streams.{name}", stream, []).models if begin is None else begin()
            # Each sees one event in so many.
            models.before = replace(models.before, times=models.before.times[:: stream.partitions])
            made.append(models)
        # Each task learns for itself: none may begin with what another has learned.
        return ScoringTask(name, stream, copy.deepcopy(made[0]), int(task))

    # The models come out of the checkpoint; until then there is nothing to score with.
    return (lambda task: ScoringTask(name, stream, Models(GivenScore("", []), "", None), int(task))), anew


def _watcher(service: Service, stream: Stream, runtime: Runtime) -> Any:
    """What looks at the registry for a scorer; None where the baseline is a score that comes with each event."""
    if service.role is MONITOR or stream.baseline.startswith(GIVEN):
        return None
    from consumers.registry.watching import Watcher

    watcher = Watcher(service.settings.registry, service.name, stream, runtime)
    watcher.start()
    return watcher


def _keys(settings: Settings) -> list[bytes]:
    path = settings.worker.checkpoint_key_file
    if not path:
        wanted = "a file with the key that seals checkpoints, the same for all workers (openssl rand -hex 32 makes one)"
        raise SettingError("worker.checkpoint_key_file", path, wanted)
    return load_keys(Path(path))


def _metrics(service: Service) -> tuple[Any, Exporter]:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    return registry, Exporter(service.name, registry)


def _topics_right(service: Service, exporter: Exporter, stop: Callable[[], bool]) -> bool:
    """Wait until the broker answers; False where ``stop`` said so first. Raises SettingError for topics not right."""
    pause = 0.5
    while not stop():
        exporter.alive()
        try:
            findings = check(service.settings.kafka, service.name, service.stream)
        except TransportError as error:
            exporter.runtime = Runtime(away=str(error))  # until there is a transport to tell
            log.warning("the topics cannot be looked at; trying again", reason=str(error), pause_seconds=pause)
            time.sleep(pause)
            pause = min(MOST_PAUSE, pause * 2)
            continue
        wrong = [f"{finding.topic}: {finding.reason}" for finding in findings if finding.reason]
        if wrong:
            raise SettingError("--stream", service.name, f"one whose topics are right: {'; '.join(wrong)}")
        return True
    return False


def warm_models(plan: Plan, stream: Stream) -> Callable[[], Models]:
    """Makes the models that scorers without a state begin with, on the first rows of a plan, as a replay would.

    What is given raises SourceError where there are too few rows.
    """

    def make() -> Models:
        names = stream.fields
        form = Format(names, renamed(names, plan.mapped))
        first = [
            fields if isinstance(fields, RecordError) else form.under_own_names(fields)
            for fields, _ in islice(Rows(plan.source, plan.where, None)(), stream.warm_up)
        ]
        if len(first) < stream.warm_up:
            raise SourceError(f"{plan.source.name}: has {len(first)} rows, and the warm-up takes {stream.warm_up}")
        numbered = not any(isinstance(row, dict) and names.event_id in row for row in first)
        redact = redaction(f"streams.{plan.name}.features", stream.features)
        least, sample = stream.labels.least_inspection_probability, Sample(stream)
        decoder = RecordDecoder(names, time.time(), stream.max_ahead, numbered=numbered, redact=redact, least=least)
        examples = side_by_side(first, decoder, float(stream.labels.maturity), sample)
        made = warm_up(f"streams.{plan.name}", stream, *given(examples, sample))
        for reason, count in made.unused.items():
            log.warning("warm-up rows left out", count=count, reason=reason)
        return made.models

    return make
