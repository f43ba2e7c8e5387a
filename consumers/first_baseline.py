"""A stream's first baseline: trained when the training log has ``warm_up`` labelled events, and then the champion.

Until then the online model serves alone, and the verdict is ``no_baseline``.
"""

import time
from functools import partial

import structlog
from rich.console import Console

from consumers.kafka.client import connection
from consumers.kafka.training_log import TrainingLog
from consumers.registry.registry import Registry
from consumers.training import Wanted, register, run
from stream.errors import RegistryError, SettingError, TrainingError, Unavailable

log = structlog.get_logger()

LOOK_EVERY = 5.0
"""Seconds between two looks at how long the log has become."""

MORE = 1.05
"""The log must have grown by this before it is read once more: it may hold much that is of no use."""


def train_first(wanted: Wanted, console: Console, progress: Console) -> None:
    """Wait for the labels, train, and have the baseline in use; where there is a champion, nothing is to be done.

    Bears a broker or a registry that does not answer, and rows that cannot be trained on yet. Raises SettingError.
    """
    key, least = f"streams.{wanted.name}.warm_up", wanted.stream.warm_up
    if not least:
        raise SettingError(key, least, "above 0: so many labelled events make the first baseline")
    registry, told, needed = Registry(wanted.settings.registry), "", float(least)
    while True:
        try:
            champion = registry.numbers(wanted.name)[0] if registry.made else None
            if champion is not None:
                console.print(f"{wanted.name} has a champion, version {champion}")
                return
            # Transactions' marks, corrections and repetitions are among them: how many rows there are, gathering tells.
            there = TrainingLog(
                connection(wanted.settings.kafka, "rotwatch-training"), wanted.name, wanted.stream
            ).records
            reason = f"the training log has {there:,} records at most, and {key} is {least:,}"
            if there >= needed:
                needed = there * MORE
                prepare = partial(registry.prepare, wanted.name)
                register(wanted, run(wanted, progress, least, prepare), console, first=True)
                return
        except (TrainingError, Unavailable, RegistryError) as error:
            reason = str(error)
        if reason != told:
            log.info("no first baseline yet", reason=reason)
            told = reason
        time.sleep(LOOK_EVERY)
