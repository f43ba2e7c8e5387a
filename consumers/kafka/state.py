"""A task's state in the compacted state topic: checkpoints, segments, journal; how they are keyed, sealed and found.

A checkpoint is a manifest and the blobs that it names, each cut into chunks below the message limit. Two generations
are kept, in two slots whose keys are written anew in turn, so that compaction drops the rest. Segments are blobs that
are written once and named by every later manifest until nobody needs them; then tombstones go over their keys. The
manifest is sealed and holds the digest of each blob: nothing is given out that the key has not vouched for. The
journal's keys come round (journal.RING).

The offsets that the group commits carry, as metadata, where all this begins, so that a restore seeks there.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from consumers.kafka import journal
from consumers.kafka.journal import RING, Entry
from consumers.kafka.publisher import Headers
from consumers.seal import seal, unseal
from stream.errors import StateError

CHUNK = 768 * 1024
"""Bytes a chunk: below the 1 MiB that a topic takes unless it is told otherwise."""

LARGEST = CHUNK + 64 * 1024
"""Bytes of the largest record: a chunk with its key, seal and headers; manifests and entries are smaller."""

LAYOUT = 1


class Blob(Struct, frozen=True, array_like=True):
    """Where a blob lies in the state topic: the offsets of its first and last chunk, and its digest."""

    first: int
    last: int
    chunks: int
    sha256: bytes


class Manifest(Struct, frozen=True):
    """A checkpoint: after which batch it was taken, where the inputs stood, by which code, and what it consists of."""

    layout: int
    generation: int
    number: int
    offsets: list[int]
    clock: float
    partitions: int
    code: str
    body: Blob
    segments: dict[str, Blob]


class Pointer(Struct, frozen=True, array_like=True):
    """Where a generation begins in the state topic, and where its manifest is."""

    generation: int
    first: int
    manifest: int


class Found(Struct, frozen=True, omit_defaults=True):
    """What the offsets' metadata says: the number of the last batch, the clock, and the generations, oldest first."""

    number: int
    clock: float | None  # JSON has no infinity
    partitions: int
    generations: list[Pointer]

    def dump(self) -> str:
        """As text for the metadata."""
        return msgspec.json.encode(self).decode()


def found(text: str) -> Found:
    """What ``Found.dump`` gave; raises StateError for anything else."""
    try:
        return msgspec.json.decode(text, type=Found)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"the group's offsets were not committed by rotwatch: their metadata is {text!r:.80} ({error}). Is another "
            "program in its group? rotwatch state reset begins anew, at a position of your choice"
        ) from error


class Record(Struct, frozen=True):
    """A record to be sent to the state topic."""

    key: bytes
    value: bytes | None
    headers: Headers = []


class StateKeys:
    """Makes and opens the state records of one task; ``place`` names stream, role and partition in every seal.

    ``keys``: the first seals, all open.
    """

    def __init__(self, place: str, role: str, keys: list[bytes]) -> None:
        self.place = place
        self.role = role
        self.keys = keys

    # -- writing

    def chunks(self, name: str, data: bytes, generation: int) -> list[Record]:
        """A blob's records; ``name`` is ``body`` with the slot, or a segment's."""
        parts = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [b""]
        headers: Headers = [("generation", str(generation).encode())]
        return [Record(self._key(name, str(index)), part, headers) for index, part in enumerate(parts)]

    def manifest(self, manifest: Manifest) -> Record:
        """The sealed manifest's record."""
        payload = msgspec.msgpack.encode(manifest)
        return Record(self._key("manifest", str(manifest.generation % 2)), self._seal("manifest", payload))

    def entry(self, entry: Entry) -> Record:
        """The sealed journal entry's record."""
        key = self._key("journal", str(entry.number % RING))
        return Record(key, self._seal(f"journal/{entry.number}", journal.encode(entry)))

    def tombstones(self, name: str, blob: Blob) -> list[Record]:
        """What makes compaction forget a blob."""
        return [Record(self._key(name, str(index)), None) for index in range(blob.chunks)]

    # -- reading

    def open_manifest(self, record: Any) -> Manifest:
        """The manifest of a record; raises StateError where it is not authentic, not this task's, or not readable."""
        if record is None or record.key is None or not record.key.startswith(self._key("manifest", "")):
            raise StateError(f"{self.place}: there is no manifest where one should be")
        try:
            manifest = msgspec.msgpack.decode(self._unseal("manifest", record.value), type=Manifest)
        except msgspec.MsgspecError as error:
            raise StateError(f"{self.place}: the manifest is of another version: {error}") from error
        if manifest.layout != LAYOUT:
            raise StateError(f"{self.place}: the checkpoint has layout {manifest.layout}, this version reads {LAYOUT}")
        return manifest

    def is_manifest(self, record: Any) -> bool:
        """Whether a record is one of this task's manifests, by its key."""
        return record.key is not None and record.key.startswith(self._key("manifest", ""))

    def slot(self, record: Any) -> int:
        """Which of the two slots a manifest's record is in: generations take them in turn."""
        return int(record.key.rsplit(b"/", 1)[1])

    def is_entry(self, record: Any) -> bool:
        """Whether a record is one of this task's journal entries, by its key."""
        return record.key is not None and record.key.startswith(self._key("journal", ""))

    def open_entry(self, record: Any, number: int) -> Entry:
        """The journal entry of a number; raises StateError where the record holds none that is authentic."""
        entry = journal.decode(self._unseal(f"journal/{number}", record.value))
        if entry.number != number:
            raise StateError(f"{self.place}: journal entry {number} says that it is {entry.number}")
        return entry

    def number_of(self, record: Any, least: int) -> int:
        """Which entry, from ``least`` on, a journal record's key can stand for."""
        slot = int(record.key.rsplit(b"/", 1)[1])
        return least + (slot - least) % RING

    def join(self, name: str, blob: Blob, generation: int | None, records: Iterator[Any]) -> bytes:
        """A blob's bytes out of the records of its range; raises StateError where they are not what was sealed."""
        prefix = self._key(name, "")
        parts: dict[int, bytes] = {}
        for record in records:
            if record.key is None or not record.key.startswith(prefix) or record.value is None:
                continue
            if generation is not None and dict(record.headers).get("generation") != str(generation).encode():
                continue
            parts[int(record.key[len(prefix) :])] = record.value
        data = b"".join(parts[index] for index in sorted(parts))
        if len(parts) != blob.chunks or hashlib.sha256(data).digest() != blob.sha256:
            raise StateError(f"{self.place}: {name} is not what was sealed: damaged, or parts of it are gone")
        return data

    def newest(self, name: str, records: Iterator[Any]) -> bytes:
        """A segment's bytes as they were written last, unproven; empty where it is not there."""
        prefix = self._key(name, "")
        parts = {int(r.key[len(prefix) :]): r.value for r in records if r.key is not None and r.key.startswith(prefix)}
        return b"".join(parts[index] for index in sorted(parts) if parts[index] is not None)

    # -- both

    def _key(self, *parts: str) -> bytes:
        return "/".join((self.role, *parts)).encode()

    def _seal(self, what: str, payload: bytes) -> bytes:
        return seal(self.keys[0], f"{self.place}/{what}", payload)

    def _unseal(self, what: str, sealed: bytes | None) -> bytes:
        refused: StateError | None = None
        for key in self.keys:
            try:
                return unseal(key, f"{self.place}/{what}", sealed or b"")
            except StateError as error:
                refused = error
        raise refused or StateError(f"{self.place}: there is no key to open {what} with")


def body_name(generation: int) -> str:
    """The slot that a generation's body goes to."""
    return f"body-{generation % 2}"


def blob(records: list[Record], offsets: list[int]) -> Blob:
    """Where records have been written."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(record.value or b"")
    return Blob(offsets[0], offsets[-1], len(records), digest.digest())


def dropped(before: Mapping[str, Blob], kept: Sequence[Mapping[str, Blob]]) -> dict[str, Blob]:
    """The segments of an earlier manifest that no kept one names."""
    return {name: at for name, at in before.items() if not any(name in other for other in kept)}
