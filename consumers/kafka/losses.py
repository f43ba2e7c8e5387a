"""Inputs that retention has deleted before a task could learn from them, or before a recovery could feed them again."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from consumers.kafka.journal import LOST, Entry, sides
from stream.records import Lost

Loss = tuple[int, Lost]
"""A side, and what was lost of it."""


def not_replayed(sources: Sequence[str], begin: Sequence[int], end: Sequence[int]) -> list[Loss]:
    """What lies between two places, a side each, of inputs that had been fed and cannot be fed again."""
    return [
        (side, Lost(sources[side], first, behind - 1))
        for side, (first, behind) in enumerate(zip(begin, end, strict=True))
        if behind > first
    ]


def told(entries: Iterable[Entry]) -> list[Loss]:
    """What batches of the journal tell of as lost: deleted unread, or by an earlier recovery that could not feed it."""
    found = []
    for entry in entries:
        order = sides(entry.runs) if entry.lost else []
        found += [(LOST - order[place], Lost(*lost)) for place, lost in entry.lost.items()]
    return found


def without(losses: Iterable[Loss], known: Sequence[Loss]) -> list[Loss]:
    """What is left of losses when others are taken out of them.

    >>> without([(0, Lost("events", 10, 29))], [(0, Lost("events", 15, 19)), (1, Lost("labels", 10, 29))])
    [(0, Lost(source='events', first=10, last=14)), (0, Lost(source='events', first=20, last=29))]
    """
    left = list(losses)
    for side, gone in known:
        left = [
            (own, part)
            for own, loss in left
            for part in (
                [
                    replace(loss, last=min(loss.last, gone.first - 1)),
                    replace(loss, first=max(loss.first, gone.last + 1)),
                ]
                if own == side
                else [loss]
            )
            if part.first <= part.last
        ]
    return left
