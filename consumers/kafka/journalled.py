"""Batches that were committed, read again from the inputs as the journal says."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from consumers.kafka.intake import Decode
from consumers.kafka.journal import LOST, TICK, Entry, sides
from consumers.kafka.placement import Placement
from consumers.kafka.reader import Reader
from consumers.transport import Batch
from stream.errors import StateError
from stream.records import Chosen, Event, Input, Label, Lost, Skip, Swap, Tick


class Journalled:
    """Reads one task's inputs again, where it is ``placed``; ``place`` is its name in errors."""

    def __init__(self, reader: Reader, placed: Placement, place: str) -> None:
        self.reader = reader
        self.inputs = placed.inputs
        self.sources = placed.sources
        self.place = place

    def batches(self, entries: Sequence[Entry], decode: Decode, file: Callable[[Chosen], bytes]) -> Iterator[Batch]:
        """The batches of journal entries, read again; raises StateError where they are not what was journalled.

        ``file`` finds the file of a baseline that was swapped in.
        """
        if not entries:
            return
        spans = {tp: (entries[0].begin[side], entries[-1].end[side]) for side, tp in enumerate(self.inputs)}
        queues: list[deque[Any]] = [deque() for _ in self.inputs]
        place = {tp: side for side, tp in enumerate(self.inputs)}
        fetched = self.reader.read(spans)
        for entry in entries:
            inputs: list[Input] = []
            ahead = set(entry.ahead)
            last = list(entry.begin)
            for index, side in enumerate(sides(entry.runs)):
                if side < 0:
                    inputs.append(self._no_record(entry, index, side, file))
                    if side <= LOST:
                        last[LOST - side] = max(last[LOST - side], entry.lost[index][2] + 1)
                    continue
                while not queues[side]:
                    tp, records = next(fetched, (None, []))
                    if tp is None:
                        raise self._differs(entry)
                    queues[place[tp]].extend(records)
                record = queues[side].popleft()
                last[side] = max(last[side], record.offset + 1)
                inputs.append(self._input(entry, index, side, record, decode, ahead=index in ahead))
            if last != entry.end:
                raise self._differs(entry)
            yield Batch(inputs, None)

    def _no_record(self, entry: Entry, index: int, side: int, file: Callable[[Chosen], bytes]) -> Input:
        if index in entry.skips:
            return Skip("ticks", entry.skips[index])  # as intake.skip made it
        if entry.swap is not None:
            champion = None if entry.swap.champion is None else _with_file(entry.swap.champion, file)
            return Swap(champion, [_with_file(chosen, file) for chosen in entry.swap.shadows])
        return Tick(entry.ticks[index]) if side == TICK else Lost(*entry.lost[index])

    def _input(self, entry: Entry, index: int, side: int, record: Any, decode: Decode, *, ahead: bool) -> Input:
        if index in entry.skips:
            return Skip(self.sources[side], entry.skips[index], record.offset, record.value or b"")
        made = decode(side, record)
        return replace(made, ahead=True) if ahead and isinstance(made, Event | Label) else made

    def _differs(self, entry: Entry) -> StateError:
        return StateError(
            f"{self.place}: the inputs of batch {entry.number} are no longer what was journalled; "
            "have topics been made anew? See rotwatch state reset"
        )


def _with_file(chosen: Chosen, file: Callable[[Chosen], bytes]) -> Chosen:
    return replace(chosen, artifact=file(chosen))
