"""What a worker does while its polls are not answered: wait a little longer each time, then take a new client."""

import time

import structlog
from kafka import TopicPartition

from consumers.kafka.group import Group
from consumers.runtime import Runtime
from stream.errors import Unavailable

log = structlog.get_logger()

GIVE_UP = 60.0
"""Seconds of errors from one client after which a new one is made."""

FIRST_PAUSE = 0.5

MOST_PAUSE = 4.0
"""Seconds between two polls at most."""


class Outage:
    """How long the broker has not answered, if it has not."""

    def __init__(self, group: Group, runtime: Runtime) -> None:
        self.group = group
        self.runtime = runtime
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    def over(self) -> None:
        """The broker has answered."""
        self._since, self.runtime.away = None, ""

    def goes_on(self, error: Unavailable, given: set[TopicPartition], most: float) -> None:
        """It has not; waits ``most`` seconds at most. ``given``: the partitions that a client given up had."""
        now = time.monotonic()
        self.runtime.unavailable += 1
        self.runtime.away = str(error)
        if self._since is None:
            log.warning("cannot poll; trying again", reason=str(error))
            self._since, self._pause = now, FIRST_PAUSE
        elif now - self._since > GIVE_UP:
            log.warning("a new client is made", reason=str(error))
            self._since = None
            self.group.abandon(given)
        time.sleep(min(most, self._pause))
        self._pause = min(MOST_PAUSE, 2 * self._pause)
