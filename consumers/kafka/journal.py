"""The journal: for each committed batch, which inputs it had and in which order, so that it can be fed again.

An entry is a few dozen bytes: the positions before and behind the batch in each of the task's partitions, the order in
which they were taken as runs, and what was no record (ticks, lost ranges) or is not fed as it stands (skips, times
ahead). Entries are sealed as checkpoints are: what is fed again decides what a task learns.
"""

import zlib

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from stream.errors import StateError
from stream.records import Swap

RING = 4_096
"""Journal keys come round after so many entries; the two newest checkpoints are never further back."""

SMALL = 256
"""Entries up to this many bytes are not worth compressing."""

TICK = -1
"""The side of a tick, which came from no partition."""

SWAP = -2
"""The side of a swap."""

LOST = -3
"""The side of what was lost of side 0; of side s it is ``LOST - s``."""


class Entry(Struct, frozen=True, array_like=True):
    """One committed batch.

    ``begin`` and ``end``: the position before and behind the batch, a side (one of the task's partitions, in the
    transport's order). ``runs``: side, count, side, count... ``ticks``, ``lost``, ``skips``: by place in the batch.
    What was lost is there too if it was skipped, for the positions; a tick that was skipped is not. ``ahead``: places
    of records whose time was not believed. ``clock``: the greatest believed time so far. ``swap``: the batch was that
    alone; its baselines' files are the checkpoint's of the same commit.
    """

    number: int
    begin: list[int]
    end: list[int]
    runs: list[int]
    clock: float
    code: str
    ticks: dict[int, float] = {}
    lost: dict[int, tuple[str, int, int]] = {}
    skips: dict[int, str] = {}
    ahead: list[int] = []
    swap: Swap | None = None


def runs(sides: list[int]) -> list[int]:
    """The order of sides in brief.

    >>> runs([0, 0, 1, 0])
    [0, 2, 1, 1, 0, 1]
    """
    found: list[int] = []
    last, count = None, 0
    for side in sides:
        if side == last:
            count += 1
            continue
        if last is not None:
            found += (last, count)
        last, count = side, 1
    if last is not None:
        found += (last, count)
    return found


def sides(order: list[int]) -> list[int]:
    """The order of sides in full.

    >>> sides([0, 2, 1, 1, 0, 1])
    [0, 0, 1, 0]
    """
    found: list[int] = []
    for side, count in zip(order[::2], order[1::2], strict=True):
        found += [side] * count
    return found


def bare(swap: Swap) -> Swap:
    """A swap without its files."""
    champion = None if swap.champion is None else replace(swap.champion, artifact=b"")
    return Swap(champion, [replace(chosen, artifact=b"") for chosen in swap.shadows])


def encode(entry: Entry) -> bytes:
    """An entry as bytes."""
    plain = msgspec.msgpack.encode(entry)
    return b"\0" + plain if len(plain) <= SMALL else b"\1" + zlib.compress(plain, 1)


def decode(data: bytes) -> Entry:
    """What ``encode`` was given; raises StateError for what it never wrote."""
    try:
        plain = zlib.decompress(data[1:]) if data[:1] == b"\1" else data[1:]
        return msgspec.msgpack.decode(plain, type=Entry)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise StateError(f"a journal entry cannot be read: {error}") from error
