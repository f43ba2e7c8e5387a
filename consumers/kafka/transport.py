"""The Kafka transport: tasks by consumer group, a transaction a batch, state in a compacted topic.

A task is one partition of events and labels (scorer), or all partitions of the training log (monitor): see placement.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from kafka import TopicPartition

from consumers.kafka import intake
from consumers.kafka.backlog import Backlog
from consumers.kafka.commit import Committer
from consumers.kafka.group import Group
from consumers.kafka.held import Held
from consumers.kafka.inflow import Inflow, skip_deleted
from consumers.kafka.intake import Intake, Mark, Place
from consumers.kafka.losses import Loss, without
from consumers.kafka.outage import Outage
from consumers.kafka.outputs import Encoder
from consumers.kafka.placement import Placement, group_id, placement, state_keys, transactional_id
from consumers.kafka.publisher import Publisher
from consumers.kafka.reader import Reader
from consumers.kafka.recovery import Recoverer, Standing
from consumers.kafka.roles import Role, decode_sides
from consumers.kafka.tenancy import Tenancy
from consumers.runtime import Runtime
from consumers.transport import Batch, Loaded, Notice, Recovery
from stream.broker import Kafka
from stream.config import Stream, topic
from stream.errors import CommitFailed, Fenced, StateError, Unavailable
from stream.records import Outputs, Swap
from stream.snapshot import Snapshot

log = structlog.get_logger()


class OnItsWay:
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
        self.tenancy = Tenancy(role, name, stream, self.group, self.runtime, self._new)
        self.owned = self.tenancy.owned
        self.inflow = Inflow(
            self.group,
            self.tenancy,
            Backlog(self.group, self.runtime, 1 if role.whole else stream.partitions),
            Outage(self.group, self.runtime),
            self.decoder,
            max_ahead=stream.max_ahead,
            retake=2 * kafka.session_timeout,
        )

    # -- polling

    def poll(self, most: int, timeout: float) -> Sequence[Notice]:
        """See inflow.Inflow.poll."""
        return self.inflow.poll(most, timeout)

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
        if held.refused:
            raise StateError(f"{task}: {held.refused}")
        identity = transactional_id(self.role, self.name, held.placed)
        publisher = Publisher(self.connection, identity, self.kafka.transaction_timeout)
        try:
            publisher.start()
            standing = held.recoverer.standing(self.group.committed(held.inputs))
            if not standing.generations and not self.role.whole:
                held.recoverer.begins_with(self.group.committed(self._first_inputs()))
            if held.standing is not None:  # its memory may still be good, and then nothing is loaded
                same = held.standing.generations == standing.generations
                if same and standing.generations and held.standing.number == standing.number:
                    held.recoverer.stands(held.standing.place.offsets, standing)
                known = held.standing.manifests if same else held.recoverer.manifests(standing.generations)
                standing.manifests = known
            held.standing = standing
            place = standing.place.copy()
            held.intake = Intake(decode_sides(self.decoder, held.placed.sources), place, ordered=not self.role.whole)
            held.intake.owe(held.owed)
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

    def _first_inputs(self) -> list[TopicPartition]:
        """Those of all tasks' whose offsets say where the states begin."""
        every = (placement(self.role, self.name, self.stream, p) for p in range(self.stream.partitions))
        return [placed.inputs[0] for placed in every]

    def _begin(self, held: Held, place: Place) -> None:
        """Put the consumer where the task stands; what retention has deleted there is told."""
        begins = self.group.begins(held.inputs)
        for side, tp in enumerate(held.inputs):
            skip_deleted(held, side, place.offsets[side], begins[tp])
        self.group.seek({tp: max(begins[tp], at) for tp, at in zip(held.inputs, place.offsets, strict=True)})

    def _load(self, held: Held, standing: Standing) -> Loaded:
        # One of its own, to which no time is ahead: what was not believed then, the journal says.
        decode = decode_sides(self.role.decoder(self.stream), held.placed.sources)
        loaded, held.owed = held.recoverer.load(standing, decode)
        if held.intake is not None:
            held.intake.owe(held.owed)
        return loaded

    # -- committing

    def commit(self, task: str, batch: Batch | None, outputs: Outputs, snapshot: Snapshot | None) -> "OnItsWay":
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
            if mark.begin.offsets != held.standing.place.offsets:
                held.leave()
                raise CommitFailed(f"{task}: the batch does not begin where the last one ended; it is read anew")
            entry = mark.entry(held.standing.number + 1, batch.inputs, self.code)
        with self._given_up(held):
            held.underway = held.committer.commit(held.standing, entry, tables, records, snapshot, self.group.member)
        told = [] if mark is None else mark.losses()
        return OnItsWay(held.underway, partial(self._ended, held, held.committer, held.underway, told, began))

    def _ended(
        self, held: Held, committer: Committer, underway: Future[Standing], told: list[Loss], began: float
    ) -> float:
        with self._given_up(held):
            try:
                held.standing = underway.result()
            finally:
                held.underway = None
        held.owed = without(held.owed, told)
        return committer.ended - began

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

    def swap(self, task: str, swap: Swap) -> Batch:
        """A swap's batch, behind the last commit; that is durable, and all that was polled has been fed."""
        held = self.owned.get(task)
        if held is None or held.lost_at is not None:
            raise Fenced(f"{task}: is not this worker's any more")
        if held.standing is None:
            raise CommitFailed(f"{task}: must be recovered first, its last commit has failed")
        return intake.of_swap(swap, held.standing.place)

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
        if held is None:
            return
        held.leave()
        try:
            self.group.pause([tp for tp in held.inputs if tp in self.tenancy.given])
        except Unavailable as error:
            # What still comes of it is dropped; a rebalance, and any new client, pauses it too.
            log.warning("cannot pause a task's partitions", task=task, reason=str(error))

    def close(self) -> None:
        """Let everything go; uncommitted work is dropped, and others have the tasks at once."""
        for held in self.tenancy.tasks.values():
            held.leave()
        self.owned.clear()
        self.group.close()
        self.reader.close()
