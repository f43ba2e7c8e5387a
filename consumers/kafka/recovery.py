"""From what the group's offsets and the state topic say, back to the task: its checkpoint, and its batches since."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from kafka import TopicPartition
from msgspec import Struct
from msgspec.structs import replace

from consumers.kafka.intake import Decode, Place
from consumers.kafka.journal import Entry
from consumers.kafka.journalled import Journalled
from consumers.kafka.losses import Loss, not_replayed, told, without
from consumers.kafka.placement import Placement
from consumers.kafka.reader import Reader
from consumers.kafka.state import Blob, Found, Manifest, Pointer, StateKeys, body_name, found
from consumers.runtime import Runtime
from consumers.transport import Loaded
from stream.errors import StateError
from stream.models import file_segment
from stream.records import Chosen

log = structlog.get_logger()

NEVER = float("-inf")
"""The clock before the first time that is believed."""

GAP = 500
"""Segments that lie no further apart than this many offsets are read in one go."""


class Standing(Struct):
    """Where a task stands by what is committed: its last batch, its place in the inputs, its checkpoints."""

    number: int
    place: Place
    generations: list[Pointer]
    manifests: dict[int, Manifest]

    def found(self, partitions: int) -> Found:
        """What the offsets' metadata is to say."""
        clock = None if self.place.clock == NEVER else self.place.clock
        return Found(self.number, clock, partitions, self.generations)


class Recoverer:
    """Reads one task's state, where it is ``placed``; ``runtime`` counts the checkpoints that are refused."""

    def __init__(
        self, reader: Reader, keys: StateKeys, placed: Placement, *, code: str, runtime: Runtime | None = None
    ) -> None:
        self.reader = reader
        self.keys = keys
        self.state = placed.state
        self.inputs = placed.inputs
        self.sources = placed.sources
        self.partitions = placed.partitions
        self.code = code
        self.runtime = runtime or Runtime()
        self.journalled = Journalled(reader, placed, keys.place)

    def standing(self, committed: Mapping[TopicPartition, tuple[int, str] | None]) -> Standing:
        """Where the task stands, by the group's offsets; by the state topic where the group's offsets have expired.

        Raises StateError where the offsets were not committed by rotwatch, or for another number of partitions.
        """
        known = [at for tp in self.inputs if (at := committed[tp]) is not None]
        if not known:
            return self._search()
        if len(known) < len(self.inputs):
            tp = next(tp for tp in self.inputs if committed[tp] is None)
            raise StateError(
                f"{self.keys.place}: the group has lost its offset of {tp.topic}-{tp.partition}, and not the "
                "others'; has the topic been made anew? See rotwatch state reset"
            )
        said = found(known[0][1])
        self._same_partitions(said.partitions)
        place = Place([offset for offset, _ in known], NEVER if said.clock is None else said.clock)
        return Standing(said.number, place, list(said.generations), {})

    def begins_with(self, committed: Mapping[TopicPartition, tuple[int, str] | None]) -> None:
        """See that a task may begin anew beside the other tasks, by their offsets.

        Raises StateError where one has a state of fewer partitions: it has learned what this one's keys did.
        """
        for at in committed.values():
            if at is not None:
                self._same_partitions(found(at[1]).partitions)

    def _same_partitions(self, were: int) -> None:
        if were != self.partitions:
            raise StateError(
                f"{self.keys.place}: the state was made with {were} partitions, and now there are {self.partitions}: "
                f"keys have moved between tasks. {self._way_out()}"
            )

    def _useless(self, refused: str) -> StateError:
        return StateError(
            f"{self.keys.place}: holds no checkpoint that can be used ({refused}); see rotwatch state inspect. If the "
            f"key is the wrong one, put the right one back. {self._way_out()}"
        )

    def _way_out(self) -> str:
        if self.keys.role == "monitor":
            return "Begin the monitor anew: rotwatch state reset --role monitor"
        return "Make new state from the training log: rotwatch state rebuild"

    def _search(self) -> Standing:
        """The newest state there is, by reading all of it."""
        begin, end = self.reader.settled(self.state)
        manifests: dict[int, tuple[Manifest, int]] = {}
        journal: dict[bytes, Any] = {}
        refused = ""
        for record in self._state(begin, end):
            if self.keys.is_manifest(record):
                if record.value is None:  # what has been forgotten, and compaction has not come to yet
                    slot = self.keys.slot(record)
                    manifests = {g: held for g, held in manifests.items() if g % 2 != slot}
                    continue
                try:
                    manifest = self.keys.open_manifest(record)
                except StateError as error:
                    refused = str(error)
                    self.runtime.refused_checkpoints += 1
                    log.warning("checkpoint refused", task=self.keys.place, offset=record.offset, reason=refused)
                    continue
                manifests[manifest.generation] = (manifest, record.offset)
            elif self.keys.is_entry(record):
                journal.pop(record.key, None)
                if record.value is not None:
                    journal[record.key] = record
        entries = list(journal.values())
        if not manifests:
            if entries or refused:
                raise self._useless(refused or "there is only a journal")
            starts = self.reader.bounds(self.inputs)
            return Standing(0, Place([starts[tp][0] for tp in self.inputs], NEVER), [], {})
        newest, at = manifests[max(manifests)]
        self._same_partitions(newest.partitions)
        standing = Standing(newest.number, Place(list(newest.offsets), newest.clock), [], {})
        for entry in self._entries([r for r in entries if r.offset > at], newest.number, None):
            standing.number, standing.place = entry.number, Place(list(entry.end), entry.clock)
        pointers = [Pointer(g, m.body.first, offset) for g, (m, offset) in sorted(manifests.items())[-2:]]
        log.warning("the group's offsets are gone; going on by the state topic", task=self.keys.place)
        return replace(standing, generations=pointers)

    def load(self, standing: Standing, decode: Decode) -> tuple[Loaded, list[Loss]]:
        """The newest authentic checkpoint and the batches since; and the inputs of these that retention has deleted.

        Raises StateError where there are checkpoints and none can be used, or the journal does not lead to the
        standing; Unavailable while another's open transaction hides what is needed.
        """
        if not standing.generations:
            if standing.number:
                raise StateError(f"{self.keys.place}: {standing.number} batches were committed, but no checkpoint")
            return Loaded(None, {}, []), []
        end = self._reach(standing.generations[-1].manifest)
        refused = ""
        while standing.generations:
            pointer = standing.generations[-1]
            try:
                manifest, body, segments, after = self._checkpoint(pointer, end)
            except StateError as error:
                refused = str(error)
                self.runtime.refused_checkpoints += 1
                log.warning("checkpoint refused", task=self.keys.place, generation=pointer.generation, reason=refused)
                standing.generations.pop()  # the next checkpoint takes its place
                continue
            standing.manifests = {manifest.generation: manifest, **self.manifests(standing.generations[:-1])}
            # What is missing may lie behind a transaction that another role's task has left open in this partition.
            if sum(map(self.keys.is_entry, after)) < standing.number - manifest.number:
                after += self._state(end, self.reader.settled(self.state)[1])
            entries = list(self._entries(after, manifest.number, standing.number))
            self._unbroken(entries, manifest, standing)
            entries, lost = self._there(entries, manifest)
            if entries and entries[0].code != self.code:
                log.warning("the journal was written by other code than what it is fed to now", task=self.keys.place)
            return Loaded(body, segments, self.journalled.batches(entries, decode, partial(self._file, segments))), lost
        raise self._useless(refused)

    def _file(self, segments: Mapping[str, bytes], chosen: Chosen) -> bytes:
        """The file of a baseline that a journalled swap names: the checkpoint's, or that of one that is refused.

        Raises StateError where it is in neither.
        """
        name = file_segment(chosen.version)
        if name in segments:
            return segments[name]
        data = self.keys.newest(name, self._state(*self.reader.settled(self.state)))
        if hashlib.sha256(data).hexdigest() != chosen.sha256:
            raise StateError(
                f"{self.keys.place}: the journal swaps to baseline {chosen.version}, and its file is not in the state "
                f"as it was. {self._way_out()}"
            )
        return data

    def _checkpoint(self, pointer: Pointer, end: int) -> tuple[Manifest, bytes, dict[str, bytes], list[Any]]:
        records = list(self._state(pointer.first, end))
        at = next((r for r in records if r.offset == pointer.manifest), None)
        manifest = self.keys.open_manifest(at)
        if manifest.generation != pointer.generation:
            raise StateError(f"{self.keys.place}: generation {pointer.generation} has been written over")
        within = (r for r in records if r.offset < pointer.manifest)
        body = self.keys.join(body_name(manifest.generation), manifest.body, manifest.generation, within)
        return manifest, body, self.segments(manifest.segments), [r for r in records if r.offset > pointer.manifest]

    def checkpoint(self, pointer: Pointer) -> tuple[Manifest, bytes, dict[str, bytes]]:
        """A generation's manifest, body and segments; raises StateError where it is not authentic and whole."""
        self._reach(pointer.manifest)
        manifest, body, segments, _ = self._checkpoint(pointer, pointer.manifest + 1)
        return manifest, body, segments

    def manifests(self, pointers: Sequence[Pointer]) -> dict[int, Manifest]:
        """The manifests of older generations, as far as they can be read: they say which segments go with them."""
        found: dict[int, Manifest] = {}
        if pointers:
            self._reach(max(pointer.manifest for pointer in pointers))
        for pointer in pointers:
            try:
                for record in self._state(pointer.manifest, pointer.manifest + 1):
                    found[pointer.generation] = self.keys.open_manifest(record)
            except StateError as error:
                log.warning(
                    "checkpoint refused", task=self.keys.place, generation=pointer.generation, reason=str(error)
                )
        return found

    def segments(self, wanted: Mapping[str, Blob]) -> dict[str, bytes]:
        """The bytes of segments; raises StateError where one is not what was sealed."""
        found: dict[str, bytes] = {}
        group: list[tuple[str, Blob]] = []
        ordered = sorted(wanted.items(), key=lambda item: item[1].first)
        for index, (name, blob) in enumerate(ordered):
            group.append((name, blob))
            if index + 1 == len(ordered) or ordered[index + 1][1].first - blob.last > GAP:
                records = list(self._state(group[0][1].first, max(b.last for _, b in group) + 1))
                for own, at in group:
                    inside = (r for r in records if at.first <= r.offset <= at.last)
                    found[own] = self.keys.join(own, at, None, inside)
                group = []
        return found

    def _reach(self, offset: int) -> int:
        """The end of what can be read of the state, which an offset must lie before; see Reader.settled."""
        _, end = self.reader.bounds([self.state])[self.state]
        return end if end > offset else self.reader.settled(self.state)[1]

    def _state(self, first: int, end: int) -> Iterator[Any]:
        for _, records in self.reader.read({self.state: (first, end)}):
            yield from records

    def _entries(self, records: Sequence[Any], after: int, last: int | None) -> Iterator[Entry]:
        """The journal from behind a batch on, in order; up to ``last``, which must be reached, or to its end."""
        number = after
        for record in records:
            if not self.keys.is_entry(record):
                continue
            if number == last:
                return
            if self.keys.number_of(record, number + 1) != number + 1:
                raise StateError(f"{self.keys.place}: journal entry {number + 1} is missing")
            yield self.keys.open_entry(record, number + 1)
            number += 1
        if last is not None and number != last:
            raise StateError(f"{self.keys.place}: the journal ends with {number}, but {last} was committed")

    def _unbroken(self, entries: Sequence[Entry], manifest: Manifest, standing: Standing) -> None:
        """Raises StateError where the journal does not lead from the checkpoint to the offsets, an entry to the next.

        Offsets that somebody has set by hand would leave inputs out, or bring them twice.
        """
        at = manifest.offsets
        for entry in entries:
            if entry.begin != at:
                raise StateError(
                    f"{self.keys.place}: journal entry {entry.number} does not begin where {at} was reached"
                )
            at = entry.end
        self.stands(at, standing)

    def stands(self, at: Sequence[int], standing: Standing) -> None:
        """Raises StateError where the group's offsets are not those behind the last batch."""
        for tp, reached, said in zip(self.inputs, at, standing.place.offsets, strict=True):
            if reached != said:
                raise StateError(
                    f"{self.keys.place}: the group's offset of {tp.topic}-{tp.partition} is {said}, and the last batch "
                    f"ended at {reached}; has somebody set it by hand? rotwatch state reset --from committed begins "
                    "anew there"
                )

    def _there(self, entries: list[Entry], manifest: Manifest) -> tuple[list[Entry], list[Loss]]:
        """The entries behind the last one of which retention has deleted inputs, and what has been deleted.

        What an earlier recovery found, and a batch behind has told, is not told again.
        """
        if not entries:
            return entries, []
        begins = self.reader.bounds(self.inputs)
        gone = 0
        for index, entry in enumerate(entries):
            used = {side for side in entry.runs[::2] if side >= 0}
            if any(entry.begin[side] < begins[self.inputs[side]][0] for side in used):
                gone = index + 1
        if not gone:
            return entries, []
        fed, entries = entries[:gone], entries[gone:]
        lost = without(not_replayed(self.sources, manifest.offsets, fed[-1].end), told(entries))
        if lost:
            log.error(
                "inputs that the checkpoint had not learned from are deleted: what they taught is lost",
                task=self.keys.place,
                lost=[f"{loss.source} {loss.first}..{loss.last}" for _, loss in lost],
            )
        return entries, lost
