"""Looking after one role's state on Kafka: what there is of it, whether it can be had again, and beginning it anew."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Literal, NamedTuple, Protocol, Self, TypeVar

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.coordinator.base import ConsumerGroupMetadata
from msgspec.structs import replace

from consumers.kafka.client import BOOTSTRAP_MS, connection, open_client, reaching
from consumers.kafka.commit import Committer
from consumers.kafka.intake import Place
from consumers.kafka.outputs import Outgoing
from consumers.kafka.placement import Placement, group_id, placements, state_keys, transactional_id
from consumers.kafka.publisher import Publisher
from consumers.kafka.reader import Reader
from consumers.kafka.recovery import NEVER, Recoverer, Standing
from consumers.kafka.report import Generation, Input, Report, Verified
from consumers.kafka.roles import Role, decode_sides
from consumers.kafka.state import Manifest, StateKeys
from consumers.restoring import feed_again, restored
from consumers.transport import Task
from stream.broker import Kafka
from stream.config import Stream, undump
from stream.errors import StateError
from stream.fitness import MadeFor
from stream.scoring import MADE_FOR
from stream.snapshot import Snapshot

log = structlog.get_logger()

Start = Literal["earliest", "latest", "committed"]

T = TypeVar("T")

BASELINE = "baseline-"
"""What the name of a baseline's segment begins with; its version follows (stream/models.py)."""


class OldBaseline(NamedTuple):
    """A baseline out of a checkpoint: its version and file, and what the state was made for, if it says so."""

    version: str
    artifact: bytes
    made_for: MadeFor | None


class Digested(Task, Protocol):
    """A task whose state can be compared."""

    def digest(self) -> str:
        """The canonical digest of the state."""


class Upkeep:
    """One role's state of one stream; a context manager. Methods raise TransportError and StateError."""

    def __init__(self, role: Role, name: str, stream: Stream, kafka: Kafka, keys: list[bytes], code: str) -> None:
        self.role = role
        self.name = name
        self.stream = stream
        self.kafka = kafka
        self.keys = keys
        self.code = code
        self.connection = connection(kafka, "rotwatch-state")
        self.reader = Reader(self.connection)
        self.placements = placements(role, name, stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()

    # -- looking

    def inspect(self, placed: Placement) -> Report:
        """What there is of a task; may be asked while somebody is at work on it."""
        report = self._inspect(placed)
        if report.refused or any(generation.refused for generation in report.generations):
            again = self._inspect(placed)
            # Where the task has gone on meanwhile, what was looked for may have been written over.
            return again if again.number != report.number else report
        return report

    def newest(self, placed: Placement, make: Callable[[], T]) -> tuple[Manifest, T]:
        """A task's newest checkpoint that can be used, restored into what ``make`` gives; raises StateError."""
        recoverer = self._recoverer(placed)
        refused = "there is none yet"
        for pointer in reversed(self._standing(recoverer, placed).generations):
            try:
                manifest, body, segments = recoverer.checkpoint(pointer)
            except StateError as error:
                log.warning("checkpoint refused", task=placed.task, generation=pointer.generation, reason=str(error))
                refused = str(error)
                continue
            return manifest, restored(recoverer.keys.place, make, body, segments)
        raise StateError(f"{recoverer.keys.place}: no checkpoint can be used: {refused}")

    def verify(self, placed: Placement, make: Callable[[], Digested]) -> Verified | None:
        """Restore the older checkpoint, feed the journal up to the newer one, and compare; None without two of them.

        Raises StateError where one is refused, or inputs between them are gone.
        """
        recoverer = self._recoverer(placed)
        standing = self._standing(recoverer, placed)
        try:
            return self._verify(recoverer, standing, placed, make)
        except StateError:
            again = self._standing(recoverer, placed)
            if again.generations == standing.generations:
                raise
            return self._verify(recoverer, again, placed, make)  # it was written over: somebody is at work

    def old_baseline(self) -> OldBaseline | None:
        """The baseline in the newest authentic checkpoint that has one, of any task."""
        manifests = []
        for placed in self.placements:
            recoverer = self._recoverer(placed)
            manifests += [(manifest, recoverer) for manifest in self._manifests(placed, recoverer.keys)]
        for manifest, recoverer in sorted(manifests, key=lambda pair: pair[0].clock, reverse=True):
            names = [name for name in manifest.segments if name.startswith(BASELINE)]
            wanted = {name: at for name, at in manifest.segments.items() if name in (*names, MADE_FOR)}
            try:
                found = recoverer.segments(wanted)
            except StateError as error:
                log.warning("baseline refused", task=recoverer.keys.place, reason=str(error))
                continue
            for name in reversed(names):  # the champion's is behind its shadows
                made_for = undump(found[MADE_FOR], MadeFor) if MADE_FOR in found else None
                return OldBaseline(name.removeprefix(BASELINE), found[name], made_for)
        return None

    # -- beginning anew

    def nobody_at_work(self) -> None:
        """Raises StateError while the role's group has members."""
        group = group_id(self.role, self.name)
        settings = {**self.connection, "bootstrap_timeout_ms": BOOTSTRAP_MS}
        with reaching(self.kafka), closing(open_client(KafkaAdminClient, **settings)) as admin:
            members = admin.describe_groups([group])[group]["members"]
        if members:
            raise StateError(
                f"group {group} has {len(members)} members: stop all rotwatch processes of stream {self.name} in this "
                f"role first (one that was killed counts for {float(self.kafka.session_timeout):g} s more)"
            )

    def positions(self, placed: Placement, start: Start) -> list[int]:
        """Where a task is to begin: offsets of its inputs; the first there is where none was committed."""
        bounds = self.reader.bounds(placed.inputs)
        if start != "committed":
            return [bounds[tp][start == "latest"] for tp in placed.inputs]
        known = self._committed(placed)
        found = []
        for tp in placed.inputs:
            at, (begin, end) = known[tp], bounds[tp]
            if at is not None and at[0] > end:
                raise StateError(
                    f"{tp.topic}-{tp.partition} ends with offset {end}, and {at[0]} was committed: it has been made "
                    "anew. Begin --from earliest or latest"
                )
            found.append(begin if at is None else at[0])
        return found

    def begin(self, placed: Placement, offsets: list[int], snapshot: Snapshot | None) -> None:
        """Forget a task's state and let it begin at ``offsets``, with a snapshot where that is something.

        In one transaction: tombstones over all that there is of it, its new position, and its first checkpoint. Raises
        StateError while somebody is at work on the role.
        """
        self.nobody_at_work()
        keys = state_keys(self.role, self.name, placed, self.keys)
        identity = transactional_id(self.role, self.name, placed)
        publisher = Publisher(self.connection, identity, self.kafka.transaction_timeout)
        committer = Committer(publisher, keys, placed, self.code, lambda _: None)
        try:
            publisher.start()
            tombstones = [Outgoing(placed.state.topic, key, None) for key in self._living_keys(placed)]
            member = ConsumerGroupMetadata(group_id=group_id(self.role, self.name))
            committer.commit(
                Standing(0, Place(offsets, NEVER), [], {}), None, [], tombstones, snapshot, member
            ).result()
        finally:
            committer.close()

    # -- reading

    def _recoverer(self, placed: Placement) -> Recoverer:
        return Recoverer(self.reader, state_keys(self.role, self.name, placed, self.keys), placed, code=self.code)

    def _standing(self, recoverer: Recoverer, placed: Placement) -> Standing:
        return recoverer.standing(self._committed(placed))

    def _committed(self, placed: Placement) -> dict[TopicPartition, tuple[int, str] | None]:
        """The group's offsets and their metadata; asked without being a member."""
        found: dict[TopicPartition, tuple[int, str] | None] = {}
        settings = {
            **self.connection,
            "bootstrap_timeout_ms": BOOTSTRAP_MS,
            "group_id": group_id(self.role, self.name),
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
        }
        with reaching(self.kafka), closing(open_client(KafkaConsumer, **settings)) as consumer:
            for tp in placed.inputs:
                known = consumer.committed(
                    tp, metadata=True, timeout_ms=45_000
                )  # an open transaction may take 40 s to be given up
                found[tp] = None if known is None or known.offset < 0 else (known.offset, known.metadata or "")
        return found

    def _inspect(self, placed: Placement) -> Report:
        recoverer = self._recoverer(placed)
        report = Report(placed.task)
        try:
            standing = self._standing(recoverer, placed)
        except StateError as error:
            report.refused = str(error)
            return report
        report.number = standing.number
        bounds = self.reader.bounds(placed.inputs)
        for tp, at in zip(placed.inputs, standing.place.offsets, strict=True):
            report.inputs.append(Input(f"{tp.topic}-{tp.partition}", at, max(0, bounds[tp][1] - at)))
        report.anew = not standing.generations
        usable = []
        for pointer in standing.generations:
            try:
                manifest, body, segments = recoverer.checkpoint(pointer)
            except StateError as error:
                report.generations.append(Generation(pointer.generation, refused=str(error)))
                continue
            usable.append(pointer)
            sizes = len(body), len(segments), sum(map(len, segments.values()))
            same = manifest.code == self.code
            report.generations.append(Generation(manifest.generation, manifest.number, *sizes, same))
        try:
            if usable or not standing.generations:
                # The journal behind the newest is read too: it must lead to the last batch.
                recoverer.load(replace(standing, generations=usable[-1:]), lambda _side, record: record)
            else:
                report.refused = "no checkpoint can be used: make new state with rotwatch state rebuild, or reset"
        except StateError as error:
            report.refused = str(error)
        return report

    def _verify(
        self, recoverer: Recoverer, standing: Standing, placed: Placement, make: Callable[[], Digested]
    ) -> Verified | None:
        if len(standing.generations) < 2:
            return None
        older, newer = standing.generations[-2:]
        manifest, body, segments = recoverer.checkpoint(newer)
        before, *_ = recoverer.checkpoint(older)
        at = Standing(manifest.number, Place(list(manifest.offsets), manifest.clock), [older], {})
        loaded, lost = recoverer.load(at, decode_sides(self.role.decoder(self.stream), placed.sources))
        if lost:
            gone = ", ".join(f"{loss.source} {loss.first}..{loss.last}" for _, loss in lost)
            raise StateError(f"{recoverer.keys.place}: inputs between the checkpoints have been deleted: {gone}")
        place = recoverer.keys.place
        fed = restored(place, make, loaded.body or b"", loaded.segments)
        for batch in loaded.batches:
            feed_again(place, fed, batch)
        kept = restored(place, make, body, segments)
        same = {before.code, manifest.code} == {self.code}
        return Verified(before.number, manifest.number, fed.digest(), kept.digest(), same)

    def _state(self, placed: Placement) -> Iterator[Sequence[Any]]:
        for _, records in self.reader.read(self._span(placed)):
            yield records

    def _span(self, placed: Placement) -> dict[TopicPartition, tuple[int, int]]:
        # To its very end: what is forgotten now must not come back from behind another role's open transaction.
        return {placed.state: self.reader.settled(placed.state)}

    def _living_keys(self, placed: Placement) -> list[bytes]:
        """Every key of the role in the task's part of the state topic that has a value."""
        prefix = f"{self.role.name}/".encode()
        living: dict[bytes, bool] = {}
        for records in self._state(placed):
            living.update((r.key, r.value is not None) for r in records if r.key and r.key.startswith(prefix))
        return [key for key, alive in living.items() if alive]

    def _manifests(self, placed: Placement, keys: StateKeys) -> Iterator[Manifest]:
        """Every authentic manifest, whatever number of partitions it names."""
        for records in self._state(placed):
            for record in records:
                if keys.is_manifest(record) and record.value is not None:
                    try:
                        yield keys.open_manifest(record)
                    except StateError as error:
                        log.warning("checkpoint refused", offset=record.offset, reason=str(error))
