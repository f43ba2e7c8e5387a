"""What a chaos stream is sent: events and labels that follow from their numbers alone, and what must come of them."""

import random
from collections.abc import Iterator

import msgspec
from msgspec import Struct

SPACING = 0.01
"""Seconds from one event's time to the next."""

LAG = 20
"""A label is sent behind so many further events."""


class Sent(Struct, frozen=True):
    """A record for the topic of events or labels."""

    kind: str
    key: str
    value: bytes


def truth(number: int) -> tuple[dict[str, float], str]:
    """An event's features and its class."""
    chance = random.Random(number)
    n, m = chance.gauss(0.0, 1.0), chance.random()
    return {"n": n, "m": m}, str(int(n + m + chance.gauss(0.0, 0.5) > 0.5))


def answers(number: int) -> list[str]:
    """The labels that come for an event: mostly one, but also none, the same twice, or another later."""
    label = truth(number)[1]
    if number % 50 == 7:
        return []
    if number % 70 == 3:
        return [label, label]
    if number % 110 == 11:
        return [label, str(1 - int(label))]
    return [label]


def repeated(number: int) -> bool:
    """Whether an event is sent twice."""
    return number % 97 == 2


def event(number: int, begin: float) -> Sent:
    """The event of a number; the first has the time ``begin``."""
    fields = {"event_id": f"e{number}", "time": begin + number * SPACING, **truth(number)[0]}
    return Sent("events", f"e{number}", msgspec.json.encode(fields))


def records(first: int, last: int, begin: float) -> Iterator[Sent]:
    """The events from ``first`` up to, not including, ``last`` with all their labels, in the order of sending."""
    for number in range(first, last + LAG + 10):
        if number < last:
            yield event(number, begin)
        now = begin + number * SPACING
        for place, back in enumerate((LAG, LAG + 5)):
            about = number - back
            if first <= about < last and len(found := answers(about)) > place:
                # Some labels say that they are older than their event: they are fed before it.
                time = begin + about * SPACING - 0.5 if about % 90 == 5 and not place else now
                yield _label(f"e{about}", time, found[place])
        about = number - LAG - 3
        if first <= about < last and repeated(about):
            yield event(about, begin)
        if number % 130 == 0 and number < last:
            yield _label(f"nobody-{number}", now, "1")


def flush(key: str, time: float) -> Sent:
    """An event from far behind the others, so that all that wait for time wait no longer."""
    return Sent("events", key, msgspec.json.encode({"event_id": key, "time": time, "n": 0.0, "m": 0.0}))


def _label(event_id: str, time: float, label: str) -> Sent:
    return Sent("labels", event_id, msgspec.json.encode({"event_id": event_id, "time": time, "label": label}))
