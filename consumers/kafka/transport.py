"""The Kafka transport: tasks by consumer group, a transaction a batch, state in a compacted topic.

A task is one partition of events and labels (scorer), or all partitions of the training log (monitor): see placement.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from kafka import TopicPartition
from kafka import errors as kafka_errors

from consumers.kafka import intake
from consumers.kafka.backlog import Backlog
from consumers.kafka.commit import Committer
from consumers.kafka.group import Group
from consumers.kafka.held import Held
from consumers.kafka.intake import Intake, Mark, Place
from consumers.kafka.outputs import Encoder
from consumers.kafka.placement import Placement, group_id, state_keys, transactional_id
from consumers.kafka.publisher import Publisher
from consumers.kafka.reader import Reader
from consumers.kafka.recovery import Recoverer, Standing
from consumers.kafka.roles import Role, decode_sides
from consumers.kafka.tenancy import Tenancy
from consumers.runtime import Runtime
from consumers.transport import Arrived, Batch, Loaded, Notice, Recovery
from stream.broker import Kafka
from stream.config import Stream, topic
from stream.errors import CommitFailed, Fenced, StateError, Unavailable
from stream.records import Lost, Outputs
from stream.snapshot import Snapshot

log = structlog.get_logger()

GIVE_UP = 60.0
"""Seconds of errors from one client after which a new one is made."""


MOST_PAUSE = 4.0
"""Seconds between two polls at most while the broker does not answer."""

POLL_EVERY = 0.5
"""Seconds for which what has been fetched is fed without asking the group, while commits are under way."""


GLANCE = 0.01
"""Seconds for which records are waited for before it is seen whether a commit has come to its end."""


class Underway:
    """A commit under way; its end is told once."""

    def __init__(self, future: Future[Standing], settle: Callable[[], float]) -> None:
        self.done = future.done
        self.wait = settle


class KafkaTransport:
    """One worker's view of a stream in one role.

    ``connection``: how to reach the broker (client.connection). ``keys``: the first seals checkpoints, all open them.
    ``at_step`` hears each step of a commit: tests kill the process there.
    """

    def __init__(
        self,
        role: Role,
        name: str,
        stream: Stream,
        kafka: Kafka,
        connection: Mapping[str, Any],
        keys: list[bytes],
        code: str,
        *,
        poll_interval: float = 300.0,
        at_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.role = role
        self.name = name
        self.stream = stream
        self.kafka = kafka
        self.connection = dict(connection)
        self.keys = keys
        self.code = code
        self.at_step = at_step
        self.decoder = role.decoder(stream)
        self.encoder = Encoder(name, stream)
        self.reader = Reader(connection)
        self.group = Group(
            connection,
            group_id(role, name),
            [topic(name, stream, kind) for kind in role.reads],
            session_timeout=kafka.session_timeout,
            poll_interval=poll_interval,
            one_member=role.whole,
        )
        self.runtime = Runtime()
        self.backlog = Backlog(self.group, self.runtime, 1 if role.whole else stream.partitions)
        self.tenancy = Tenancy(role, name, stream, self.group, self.runtime, self._new)
        self.owned = self.tenancy.owned
        self._failing: float | None = None
        self._polled = 0.0
        self._pause = 0.5

    # -- polling

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """What has happened: at most ``most`` inputs a task; waits up to ``timeout`` seconds for something.

        While a commit is under way the group is not asked: its records are fetched and delivered for POLL_EVERY
        seconds, and then the commit is waited for, and nothing is delivered until its end is known.
        """
        underway = [held.underway for held in self.owned.values() if held.underway is not None]
        notices = [] if underway else self.tenancy.retake(2 * self.kafka.session_timeout)
        if notices:
            return notices
        batches: list[Arrived] = []
        # What has been cut or fetched is in no buffer any more: whatever fails behind it, none of it may be dropped.
        try:
            if underway:
                return self._meanwhile(underway, most)
            self._catch_up()
            batches = self._batches(most)
            # What is there is not waited for, yet each poll asks the group: a rebalance must not wait for a full day.
            fetched = self.group.poll(0.0 if batches else timeout)
            self._offer(fetched)
            self._polled = time.monotonic()
            notices = self.tenancy.changes()
            self._failing, self.runtime.away = None, ""
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
            self._unavailable(error, timeout)
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
        wait(underway)
        return []

    def _offer(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Take in what has come; of a task that is being taken away, it goes with the task."""
        self.decoder.latest = time.time() + self.stream.max_ahead
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
                held.intake = Intake(held.intake.decode, committed.copy(), ordered=held.intake.ordered)
                self.group.seek(dict(zip(held.inputs, committed.offsets, strict=True)))

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

    # -- recovery

    def _new(self, placed: Placement) -> Held:
        keys = state_keys(self.role, self.name, placed, self.keys)
        return Held(placed, Recoverer(self.reader, keys, placed, code=self.code, runtime=self.runtime))

    def recover(self, task: str) -> Recovery:
        """Where the task goes on.

        1. A new producer takes the transactional id: whoever had the task is fenced off, what it left open is aborted.
        2. The group's offsets are read, which wait for no transaction any more, and what they say of the state.
        3. The consumer is put behind them.
        """
        held = self.owned.get(task)
        if held is None:
            raise Fenced(f"{task}: is not this worker's any more")
        held.leave()
        identity = transactional_id(self.role, self.name, held.placed)
        publisher = Publisher(self.connection, identity, self.kafka.transaction_timeout)
        try:
            publisher.start()
            standing = held.recoverer.standing(self.group.committed(held.inputs))
            if held.standing is not None:  # its memory may still be good, and then nothing is loaded
                same = held.standing.generations == standing.generations
                known = held.standing.manifests if same else held.recoverer.manifests(standing.generations)
                standing.manifests = known
            held.standing = standing
            place = standing.place.copy()
            held.intake = Intake(decode_sides(self.decoder, held.placed.sources), place, ordered=not self.role.whole)
            self._begin(held, place)
        except (CommitFailed, Unavailable) as error:
            held.intake = None
            publisher.close()
            raise Unavailable(f"{task}: {error}") from error
        except BaseException:
            held.intake = None
            publisher.close()
            raise
        held.committer = Committer(publisher, held.recoverer.keys, held.placed, self.code, self.at_step)
        held.fed_at, held.waiting, held.asked, held.lost_at = time.monotonic(), {}, {}, None
        return Recovery(standing.number, lambda: self._load(held, standing))

    def _begin(self, held: Held, place: Place) -> None:
        """Put the consumer where the task stands; what retention has deleted there is told."""
        begins = self.group.begins(held.inputs)
        for side, tp in enumerate(held.inputs):
            self._skip_deleted(held, side, place.offsets[side], begins[tp])
        self.group.seek({tp: max(begins[tp], at) for tp, at in zip(held.inputs, place.offsets, strict=True)})

    def _skip_deleted(self, held: Held, side: int, position: int, begin: int) -> None:
        if begin > position and held.intake is not None:
            lost = Lost(held.placed.sources[side], position, begin - 1)
            log.error("retention has deleted inputs that were not read", task=held.task, lost=str(lost))
            held.intake.lose(side, lost)

    def _load(self, held: Held, standing: Standing) -> Loaded:
        decode = decode_sides(self.decoder, held.placed.sources)
        self.decoder.latest = float("inf")  # what was not believed then, the journal says
        loaded, lost = held.recoverer.load(standing, decode)
        for side, loss in lost:
            if held.intake is not None:
                held.intake.lose(side, loss)
        return loaded

    # -- committing

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> "Underway":
        """Make it durable as one: see commit.Committer, which has the steps. Raises Fenced or CommitFailed."""
        held = self.owned.get(task)
        if held is None or held.lost_at is not None:
            raise Fenced(f"{task}: is not this worker's any more")
        if held.committer is None or held.standing is None:
            # Were it Fenced, the worker would forget a task that the group still says is its own.
            raise CommitFailed(f"{task}: must be recovered first, its last commit has failed")
        began = time.perf_counter()
        mark: Mark | None = None if batch is None else batch.mark
        tables = self.encoder.tables(outputs)
        records = self.encoder.records(outputs, [] if mark is None else mark.records)
        entry = None
        if batch is not None and mark is not None:
            entry = mark.entry(held.standing.number + 1, batch.inputs, self.code)
        with self._given_up(held):
            held.underway = held.committer.commit(held.standing, entry, tables, records, snapshot, self.group.member)
        return Underway(held.underway, partial(self._settle, held, held.underway, began))

    def _settle(self, held: Held, underway: Future[Standing], began: float) -> float:
        with self._given_up(held):
            try:
                held.standing = underway.result()
            finally:
                held.underway = None
        return time.perf_counter() - began

    @contextmanager
    def _given_up(self, held: Held) -> Iterator[None]:
        """A task whose commit fails is fed nothing until it is recovered; one that was fenced off waits longer."""
        try:
            yield
        except Fenced:
            self.runtime.fenced += 1
            held.lost_at = time.monotonic()
            held.leave()
            raise
        except BaseException:
            self.runtime.aborted += 1
            held.leave()
            raise

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """The same inputs in two batches."""
        return intake.split(batch)

    def skip(self, batch: Batch, reason: str) -> Batch:
        """A single input's batch with a Skip in its place."""
        side = batch.mark.sides[0]
        return intake.skip(batch, self.role.reads[0 if self.role.whole or side < 0 else side], reason)

    def leave(self, task: str) -> None:
        """Deliver nothing more of the task until it is recovered; it stays this worker's."""
        held = self.owned.get(task)
        if held is not None:
            held.leave()
            self.group.pause(held.inputs)

    def close(self) -> None:
        """Let everything go; uncommitted work is dropped, and others have the tasks at once."""
        for held in self.tenancy.tasks.values():
            held.leave()
        self.owned.clear()
        self.group.close()
        self.reader.close()

    # -- what goes wrong while polling

    def _unavailable(self, error: Unavailable, timeout: float) -> None:
        now = time.monotonic()
        self.runtime.unavailable += 1
        self.runtime.away = str(error)
        if self._failing is None:
            log.warning("cannot poll; trying again", reason=str(error))
            self._failing, self._pause = now, 0.5
        elif now - self._failing > GIVE_UP:
            log.warning("a new client is made", reason=str(error))
            self._failing = None
            self.group.abandon(self.tenancy.given)
        time.sleep(min(timeout, self._pause))
        self._pause = min(MOST_PAUSE, 2 * self._pause)

    def _out_of_range(self, error: kafka_errors.OffsetOutOfRangeError) -> None:
        """Retention, or somebody who deleted records, was quicker than we: go on where there is something."""
        tps = [tp for arg in error.args if isinstance(arg, dict) for tp in arg]
        try:
            begins = self.group.begins(tps)
        except Unavailable as why:
            self._unavailable(why, 0.0)  # the next poll meets the same gap again
            return
        for tp in tps:
            held, side = self.tenancy.of.get(tp, (None, 0))
            if held is None or held.intake is None:
                continue
            last = held.intake.sides[side].last
            position = max(held.intake.place.offsets[side], 0 if last is None else last + 1)
            if begins[tp] < position:
                raise StateError(
                    f"{tp.topic}-{tp.partition} ends before offset {position}, which was read before: it has been made "
                    "anew. See rotwatch state reset"
                )
            self._skip_deleted(held, side, position, begins[tp])
            self.group.seek({tp: begins[tp]})
