"""``rotwatch state rebuild``: a scorer's state made anew out of the training log, task by task."""

import copy
from collections.abc import Callable
from itertools import islice

import structlog

from consumers.kafka.placement import Placement, partition_of
from consumers.kafka.training_log import TrainingLog
from consumers.kafka.upkeep import OldBaseline, Start, Upkeep
from consumers.restoring import said
from consumers.terminal import terminal
from consumers.upkeep import Ask
from stream import baseline
from stream.config import Stream
from stream.errors import SettingError
from stream.features import key_text
from stream.fitness import unfit
from stream.models import Models
from stream.relearning import Logged, Relearning, Survey
from stream.warmup import warm_up

log = structlog.get_logger()

AT_ONCE = 8
"""Tasks that learn in one passage through the training log: each takes the memory that it takes in a worker."""


def rebuild(upkeep: Upkeep, start: Start, begin: Callable[[], Models] | None, ask: Ask) -> None:
    """Make new scorer state from the training log and print what it was made of.

    ``begin`` makes the models to begin with; without it, that is an untrained online model beside the old baseline.
    """
    console = terminal()
    name, stream = upkeep.name, upkeep.stream
    _check_key(name, stream)
    upkeep.nobody_at_work()
    offsets = {placed.task: upkeep.positions(placed, start) for placed in upkeep.placements}
    training = TrainingLog(upkeep.connection, name, stream)
    old = None if begin is not None or stream.baseline == "none" else upkeep.old_baseline()
    ask(
        f"The state of {len(upkeep.placements)} scorer tasks is made anew out of {training.records:,} records of the "
        "training log at most. Counts begin at 0. Events that wait for a label are forgotten: their labels will find "
        "no event."
    )
    survey = Survey(stream)
    for batch in training:
        survey.feed(batch)
    models = _models(name, stream, begin, old, survey)
    waiting = iter(upkeep.placements)
    while group := list(islice(waiting, AT_ONCE)):
        # Each learns for itself.
        made = {placed.state.partition: Relearning(name, stream, copy.deepcopy(models)) for placed in group}
        for batch in training:
            _learn(made, batch, survey, stream)
        for placed in group:
            learned = made[placed.state.partition]
            upkeep.begin(placed, offsets[placed.task], learned.finish().snapshot())
            line = _learned(placed, learned, offsets[placed.task])
            console.print(line, soft_wrap=True)
    for count, what in (
        (training.unreadable, "records of the training log cannot be read and were left out"),
        (survey.overlooked, "corrections were too many to remember: their events were learned with the first label"),
    ):
        if count:
            console.print(f"{count:,} {what}", soft_wrap=True)
    if stream.features.unlogged:
        names = ", ".join(stream.features.unlogged)
        console.print(
            f"not in the training log: {names}. The online model knows nothing of them, and learns from what comes",
            markup=False,
            soft_wrap=True,
        )
    version = "no baseline: the online model serves alone" if models.baseline is None else models.baseline_version
    console.print(f"baseline: {version}")


def _models(
    name: str, stream: Stream, begin: Callable[[], Models] | None, old: OldBaseline | None, survey: Survey
) -> Models:
    if begin is not None:
        return begin()
    models = warm_up(f"streams.{name}", stream, []).models
    if stream.kind == "anomaly":
        models.thresholds = survey.thresholds()
    if old is not None and models.baseline is None:
        why = "" if old.made_for is None else unfit(old.made_for, stream)
        if not why:
            try:
                models.baseline = baseline.load(old.artifact, stream.kind, old.version)
                models.artifact = old.artifact
            except Exception as error:  # noqa: BLE001 - whatever another scikit-learn's file makes this one raise
                why = f"it cannot be read: {said(error)}"
        if why:
            log.warning(
                "the old baseline is not kept; --warm-up makes a new one, rotwatch train one of the log",
                baseline=old.version,
                reason=why,
            )
    return models


def _check_key(name: str, stream: Stream) -> None:
    """Raises SettingError where the log does not tell to which task an event belongs."""
    key, features = stream.fields.key, stream.features
    there = [*features.logged.columns, *features.keys]
    if key and stream.partitions > 1 and key not in there:
        wanted = (
            "a logged feature, or a field by which entities are remembered: the training log must tell to which of the "
            f"{stream.partitions} tasks an event belongs"
        )
        raise SettingError(f"streams.{name}.fields.key", key, wanted)


def _learn(made: dict[int, Relearning], batch: list[Logged], survey: Survey, stream: Stream) -> None:
    parts: dict[int, list[Logged]] = {number: [] for number in made}
    for logged in batch:
        record = logged.record
        key = key_text(stream.fields, record.features or {}) or record.event_id
        number = partition_of(key.encode(errors="surrogatepass"), stream.partitions)
        if number in parts:
            parts[number].append(survey.corrected(logged))
    for number, part in parts.items():
        made[number].feed(part)


def _learned(placed: Placement, learned: Relearning, offsets: list[int]) -> str:
    left_out = sum(learned.left_out.values())
    reasons = "; ".join(f"{count:,}: {reason}" for reason, count in learned.left_out.items())
    goes_on = ", ".join(f"{tp.topic}-{tp.partition} {at:,}" for tp, at in zip(placed.inputs, offsets, strict=True))
    return (
        f"scorer {placed.task}: learned from {learned.learned:,} records, left out {left_out:,}"
        f"{f' ({reasons})' if reasons else ''}; goes on at {goes_on}"
    )
