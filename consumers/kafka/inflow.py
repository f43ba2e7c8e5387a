"""What comes in for a worker's tasks: records fetched, rebalances, and batches cut of what is there."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

import structlog
from kafka import TopicPartition
from kafka import errors as kafka_errors

from consumers.kafka.backlog import Backlog
from consumers.kafka.group import Group
from consumers.kafka.held import Held
from consumers.kafka.intake import Intake
from consumers.kafka.outage import Outage
from consumers.kafka.recovery import Standing
from consumers.kafka.roles import Decoder
from consumers.kafka.tenancy import Tenancy
from consumers.transport import Arrived, Notice
from stream.errors import Unavailable
from stream.records import Lost

log = structlog.get_logger()

POLL_EVERY = 0.5
"""Seconds for which what has been fetched is fed without asking the group, while commits are under way."""

SILENT = 2.0
"""Seconds without records or a commit's end after which the broker is asked whether it is there: no poll tells."""

ASK = 2.0
"""Seconds in which it must answer."""

GLANCE = 0.01
"""Seconds for which records are waited for before it is seen whether a commit has come to its end."""


class Inflow:
    """Polls for the tasks of a tenancy.

    ``max_ahead``: seconds that a time may lie ahead; ``retake``: seconds after which a fenced task is tried again.
    """

    def __init__(
        self,
        group: Group,
        tenancy: Tenancy,
        backlog: Backlog,
        outage: Outage,
        decoder: Decoder,
        *,
        max_ahead: float,
        retake: float,
    ) -> None:
        self.group = group
        self.tenancy = tenancy
        self.owned = tenancy.owned
        self.backlog = backlog
        self.outage = outage
        self.decoder = decoder
        self.max_ahead = max_ahead
        self.retake = retake
        self._polled = 0.0
        self._heard = time.monotonic()

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """What has happened: at most ``most`` inputs a task; waits up to ``timeout`` seconds for something.

        While a commit is under way the group is not asked: its records are fetched and delivered for POLL_EVERY
        seconds, and then the commit is waited for, and nothing is delivered until its end is known.
        """
        underway = [held.underway for held in self.owned.values() if held.underway is not None]
        notices = [] if underway else self.tenancy.retake(self.retake)
        if notices:
            return notices
        batches: list[Arrived] = []
        # What has been cut or fetched is in no buffer any more: whatever fails behind it, none of it may be dropped.
        try:
            self._catch_up()
            if underway:
                return self._meanwhile(underway, most)
            batches = self._batches(most)
            # What is there is not waited for, yet each poll asks the group: a rebalance must not wait for a full day.
            fetched = self.group.poll(0.0 if batches else timeout)
            self._offer(fetched)
            self._polled = time.monotonic()
            self._listen(heard=bool(fetched))
            notices = self.tenancy.changes()
            if notices:
                # A batch that was cut before the rebalance is still its task's if the task is still here.
                gone = {notice.task for notice in notices}
                return [*[b for b in batches if b.task not in gone], *notices]
            batches = batches or self._batches(most)
            self.backlog.throttle(self.owned.values())
            self.backlog.look(self.owned.values())
        except kafka_errors.OffsetOutOfRangeError as error:
            self._out_of_range(error)
        except Unavailable as error:
            self.outage.goes_on(error, self.tenancy.given, timeout)
        return batches

    def _meanwhile(self, underway: list[Future[Standing]], most: int) -> list[Arrived]:
        """What there is to feed while commits are under way; nothing when one has come to its end."""
        while time.monotonic() - self._polled < POLL_EVERY:
            batches = self._batches(most)
            if batches or any(future.done() for future in underway):
                return batches
            self._offer(self.group.fetch(GLANCE))
        for held in self.owned.values():
            if held.intake is not None:
                held.intake.decode_ahead()
        while wait(underway, SILENT).not_done:
            self._listen(heard=False)  # a commit alone would wait for its transaction's time
        return []

    def _listen(self, *, heard: bool) -> None:
        """See that the broker is there where it has been silent; raises Unavailable."""
        if not heard and time.monotonic() - self._heard > SILENT:
            self.group.ends([self.tenancy.first()], ASK)
            heard = True
        if heard:
            self._heard = time.monotonic()
            self.outage.over()

    def _offer(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Take in what has come; of a task that is being taken away, it goes with the task."""
        self.decoder.latest = time.time() + self.max_ahead
        if fetched:
            self._heard = time.monotonic()
        for tp, records in fetched.items():
            held, side = self.tenancy.of.get(tp, (None, 0))
            if held is not None and held.intake is not None:
                held.intake.offer(side, records)
                self.backlog.check_routes(tp, records)

    def _catch_up(self) -> None:
        """Read on behind the last commit where that is further on than what was polled: a batch was fed in parts."""
        for held in self.owned.values():
            if held.intake is None or held.standing is None:
                continue
            committed = held.standing.place
            if any(at < done for at, done in zip(held.intake.place.offsets, committed.offsets, strict=True)):
                self.group.seek(dict(zip(held.inputs, committed.offsets, strict=True)))
                held.intake = Intake(held.intake.decode, committed.copy(), ordered=held.intake.ordered)
                held.intake.owe(held.owed)

    def _batches(self, most: int) -> list[Arrived]:
        found = []
        for held in self.owned.values():
            # Little is better kept together: cut now, it would only wait for the commit before its own.
            if held.intake is None or (held.underway is not None and held.intake.fetched < most // 4):
                continue
            batch = held.intake.take(most, partial(self.backlog.wait_for, held), self.backlog.tick(held))
            if batch is not None:
                held.fed_at = time.monotonic()
                found.append(Arrived(held.task, batch))
        return found

    def _out_of_range(self, error: kafka_errors.OffsetOutOfRangeError) -> None:
        """Retention, or somebody who deleted records, was quicker than we: go on where there is something."""
        tps = [tp for arg in error.args if isinstance(arg, dict) for tp in arg]
        try:
            begins = self.group.begins(tps)
            for tp in tps:
                self._go_on(tp, begins[tp])
        except Unavailable as why:
            self.outage.goes_on(why, self.tenancy.given, 0.0)  # the next poll meets the same gap again

    def _go_on(self, tp: TopicPartition, begin: int) -> None:
        held, side = self.tenancy.of.get(tp, (None, 0))
        if held is None or held.intake is None or held.refused:
            self.group.pause([tp])  # nobody reads it now
            return
        last = held.intake.sides[side].last
        position = max(held.intake.place.offsets[side], 0 if last is None else last + 1)
        if begin < position:
            held.refused = (
                f"{tp.topic}-{tp.partition} ends before offset {position}, which was read before: it has been made "
                "anew. See rotwatch state reset"
            )
            return
        skip_deleted(held, side, position, begin)
        self.group.seek({tp: begin})


def skip_deleted(held: Held, side: int, position: int, begin: int) -> None:
    """Tell a task of the inputs that retention has deleted between where it is and where a partition begins."""
    if begin > position and held.intake is not None:
        lost = Lost(held.placed.sources[side], position, begin - 1)
        log.error("retention has deleted inputs that were not read", task=held.task, lost=str(lost))
        held.intake.lose(side, lost)
