"""What lies ahead of a worker's tasks: whether to wait for it, when to feed time instead, how far ahead to fetch."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from kafka import TopicPartition

from consumers.kafka.group import Group
from consumers.kafka.held import Held
from consumers.kafka.placement import partition_of
from consumers.runtime import Runtime
from stream.errors import Unavailable

log = structlog.get_logger()

TICK_EVERY = 1.0
"""Seconds without inputs after which time is fed instead."""

LOOK_AGAIN = 0.25
"""Seconds of waiting for a side after which the broker is asked whether it really has more."""

ASK = 2.0
"""Seconds within which the broker must say how far a partition goes; it is asked again."""

ROUTES = 8
"""One in so many records is looked at for its route."""

MOST_BUFFERED = 16_384
"""Records of one partition that are fetched ahead at most."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of one partition that are fetched ahead at most."""


class Backlog:
    """Watches over fetching; ``routed``: the partitions that keys are spread over, 1 where routes do not matter."""

    def __init__(self, group: Group, runtime: Runtime, routed: int) -> None:
        self.group = group
        self.runtime = runtime
        self.routed = routed
        self._looked_at = 0.0
        self._routed = 0  # records so far, so that small fetches are sampled as large ones are

    def tick(self, held: Held) -> float | None:
        """The time to feed when there is nothing else: the stream's clock goes on at the pace of the wall's."""
        assert held.intake is not None  # noqa: S101 - the caller's condition
        since = time.monotonic() - held.fed_at
        if since < TICK_EVERY or held.intake.place.clock == float("-inf"):
            return None
        return held.intake.place.clock + since

    def wait_for(self, held: Held, side: int) -> bool:
        """Whether a side without records has more: fetched up to the end that is known, or not.

        Raises nothing: a batch is being cut meanwhile. While the broker does not answer, more may come.
        """
        try:
            return self._has_more(held, side)
        except Unavailable as error:
            log.debug("cannot ask how far a partition goes", task=held.task, reason=str(error))
            return True

    def _has_more(self, held: Held, side: int) -> bool:
        tp = held.inputs[side]
        position, end = self.group.position(tp), self.group.highwater(tp)
        if end is not None and position >= end:
            held.waiting.pop(side, None)
            held.asked.pop(side, None)
            return False
        now = time.monotonic()
        if side not in held.asked and now - held.waiting.setdefault(side, now) < LOOK_AGAIN:
            return True
        if now - held.asked.get(side, 0.0) < LOOK_AGAIN:
            return False
        # Behind the last committed record there may be only an open transaction's, which may never come.
        held.asked.pop(side, None)
        held.waiting[side] = now
        if position < self.group.ends([tp], ASK)[tp]:
            return True
        held.asked[side] = now
        return False

    def check_routes(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        """Count records that a producer has put into another partition than their key's: event and label miss there."""
        partitions = self.routed
        if partitions == 1:
            return
        # By Java's partitioner; librdkafka's own default is another one. Sampled: in Python it takes its time.
        first = -self._routed % ROUTES
        self._routed += len(records)
        for record in records[first::ROUTES]:
            if record.key is None or partition_of(record.key, partitions) != tp.partition:
                if not self.runtime.misrouted:
                    log.warning("a record is not in its key's partition", topic=tp.topic, offset=record.offset)
                self.runtime.misrouted += 1

    def look(self, owned: Iterable[Held]) -> None:
        """Once a second: how many records lie ahead."""
        now = time.monotonic()
        if now - self._looked_at < TICK_EVERY:
            return
        self._looked_at = now
        lag = {}
        for held in owned:
            if held.intake is not None:
                for tp, at in zip(held.inputs, held.intake.place.offsets, strict=True):
                    end = self.group.highwater(tp)
                    lag[tp.topic, tp.partition] = 0 if end is None else max(0, end - at)
        self.runtime.lag = lag

    def throttle(self, owned: Iterable[Held]) -> None:
        """Fetch no further ahead of a slow task than is good for the memory."""
        pause: list[TopicPartition] = []
        resume: list[TopicPartition] = []
        for held in owned:
            if held.intake is None:
                continue
            for tp, side in zip(held.inputs, held.intake.sides, strict=True):
                full = side.fetched >= MOST_BUFFERED or side.size >= MOST_BYTES
                if full != side.paused:
                    if not full and side.fetched > MOST_BUFFERED // 2:
                        continue
                    side.paused = full
                    (pause if full else resume).append(tp)
        self.group.pause(pause)
        self.group.resume(resume)
