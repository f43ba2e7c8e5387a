"""The contract suite over the local transport, on disk and in memory, and over the scripted one."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from consumers.lines import Row
from consumers.local import LocalTransport
from consumers.order import Order, Position, TwoFiles
from consumers.store import Store
from consumers.testing import Ledger, ScriptedTransport
from consumers.transport import Transport
from consumers.worker import Worker
from stream.config import Fields
from stream.decoding import RecordDecoder
from stream.errors import CommitFailed, Fenced, RecordError
from stream.records import DeadLetter, Event, Input, Label, Outputs, Prediction, Undecodable
from stream.snapshot import Snapshot
from stream.testing import RunningSum, said
from tests.consumers.contract import INPUTS, Delivery, Durable, Handle, Make, Revocable, snapshot

KEY = b"k" * 32

KINDS = ("predictions", "labelled", "alarms", "dead_letters")


class Local(Handle):
    """The local transport over rows of events and rows of labels; without a path one open store is all there is."""

    steps = ("begin", "fence", "outputs", "journal", "checkpoint", "commit", "done")

    def __init__(self, inputs: Sequence[Input], path: Path | None, begin: Snapshot | None = None) -> None:
        super().__init__(inputs)
        self.path = path
        self.begin = begin or snapshot([])
        self.stores: dict[int, Store] = {}
        self.events = self._rows(Event | Undecodable)
        self.labels = self._rows(Label)
        self.memory = self._store() if path is None else None

    def _rows(self, kinds: object) -> list[Row]:
        rows: list[Row] = []
        for record in self.inputs:
            if isinstance(record, kinds):  # type: ignore[arg-type] # a union of classes
                try:
                    rows.append((msgspec.json.decode(record.raw or b""), record.raw))
                except msgspec.DecodeError as error:
                    rows.append((RecordError("", str(error)), record.raw))
        return rows

    def _store(self) -> Store:
        store = Store(self.path, KEY, KINDS, self.at_step)
        if store.get("begun") is None:
            store.start(Position(0, 0), self.begin.body, self.begin.segments, begun=b"yes")
        return store

    def _order(self, start: Position) -> Order:
        decoder = RecordDecoder(Fields(), received=1e9, max_ahead=0.0)
        return TwoFiles(lambda: iter(self.events), lambda: iter(self.labels), decoder, 0.0, start, frozenset())

    def open(self) -> Transport:
        store = self.memory or self._store()
        transport = LocalTransport(store, self._order)
        self.stores[id(transport)] = store
        return transport

    def kill(self, transport: Transport) -> None:
        self.stores.pop(id(transport)).close()

    def committed(self) -> Outputs:
        def read(store: Store, kind: str, of: type) -> Iterator[object]:
            for lines in store.outputs(kind):
                yield from msgspec.json.Decoder(of).decode_lines(lines)

        store = self.memory
        if store is None:  # a reader's own connection: opening a Store would take the state over
            store = Store(None, KEY, KINDS)
            store.db.close()
            store.db = sqlite3.connect(self.path or "", isolation_level=None)
        predictions = list(read(store, "predictions", Prediction))
        dead_letters = list(read(store, "dead_letters", DeadLetter))
        if store is not self.memory:
            store.close()
        return Outputs(predictions, [], [], dead_letters)  # type: ignore[arg-type] # as decoded

    def fail(self, step: str) -> None:
        self.interrupt(step, sqlite3.OperationalError("disk I/O error"))

    def damage(self, newest: int) -> None:
        other = sqlite3.connect(self.path or "")
        rows = other.execute("SELECT sequence, sealed FROM checkpoint ORDER BY sequence DESC LIMIT ?", (newest,))
        for sequence, sealed in rows.fetchall():
            changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
            other.execute("UPDATE checkpoint SET sealed = ? WHERE sequence = ?", (changed, sequence))
        other.commit()
        other.close()


class Scripted(Handle):
    """The scripted transport over a ledger."""

    steps = ScriptedTransport.STEPS

    def __init__(self, inputs: Sequence[Input]) -> None:
        super().__init__(inputs)
        self.ledger = Ledger(inputs)

    def open(self) -> Transport:
        return ScriptedTransport(self.ledger, self.at_step)

    def kill(self, transport: Transport) -> None:
        """Nothing to do: all that it has is memory of its own."""

    def committed(self) -> Outputs:
        return self.ledger.outputs()

    def fail(self, step: str) -> None:
        self.interrupt(step, CommitFailed("so says the test"))

    def damage(self, newest: int) -> None:
        self.ledger.damage(newest)

    def revoke(self, transport: Transport) -> None:
        assert isinstance(transport, ScriptedTransport)
        transport.revoke("task")


class TestLocalOnDisk(Durable):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[Make]:
        made: list[Local] = []

        def make(inputs: Sequence[Input]) -> Handle:
            made.append(Local(inputs, tmp_path / f"state-{len(made)}.sqlite"))
            return made[-1]

        yield make
        for handle in made:
            for store in handle.stores.values():
                store.close()


class TestLocalInMemory(Delivery):
    @pytest.fixture
    def make(self) -> Iterator[Make]:
        made: list[Local] = []

        def make(inputs: Sequence[Input]) -> Handle:
            made.append(Local(inputs, None))
            return made[-1]

        yield make
        for handle in made:
            assert handle.memory is not None
            handle.memory.close()


class TestScripted(Revocable):
    @pytest.fixture
    def make(self) -> Make:
        return Scripted


def test_a_local_worker_that_has_been_taken_over_ends_and_has_published_nothing_after(tmp_path: Path) -> None:
    handle = Local(INPUTS, tmp_path / "state.sqlite", RunningSum().snapshot())
    rounds = iter(range(100))
    newer: list[Transport] = []

    def stop() -> bool:
        if next(rounds) == 2:  # assigned, and one batch committed
            newer.append(handle.open())
        return False

    worker = Worker(handle.open(), lambda _: RunningSum(), batch=2, checkpoint_every=60, stop=stop)
    with pytest.raises(Fenced, match="another process has taken this replay over"):
        worker.run()
    assert said(handle.committed()) == ["a=1", "b=2"]
    assert Worker(newer[0], lambda _: RunningSum(), batch=2, checkpoint_every=60).run()
    assert said(handle.committed())[:7] == ["a=1", "b=2", "c=3", "e=4", "f=5", "g=6", "h=7"]
    for store in handle.stores.values():
        store.close()
