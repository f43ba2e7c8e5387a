"""How the entries of a waiting room lie in a snapshot: what never changes in segments, the rest in its body.

Entries are numbered as they are admitted, and every SEGMENT of them close a segment. It holds what is known of an event
once it is predicted: prediction, position, arrival, row, model input. Rows and inputs are dropped in time; a segment
that is encoded later lacks them, and one that was encoded before still has them, so what is restored goes by the body
alone. The body says which entries are left, what they still hold, and their labels, in two bytes an entry for most; the
segment that is not closed yet lies in it whole. A label's time is needed until the labelled record leaves, and is kept
no longer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain, groupby, pairwise, repeat
from typing import Any

import msgspec
from msgspec import Struct

from stream.entry import Entry
from stream.errors import StateError
from stream.records import Prediction, Shadow
from stream.snapshot import Snapshot

SEGMENT = 1_000
"""Entries a segment: while it is open, every snapshot holds it in full. Another number makes another schema."""

ROW, INPUT, UNFAIR = 8, 16, 32
"""Added to an entry's state where it still holds its row, the model's input, and where its label is not judged by."""


class Tables(Struct):
    """The entries of a waiting room, each table in the order in which it was filled.

    ``recent`` are the last ``len(recent)`` of all ``admitted``; ``young`` and ``overdue`` may hold older ones. Those
    below the number ``begun[0]`` arrived at ``begun[1]``: the clock began only then.
    """

    young: Sequence[Entry]
    overdue: Sequence[Entry]
    recent: Sequence[Entry]
    admitted: int
    begun: tuple[int, float] | None = None

    def older(self) -> list[Entry]:
        """The entries that are in the room and no longer recent, in the order of admission."""
        first = self.admitted - len(self.recent)
        return sorted((entry for entry in chain(self.overdue, self.young) if entry.number < first), key=_number)


class _Body(Struct, array_like=True):
    """What changes. ``states``, ``labels``: of ``older``, then of the recent ones; ``times``: of the young labels."""

    admitted: int
    begun: tuple[int, float] | None
    older: list[int]
    recent: int
    young: list[int]
    overdue: list[int]
    states: bytes
    labels: list[int]
    times: list[float]
    changed: list[tuple[int, int, float]]
    opened: bytes


def snapshot(tables: Tables) -> Snapshot:
    """The entries as a snapshot, whose segments are named ``entries-NUMBER``."""
    older = tables.older()
    live = [*older, *tables.recent]
    closed = tables.admitted // SEGMENT
    whole = len(live)
    while whole and live[whole - 1].number >= closed * SEGMENT:
        whole -= 1
    body = _Body(
        tables.admitted,
        tables.begun,
        _steps(older),
        len(tables.recent),
        _steps(tables.young),
        _steps(tables.overdue),
        bytes(map(_state, live)),
        [entry.label for entry in live],
        [entry.label_time for entry in tables.young if entry.label >= 0],
        [(entry.number, entry.last, entry.last_time) for entry in live if entry.last >= 0],
        encode(live[whole:]),
    )
    grouped: dict[int, list[Entry]] = {}

    def one(index: int) -> bytes:
        # Most segments are stored already: entries are sorted into them only when one is asked for.
        if not grouped:
            grouped.update((key, list(group)) for key, group in groupby(live[:whole], _index))
        return encode(grouped[index])

    recent = range((tables.admitted - len(tables.recent)) // SEGMENT, closed)
    indices = dict.fromkeys(chain(map(_index, live[: min(whole, len(older))]), recent))
    return Snapshot(msgspec.msgpack.encode(body), {_name(index): partial(one, index) for index in indices})


def restore(body: bytes, segments: Mapping[str, bytes]) -> Tables:
    """The tables of a snapshot, whichever of a segment's encodings was kept; raises StateError where one is missing."""
    kept = _decode_body(body)
    first = kept.admitted - kept.recent
    numbers = [*accumulate(kept.older), *range(first, kept.admitted)]
    closed = kept.admitted // SEGMENT
    wanted = [index for index in dict.fromkeys(number // SEGMENT for number in numbers) if index < closed]
    missing = [name for name in map(_name, wanted) if name not in segments]
    if missing:
        raise StateError(f"the snapshot names segments that are not there: {', '.join(missing[:5])}")
    rows = _rows(chain((segments[_name(index)] for index in wanted), [kept.opened]))
    before, clock = kept.begun or (0, 0.0)
    entries: dict[int, Entry] = {}
    row: tuple[Any, ...] = (-1,)
    for number, state, label in zip(numbers, kept.states, kept.labels, strict=True):
        while row[0] < number:  # others have gone since the segment was encoded
            row = next(rows, (kept.admitted,))
        if row[0] != number:
            raise StateError(f"segment {_name(number // SEGMENT)} lacks entry {number}, which the snapshot names")
        _, prediction, position, arrived, ours, theirs, values, x = row
        if (state & ROW and values is None) or (state & INPUT and x is None):
            raise StateError(f"segment {_name(number // SEGMENT)} was encoded after the task had gone on")
        entries[number] = Entry(
            prediction,
            position,
            clock if number < before else arrived,
            values if state & ROW else None,
            None,
            x if state & INPUT else None,
            state % ROW,
            label,
            number=number,
            ours=ours,
            theirs=theirs,
            fair=not state & UNFAIR,
        )
    young = [entries[number] for number in accumulate(kept.young)]
    for entry, time in zip([entry for entry in young if entry.label >= 0], kept.times, strict=True):
        entry.label_time = time
    for number, last, last_time in kept.changed:
        entries[number].last, entries[number].last_time = last, last_time
    overdue = [entries[number] for number in accumulate(kept.overdue)]
    recent = [entries[number] for number in range(first, kept.admitted)]
    return Tables(young, overdue, recent, kept.admitted, kept.begun)


def encode(entries: Sequence[Entry]) -> bytes:
    """What never changes of some entries, column by column, behind their numbers."""
    return msgspec.msgpack.encode(([entry.number for entry in entries], *_fixed(entries)))


def contents(tables: Tables) -> Iterator[bytes]:
    """All that counts of the entries, for a digest: the same however they are numbered and lie in segments."""
    live = [*tables.older(), *tables.recent]
    young = {entry.number for entry in tables.young}
    for begin in range(0, len(live), 1_000):
        part = live[begin : begin + 1_000]
        times = [entry.label_time if entry.number in young else None for entry in part]
        labels = [(entry.state, entry.label, entry.last, entry.last_time, entry.fair) for entry in part]
        yield msgspec.msgpack.encode((*_fixed(part), labels, times))
    for table in (tables.young, tables.overdue, tables.recent):
        yield msgspec.msgpack.encode([entry.prediction.event_id for entry in table])


def _fixed(entries: Sequence[Entry]) -> tuple[list[Any], ...]:
    for entry in entries:
        entry.pack()
    predictions = [entry.prediction for entry in entries]
    # Class names and versions are few, and would be half the bytes: each set of them is written once.
    kinds: dict[tuple[str, str, str, str | None, str], int] = {}
    return (
        [kinds.setdefault(_kind(prediction), len(kinds)) for prediction in predictions],
        list(kinds),
        [prediction.event_id for prediction in predictions],
        [prediction.time for prediction in predictions],
        [prediction.score for prediction in predictions],
        [prediction.online for prediction in predictions],
        [prediction.baseline for prediction in predictions],
        [prediction.shadows for prediction in predictions],
        [entry.position for entry in entries],
        [entry.arrived for entry in entries],
        [entry.ours for entry in entries],
        [entry.theirs for entry in entries],
        [entry.row for entry in entries],
        [entry.packed for entry in entries],
    )


def _rows(blobs: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    """(number, prediction, position, arrived, row, packed) of each entry that was encoded, in order."""
    same: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for blob in blobs:
        numbers, places, kinds, ids, times, scores, online, baseline, said, *rest = msgspec.msgpack.decode(blob)
        # One string of each name is enough for all entries.
        known = [same.setdefault(tuple(kind), tuple(kind)) for kind in kinds]
        labels, servings, *versions, wanted = (
            zip(*[known[place] for place in places], strict=True) if places else [()] * 5
        )
        shadows = [{version: Shadow(**one) for version, one in by.items()} for by in said]
        answers = (ids, times, labels, scores, servings, online, baseline, *versions)
        predictions = map(Prediction, *answers, repeat(False), shadows, wanted)
        yield from zip(numbers, predictions, *rest, strict=True)


def _kind(prediction: Prediction) -> tuple[str, str, str, str | None, str]:
    versions = prediction.online_version, prediction.baseline_version
    return prediction.label, prediction.serving, *versions, prediction.label_wanted


def _state(entry: Entry) -> int:
    holds = ROW * (entry.row is not None) + INPUT * (entry.x is not None or entry.packed is not None)
    return entry.state + holds + UNFAIR * (not entry.fair)


def _steps(entries: Iterable[Entry]) -> list[int]:
    """The numbers of entries, each as the step from the one before: most take one byte then."""
    return [number - before for before, number in pairwise([0, *[entry.number for entry in entries]])]


def _index(entry: Entry) -> int:
    return entry.number // SEGMENT


def _number(entry: Entry) -> int:
    return entry.number


def _name(index: int) -> str:
    return f"entries-{index:06d}"


_decode_body = msgspec.msgpack.Decoder(_Body).decode
