"""Scripted inputs, a toy task and a hand-wound clock: tests of recovery read as plain lists of inputs and outputs.

For the project's own tests and for those of users who bring models of their own. ``consumers.testing`` has the
transport that goes with it.

>>> from stream.snapshot import pack, unpack
>>> task = RunningSum()
>>> said(task.feed([event("a", n=1), event("b", n=2), label("a")]))
['a=1', 'b=3']
>>> again = RunningSum()
>>> again.restore(*unpack(pack(task.snapshot())))
>>> said(again.feed([event("c", n=4), undecodable(b"{")]))
['c=7', '!{']
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from stream.records import (
    DeadLetter,
    Event,
    Input,
    Label,
    Labelled,
    Lost,
    Outputs,
    Prediction,
    Skip,
    Swap,
    Tick,
    Undecodable,
)
from stream.snapshot import Snapshot


def event(event_id: str, time: float = 0.0, *, offset: int = -1, **fields: Any) -> Event:
    """An event as it would be read from its JSON."""
    record = {"event_id": event_id, "time": time, **fields}
    return Event(event_id, time, record, offset, raw=msgspec.json.encode(record))


def label(event_id: str, value: str = "1", time: float = 0.0, *, offset: int = -1) -> Label:
    """A label as it would be read from its JSON."""
    raw = msgspec.json.encode({"event_id": event_id, "time": time, "label": value})
    return Label(event_id, time, value, offset, raw=raw)


def undecodable(raw: bytes, source: str = "events", *, offset: int = -1) -> Undecodable:
    """Bytes that are no record."""
    return Undecodable(source, "is no JSON object", "", offset, raw)


def poison(event_id: str, time: float = 0.0, *, offset: int = -1) -> Event:
    """An event that breaks the task which takes it, after it has changed the task's state."""
    return event(event_id, time, offset=offset, poison=True)


def poison_label(event_id: str, time: float = 0.0, *, offset: int = -1) -> Label:
    """A label that breaks the task which takes it, after it has changed the task's state."""
    return label(event_id, "poison", time, offset=offset)


class PoisonError(Exception):
    """What a poison record raises."""


class Sum(Struct):
    """The toy task's state."""

    total: int = 0
    events: int = 0
    labels: int = 0
    labelled: int = 0
    lost: int = 0
    dead: int = 0
    batches: int = 0
    clock: float = 0.0
    fed: int = 0
    skips: list[int] = []
    champion: str = ""


class RunningSum:
    """A task whose whole arithmetic can be done in the head: it answers each event with the sum of all ``n`` so far.

    An event without an ``n`` counts 1. Its totals are a copy of its state.
    """

    def __init__(self) -> None:
        self.state = Sum()

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order; raises PoisonError at a poison record, the state then being undefined."""
        out = Outputs([], [], [], [])
        self.state.batches += 1
        self.state.fed += len(batch)
        for record in batch:
            self._take(record, out)
        return out

    def _take(self, record: Input, out: Outputs) -> None:
        state = self.state
        if isinstance(record, Event):
            state.events += 1
            state.total += record.fields.get("n", 1)
            if "poison" in record.fields:
                raise PoisonError(f"poison event {record.event_id}")
            score = float(state.total)
            out.predictions.append(
                Prediction(record.event_id, record.time, "", score, "online", score, None, "sum", None)
            )
        elif isinstance(record, Label):
            state.labels += 1
            if record.label == "poison":
                raise PoisonError(f"poison label {record.event_id}")
        elif isinstance(record, Labelled):
            state.labelled += 1
        elif isinstance(record, Lost):
            state.lost += record.records
            out.alarms.append(record.alarm("sum", state.clock, "data_quality"))
        elif isinstance(record, Tick):
            state.clock = record.time
        elif isinstance(record, Swap):
            self._swap(record)
        elif isinstance(record, Undecodable | Skip):
            self._bury(record, out)

    def _bury(self, record: Undecodable | Skip, out: Outputs) -> None:
        self.state.dead += 1
        if isinstance(record, Skip):
            self.state.skips.append(self.state.fed)
        out.dead_letters.append(DeadLetter(record.source, "", record.reason, record.offset, record.raw))

    def _swap(self, swap: Swap) -> None:
        if swap.champion is not None:
            self.state.champion = swap.champion.version
            if swap.champion.artifact == b"poison":
                raise PoisonError(f"poison baseline {swap.champion.version}")

    def differs(self, swap: Swap) -> bool:
        """Whether a swap names another champion."""
        return swap.champion is not None and swap.champion.version != self.state.champion

    def snapshot(self) -> Snapshot:
        """The whole state, which needs no segments."""
        return Snapshot(msgspec.json.encode(self.state))

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a state."""
        self.state = msgspec.json.decode(body, type=Sum)

    def recent_skips(self) -> int:
        """Skips among the last 1,000 inputs."""
        return sum(place > self.state.fed - 1_000 for place in self.state.skips)

    def totals(self) -> Sum:
        """A copy of the state."""
        return msgspec.structs.replace(self.state)


def said(outputs: Outputs) -> list[str]:
    """The toy task's outputs, brief: ``id=sum`` of each prediction, then ``!bytes`` of each dead letter."""
    predictions = [f"{p.event_id}={p.score:g}" for p in outputs.predictions if isinstance(p.score, float)]
    return predictions + [f"!{letter.payload.decode(errors='replace')}" for letter in outputs.dead_letters]


class ManualClock:
    """Stands in for the module ``time``; it moves when it is told to, and when somebody sleeps.

    >>> clock = ManualClock()
    >>> clock.sleep(2.5)
    >>> clock.monotonic(), clock.pauses
    (2.5, [2.5])
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        """The time on the clock."""
        return self.now

    def perf_counter(self) -> float:
        """The time on the clock."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and note the pause."""
        self.pauses.append(seconds)
        self.now += seconds
