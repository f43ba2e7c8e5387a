"""The commit: outputs, journal, position and now and then a checkpoint, in one transaction."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from threading import Thread
from typing import Any

from kafka import errors as kafka_errors

from consumers.kafka.intake import Place
from consumers.kafka.journal import RING, Entry
from consumers.kafka.outputs import Outgoing
from consumers.kafka.placement import Placement
from consumers.kafka.publisher import Publisher, TooLarge
from consumers.kafka.recovery import Standing
from consumers.kafka.state import LARGEST, LAYOUT, Blob, Manifest, Pointer, Record, StateKeys, blob, body_name, dropped
from stream.errors import CommitFailed, RecordError, StateError
from stream.snapshot import Snapshot

STEPS = ("begin", "outputs", "journal", "checkpoint", "settle", "offsets", "commit", "done")


HURRY = 2.0
"""Seconds in which a commit that is given up must come to its end; its thread is left alone then."""

Table = tuple[str, list[tuple[bytes, bytes]]]
"""A topic, and the keys and values for it."""

Sent = tuple[list[Record], list[int]]
"""Records, and the places that they have among those of the transaction."""


class Committer:
    """Commits the batches of one task with one producer, which is of no use after the first failure.

    ``code`` is the fingerprint of the code.
    """

    def __init__(
        self,
        publisher: Publisher,
        keys: StateKeys,
        placed: Placement,
        code: str,
        at_step: Callable[[str], None],
    ) -> None:
        self.publisher = publisher
        self.keys = keys
        self.inputs = placed.inputs
        self.state = placed.state
        self.partitions = placed.partitions
        self.code = code
        self.at_step = at_step
        # When the last commit became durable, by time.perf_counter.
        self.ended = 0.0
        self._underway: Future[Standing] | None = None

    def commit(
        self,
        standing: Standing,
        entry: Entry | None,
        tables: Iterable[Table],
        outputs: Iterable[Outgoing],
        snapshot: Snapshot | None,
        member: Any,
    ) -> Future[Standing]:
        """Make a batch durable, or a snapshot alone; the future gives where the task stands behind it.

        1. begin: the transaction
        2. outputs: each record to its topic, in the task's partition
        3. journal: the batch's entry, sealed
        4. checkpoint, if one is given: segments that are not there yet, and the body
        5. settle: wait for every record's future and look at it. Of a checkpoint, the offsets are known now: its sealed
           manifest follows, and tombstones for segments that neither of the two newest manifests names; settle again
        6. offsets: the position behind the batch, with where the state begins, as the group's member
        7. commit
        8. done

        The caller's thread takes the first four steps: behind them the task may be fed again. The others, which wait
        for the broker, are taken by a thread of the committer's own; nothing else may be committed meanwhile.

        The call or its future raises Fenced, CommitFailed, RecordError where an output is larger than its topic takes,
        and StateError where the state topic does not take what is to be kept. Nothing of a transaction that failed is
        ever seen by readers of committed data.
        """
        publisher, after = self.publisher, standing
        with self._told():
            self.at_step("begin")
            publisher.begin()
            self.at_step("outputs")
            for topic, records in tables:
                publisher.send_all(topic, self.state.partition, records)
            for record in outputs:
                publisher.send(record.topic, self.state.partition, record.key, record.value, record.headers)
            self.at_step("journal")
            if entry is not None:
                self._room(standing, entry)
                self._send(self.keys.entry(entry))
                place = Place(list(entry.end), entry.clock)
                after = Standing(entry.number, place, standing.generations, standing.manifests)
            sent = None
            if snapshot is not None:
                self.at_step("checkpoint")
                sent = self._chunks(after, snapshot)
        underway: Future[Standing] = Future()
        self._underway = underway
        Thread(
            target=self._run, args=(underway, after, sent, member), name=f"commit {self.keys.place}", daemon=True
        ).start()
        return underway

    def _run(self, underway: Future[Standing], *args: Any) -> None:
        try:
            after = self._finish(*args)
        except BaseException as error:  # noqa: BLE001 - raised where the end is asked for
            underway.set_exception(error)
        else:
            self.ended = time.perf_counter()
            underway.set_result(after)

    def _finish(self, after: Standing, sent: dict[str, Sent | Blob] | None, member: Any) -> Standing:
        publisher = self.publisher
        with self._told():
            self.at_step("settle")
            offsets = publisher.settle()
            if sent is not None:
                after = self._seal(after, sent, offsets)
            self.at_step("offsets")
            said = after.found(self.partitions).dump()
            ends = zip(self.inputs, after.place.offsets, strict=True)
            publisher.offsets({tp: (at, "" if i else said) for i, (tp, at) in enumerate(ends)}, member)
            self.at_step("commit")
            publisher.commit()
            self.at_step("done")
        return after

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except TooLarge as error:
            if error.topic == self.state.topic:
                raise StateError(
                    f"{self.keys.place}: what is to be kept of the task is larger than {error.topic} takes: set its "
                    f"max.message.bytes to {LARGEST} at least"
                ) from error
            raise RecordError("", f"what came of it is larger than the topic takes: {error}") from error
        except kafka_errors.KafkaError as error:
            raise CommitFailed(f"{self.keys.place}: {type(error).__name__}: {error}") from error

    def _room(self, standing: Standing, entry: Entry) -> None:
        oldest = min(
            (
                standing.manifests[p.generation].number
                for p in standing.generations
                if p.generation in standing.manifests
            ),
            default=entry.number,
        )
        if entry.number - oldest >= RING:
            raise StateError(f"{self.keys.place}: the journal is full: no checkpoint since batch {oldest}")

    def _chunks(self, standing: Standing, snapshot: Snapshot) -> dict[str, Sent | Blob]:
        """Send what is not there yet of a snapshot's segments, and its body, whose name is empty."""
        generation = _next(standing)
        known = {name: at for m in standing.manifests.values() for name, at in m.segments.items()}
        sent: dict[str, Sent | Blob] = {}
        for name, make in snapshot.segments.items():
            there = known.get(name)
            sent[name] = self._send_all(self.keys.chunks(name, make(), generation)) if there is None else there
        sent[""] = self._send_all(self.keys.chunks(body_name(generation), snapshot.body, generation))
        return sent

    def _seal(self, standing: Standing, sent: dict[str, Sent | Blob], offsets: list[int]) -> Standing:
        """Send the manifest of what has been sent, by its offsets, and tombstones for what goes."""
        generation = _next(standing)
        blobs = {
            name: part if isinstance(part, Blob) else blob(part[0], [offsets[at] for at in part[1]])
            for name, part in sent.items()
        }
        body = blobs.pop("")
        manifest = Manifest(
            LAYOUT,
            generation,
            standing.number,
            standing.place.offsets,
            standing.place.clock,
            self.partitions,
            self.code,
            body,
            blobs,
        )
        at = self._send(self.keys.manifest(manifest))
        kept = standing.generations[-1:]
        self._forget(standing, manifest, kept)
        pointer = Pointer(generation, body.first, self.publisher.settle()[at])
        manifests = {p.generation: standing.manifests[p.generation] for p in kept if p.generation in standing.manifests}
        return Standing(standing.number, standing.place, [*kept, pointer], {**manifests, generation: manifest})

    def _forget(self, standing: Standing, manifest: Manifest, kept: Sequence[Pointer]) -> None:
        """Tombstones for what only the generation that now goes has named."""
        alive = [
            manifest.segments,
            *(standing.manifests[p.generation].segments for p in kept if p.generation in standing.manifests),
        ]
        for generation, old in standing.manifests.items():
            if generation not in {p.generation for p in kept}:
                for name, at in dropped(old.segments, alive).items():
                    self._send_all(self.keys.tombstones(name, at))

    def _send(self, record: Record) -> int:
        return self.publisher.send(self.state.topic, self.state.partition, record.key, record.value, record.headers)

    def _send_all(self, records: list[Record]) -> Sent:
        return records, [self._send(record) for record in records]

    def close(self) -> None:
        """Let the producer go; what is under way is given up, and an open transaction is aborted."""
        if self._underway is not None and not self._underway.done():
            self.publisher.give_up()
            wait([self._underway], HURRY)
        self.publisher.close()


def _next(standing: Standing) -> int:
    return standing.generations[-1].generation + 1 if standing.generations else 1
