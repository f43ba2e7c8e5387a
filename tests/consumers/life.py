"""A worker's life over a scripted transport, for tests of the loop that read as lists of inputs and marks."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import consumers.retries
import consumers.worker
from consumers.observer import Observer
from consumers.testing import Died, Ledger, ScriptedTransport
from consumers.transport import Task
from consumers.worker import Worker
from stream.records import Input, Outputs
from stream.testing import ManualClock, RunningSum, event

a, b, c, d = (event(name, n=n) for name, n in (("a", 1), ("b", 2), ("c", 3), ("d", 4)))

SUMS = ["a=1", "b=3", "c=6", "d=10"]


def manual(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """A clock for the worker that passes no time but its pauses."""
    clock = ManualClock()
    for module in (consumers.worker, consumers.retries):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Notes(Observer):
    """Notes what it hears; ``heard`` is all of it in order, in brief."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.totals: list[Any] = []
        self.inputs = 0
        self.gone: list[str] = []
        self.waits: list[tuple[str, str]] = []
        self.replayed: list[int] = []
        self.heard: list[str] = []

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        durable = sum(len(outputs.predictions) for outputs in self.ledger.pages[task].outputs)
        assert totals.events <= durable, "a count was seen before its batch was durable"
        assert seconds.keys() == ({"feed", "commit"} if inputs else set())
        self.totals.append(totals)
        self.inputs += inputs
        self.heard.append(f"{task} {inputs}")

    def recovered(self, task: str, seconds: float, batches: int) -> None:
        assert seconds >= 0
        self.replayed.append(batches)

    def waiting(self, task: str, reason: str) -> None:
        self.waits.append((task, reason))
        self.heard.append(f"{task} waits")

    def revoked(self, task: str) -> None:
        self.gone.append(task)
        self.heard.append(f"{task} gone")


class Watched(RunningSum):
    """The toy task, which notes what it is fed, and when it is restored or asked for its state.

    ``on_feed`` and ``on_snapshot`` are done there.
    """

    def __init__(
        self, on_feed: Callable[[], object] = lambda: None, on_snapshot: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__()
        self.on_feed = on_feed
        self.on_snapshot = on_snapshot
        self.fed: list[list[Input]] = []
        self.kept: list[int] = []
        self.restored = 0

    def feed(self, batch: Sequence[Input]) -> Outputs:
        self.on_feed()
        self.fed.append(list(batch))
        return super().feed(batch)

    def snapshot(self) -> Any:
        self.on_snapshot()
        self.kept.append(self.state.fed)
        return super().snapshot()

    def restore(self, body: bytes, segments: Any) -> None:
        self.restored += 1
        super().restore(body, segments)


def work(
    ledger: Ledger,
    *,
    batch: int = 2,
    every: float = 60.0,
    make: Callable[[str], Task] | None = None,
    transport: Callable[[Ledger], ScriptedTransport] = ScriptedTransport,
    **options: Any,
) -> bool:
    """One process's life."""
    view = transport(ledger)
    options.setdefault("stop", lambda: view.idle)
    worker = Worker(view, make or (lambda _: RunningSum()), batch=batch, checkpoint_every=every, **options)
    try:
        return worker.run()
    finally:
        assert view.closed


def work_on(ledger: Ledger, **options: Any) -> int:
    """Process after process, until one does not die; how many died."""
    for deaths in range(100):
        try:
            work(ledger, **options)
        except Died:
            continue
        return deaths
    raise AssertionError("dies for ever")
