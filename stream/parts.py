"""Where a batch is cut, so that labels begin to count for entities at the same events however inputs are batched."""

from collections.abc import Iterator, Sequence

from stream.derived import Derived
from stream.records import Event, Input, Label, Tick


def parts(
    batch: Sequence[Input], clock: float, derived: Derived
) -> Iterator[tuple[Sequence[Input], float, list[float]]]:
    """The parts of a batch: the inputs, the clock with the first of them, and the times that each event goes by.

    ``clock``: the task's before the batch. An event goes by its own time; by the clock's where that is not believed.
    """
    begin, at_begin = 0, clock
    times: list[float] = []
    until = derived.until
    for index, record in enumerate(batch):
        kind = type(record)
        moves = kind is Tick or (kind in (Event, Label) and not record.ahead)  # type: ignore[union-attr] # so it has
        if moves and record.time > clock:  # type: ignore[union-attr] # as above
            clock = record.time  # type: ignore[union-attr] # as above
            if derived.span is not None and clock >= until:
                if index > begin:
                    yield batch[begin:index], at_begin, times
                begin, at_begin, times = index, clock, []
                until = derived.end(clock)
        if kind is Event:
            times.append(record.time if moves else max(clock, 0.0))  # type: ignore[union-attr] # as above
    if begin < len(batch):
        yield batch[begin:], at_begin, times
