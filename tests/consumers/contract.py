"""What every transport promises (consumers/transport.py), as one suite; a transport's tests derive from it.

``Delivery`` needs one process only; ``Durable`` opens the transport again and again, as processes that die do;
``Revocable`` is for transports that can take a task away. Nothing here knows how a transport stores anything.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from consumers.transport import Arrived, Assigned, Batch, Drained, Loaded, Notice, Revoked, Transport
from stream.errors import CommitFailed, Fenced, StateError
from stream.records import DeadLetter, Event, Input, Label, Outputs, Prediction, Skip, Tick, Undecodable
from stream.snapshot import Snapshot
from stream.testing import event, label, undecodable

INPUTS: list[Input] = [
    event("a", 1.0),
    event("b", 2.0),
    label("a", "1", 3.0),
    event("c", 4.0),
    undecodable(b"{broken"),
    event("e", 5.0),
    label("c", "0", 6.0),
    label("e", "1", 7.0),
    event("f", 8.0),
    event("g", 9.0),
    label("f", "1", 10.0),
    event("h", 11.0),
]
"""In the one order that every transport gives them in: by time, what has no time behind what came before it."""

NAMES = ["a", "b", "a:1", "c", "!{broken", "e", "c:0", "e:1", "f", "g", "f:1", "h"]

PATIENCE = 30.0


class Killed(BaseException):
    """The process dies here."""


class Handle(ABC):
    """One transport under test, with its inputs in place.

    ``steps`` are the moments within a commit at which it can be interrupted, in their order; what is committed is
    durable at ``done`` and not before.
    """

    steps: Sequence[str]

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.inputs = inputs
        self._at: str | None = None
        self._error: BaseException | None = None

    @abstractmethod
    def open(self) -> Transport:
        """The transport as a new process opens it; one that is open already is not told."""

    @abstractmethod
    def kill(self, transport: Transport) -> None:
        """End the process that has this one open, without a word to it."""

    @abstractmethod
    def committed(self) -> Outputs:
        """The outputs that a reader of committed data sees."""

    def damage(self, newest: int) -> None:
        """Damage the newest checkpoints, so many of them."""
        raise NotImplementedError

    def revoke(self, transport: Transport) -> None:
        """Take the task away from whoever has it, and give it back some time later."""
        raise NotImplementedError

    def interrupt(self, step: str, error: BaseException) -> None:
        """Let the next commit that comes to a step end there with an error."""
        self._at, self._error = step, error

    def calm(self) -> None:
        """Interrupt nothing any more."""
        self._at = self._error = None

    def fail(self, step: str) -> None:
        """Let the next commit that comes to a step fail as its storage fails: CommitFailed must come of it."""
        raise NotImplementedError

    def at_step(self, step: str) -> None:
        """To be called by the transport at each step of a commit."""
        if step == self._at and self._error is not None:
            error, self._at, self._error = self._error, None, None
            raise error


def name(record: Input) -> str:
    """An input in brief; where it lay is the transport's own business."""
    if isinstance(record, Event):
        return record.event_id
    if isinstance(record, Label):
        return f"{record.event_id}:{record.label}"
    if isinstance(record, Skip):
        return f"skip {record.source} {record.reason} {record.raw!r}"
    return "tick" if isinstance(record, Tick) else f"!{record.raw.decode()}"


def names(inputs: Sequence[Input]) -> list[str]:
    """Inputs in brief, without the ticks that a transport may add."""
    return [name(record) for record in inputs if not isinstance(record, Tick)]


def answer(batch: Batch) -> Outputs:
    """Outputs by which a batch can be told."""
    out = Outputs([], [], [], [])
    for record in batch.inputs:
        if isinstance(record, Event):
            out.predictions.append(Prediction(record.event_id, record.time, "", 0.5, "online", 0.5, None, "v", None))
        elif isinstance(record, Undecodable | Skip):
            out.dead_letters.append(DeadLetter(record.source, "", record.reason, 0, record.raw))
    return out


def published(outputs: Outputs) -> list[str]:
    """Committed outputs in brief."""
    return [p.event_id for p in outputs.predictions] + [f"!{d.payload.decode()}" for d in outputs.dead_letters]


def of_time(notice: Notice) -> bool:
    """Whether a notice brings nothing but time, which a transport may say when there is nothing else."""
    return isinstance(notice, Arrived) and all(isinstance(made, Tick) for made in notice.batch.inputs)


def snapshot(fed: Sequence[str]) -> Snapshot:
    """What a task that has been fed this would give: every two names a segment, the odd one in the body."""
    full = len(fed) // 2
    segments = {f"two-{i}": lambda i=i: "\n".join(fed[2 * i : 2 * i + 2]).encode() for i in range(full)}
    return Snapshot("\n".join([str(full), *fed[2 * full :]]).encode(), segments)


def restored(loaded: Loaded) -> list[str]:
    """What a task was fed whose snapshot was kept."""
    full, *rest = (loaded.body or b"").decode().split("\n")
    names = [name for i in range(int(full)) for name in loaded.segments[f"two-{i}"].decode().split("\n")]
    return names + rest


def singles(transport: Transport, batch: Batch) -> list[Batch]:
    """The same inputs, one a batch."""
    if len(batch.inputs) == 1:
        return [batch]
    return [single for half in transport.split(batch) for single in singles(transport, half)]


class Client:
    """What a worker does with a transport, step by step. It remembers what it was fed, as a task's state would."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.coming: list[Notice] = []
        self.task = self.wait(Assigned).task
        self.fed: list[str] = []
        self.batches: list[list[str]] = []
        self.recover()

    def wait(self, kind: type[Any], most: int = 2) -> Any:
        """The next notice, which must be of a kind."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.coming += [notice for notice in self.transport.poll(most, 0.1) if not of_time(notice)]
            if self.coming:
                notice = self.coming.pop(0)
                assert isinstance(notice, kind), notice
                return notice
        raise TimeoutError(f"no {kind.__name__} came")

    def recover(self) -> None:
        """Stand where the last commit stood."""
        recovery = self.transport.recover(self.task)
        loaded = recovery.load()
        self.fed = [] if loaded.body is None else restored(loaded)
        self.batches = [names(batch.inputs) for batch in loaded.batches]
        self.fed += [name for batch in self.batches for name in batch]
        self.number = recovery.number
        if loaded.body is None:  # as a worker does: where a task begins is kept first of all
            self.checkpoint()

    def take(self, most: int = 2) -> Batch:
        """The next batch."""
        arrived: Arrived = self.wait(Arrived, most)
        assert arrived.task == self.task
        return arrived.batch

    def commit(self, batch: Batch, *, checkpoint: bool = False) -> None:
        """Feed a batch and commit it."""
        after = self.fed + names(batch.inputs)
        self.transport.commit(self.task, batch, answer(batch), snapshot(after) if checkpoint else None).wait()
        self.fed = after
        self.number += 1

    def checkpoint(self) -> None:
        """Commit a snapshot alone."""
        self.transport.commit(self.task, None, Outputs([], [], [], []), snapshot(self.fed)).wait()

    def work(self, *sizes: int, checkpoint: bool = False) -> None:
        """Take and commit batches of so many events each."""
        for most in sizes:
            self.commit(self.take(most), checkpoint=checkpoint)

    def finish(self) -> None:
        """Work until the inputs end or all that are known have come."""
        while len(self.fed) < len(NAMES):
            self.work(2)


Make = Callable[[Sequence[Input]], Handle]


class Delivery(ABC):
    """What can be asked of a transport within one process."""

    drains = True
    """Whether its inputs end."""

    @pytest.fixture
    @abstractmethod
    def make(self, tmp_path: Any) -> Make:
        """Gives a handle on a new transport with these inputs."""

    @pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
    def test_inputs_come_in_order_none_left_out_and_none_twice(self, make: Make, most: int) -> None:
        client = Client(make(INPUTS).open())
        while len(client.fed) < len(NAMES):
            client.work(most)
        assert client.fed == NAMES

    @pytest.mark.parametrize("most", [1, 2, 3, 5])
    def test_a_batch_has_no_more_events_than_were_asked_for(self, make: Make, most: int) -> None:
        client = Client(make(INPUTS).open())
        while len(client.fed) < len(NAMES):
            batch = client.take(most)
            assert batch.inputs
            assert sum(not isinstance(record, Label | Tick) for record in batch.inputs) <= most
            client.commit(batch)

    def test_every_commit_publishes_its_outputs_once_and_in_order(self, make: Make) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.finish()
        assert published(handle.committed()) == ["a", "b", "c", "e", "f", "g", "h", "!{broken"]

    def test_what_has_been_polled_and_not_committed_is_not_published_and_comes_again_after_recovery(
        self, make: Make
    ) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.work(2)
        before = published(handle.committed())
        lost = names(client.take(3).inputs)
        client.recover()
        assert published(handle.committed()) == before
        assert names(client.take(3).inputs) == lost

    def test_after_a_commit_that_failed_nothing_is_durable_and_the_inputs_come_again(self, make: Make) -> None:
        for step in [step for step in make(INPUTS).steps if step != "done"]:
            handle = make(INPUTS)
            client = Client(handle.open())
            client.work(2, 1, checkpoint=True)
            before, fed = published(handle.committed()), client.fed
            handle.fail(step)
            batch = client.take(2)
            with pytest.raises(CommitFailed):
                client.commit(batch, checkpoint=True)
            assert published(handle.committed()) == before
            client.recover()
            assert client.fed == fed
            assert names(client.take(2).inputs) == names(batch.inputs)
            client.recover()
            client.finish()
            assert client.fed == NAMES
            assert len(published(handle.committed())) == 8

    def test_a_commit_that_breaks_for_any_other_reason_leaves_nothing_behind(self, make: Make) -> None:
        for step in [step for step in make(INPUTS).steps if step != "done"]:
            handle = make(INPUTS)
            client = Client(handle.open())
            client.work(2)
            handle.interrupt(step, ValueError("a record that cannot be encoded"))
            with pytest.raises(ValueError, match="cannot be encoded"):
                client.commit(client.take(2), checkpoint=True)
            assert published(handle.committed()) == ["a", "b"]
            client.recover()
            client.finish()
            assert client.fed == NAMES
            assert len(published(handle.committed())) == 8

    def test_recovery_gives_the_batches_since_the_checkpoint_cut_as_they_were_cut(self, make: Make) -> None:
        client = Client(make(INPUTS).open())
        client.work(1)
        client.work(2, checkpoint=True)
        cuts = []
        for most in (1, 3, 1):
            batch = client.take(most)
            client.commit(batch)
            cuts.append(names(batch.inputs))
        fed = client.fed
        client.recover()
        assert client.fed == fed
        assert client.batches == cuts

    def test_a_snapshot_can_be_committed_without_a_batch(self, make: Make) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.work(2, 2)
        before, fed = published(handle.committed()), client.fed
        client.checkpoint()
        client.checkpoint()
        client.recover()
        assert (client.fed, client.batches) == (fed, [])
        assert published(handle.committed()) == before
        client.finish()
        assert client.fed == NAMES

    def test_splitting_a_batch_gives_the_same_inputs_one_at_a_time_and_each_can_be_committed(self, make: Make) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        batch = client.take(4)
        parts = singles(client.transport, batch)
        assert [single.inputs for single in parts] == [[record] for record in batch.inputs]
        client.recover()
        for single in parts[:-1]:
            client.commit(single)
        client.recover()
        assert [len(batch) for batch in client.batches] == [1] * (len(parts) - 1)
        client.finish()
        assert client.fed == NAMES

    def test_polling_goes_on_behind_the_last_of_a_split_batchs_commits(self, make: Make) -> None:
        client = Client(make(INPUTS).open())
        client.work(1)
        batch = client.take(4)
        client.recover()
        for single in singles(client.transport, batch):
            client.commit(single)
        client.finish()
        assert client.fed == NAMES

    @pytest.mark.parametrize("place", range(len(INPUTS)))
    def test_a_skip_takes_its_inputs_place_with_its_bytes_on_every_later_recovery(self, make: Make, place: int) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.work(1, checkpoint=True)
        while len(client.fed) <= place:
            batch = client.take(100)
            for single in singles(client.transport, batch):
                if len(client.fed) == place:
                    single = client.transport.skip(single, "broke it")  # noqa: PLW2901 - takes the input's place
                client.commit(single)
        record = INPUTS[place]
        source = "labels" if isinstance(record, Label) else "events"
        assert isinstance(record, Event | Label | Undecodable)
        expected = list(NAMES)
        if place:  # the first was committed before
            expected[place] = f"skip {source} broke it {record.raw!r}"
        for _ in range(2):
            client.recover()
            assert client.fed == expected[: len(client.fed)]
            assert len(client.fed) > place
        client.finish()
        assert client.fed == expected
        assert (record.raw in [d.payload for d in handle.committed().dead_letters]) == (place in (4, *range(1, 12)))

    def test_a_task_that_is_left_is_not_delivered_until_it_is_recovered(self, make: Make) -> None:
        client = Client(make(INPUTS).open())
        client.work(2)
        client.transport.leave(client.task)
        for _ in range(5):
            assert not [n for n in client.transport.poll(2, 0.05) if not isinstance(n, Drained)]
        client.recover()
        client.finish()
        assert client.fed == NAMES

    def test_the_end_of_the_inputs_is_told_and_nothing_comes_after_it(self, make: Make) -> None:
        if not self.drains:
            return
        client = Client(make(INPUTS).open())
        client.work(100)
        for _ in range(3):
            assert client.wait(Drained).task == client.task
        client.checkpoint()
        client.recover()
        assert client.fed == NAMES
        client.wait(Drained)

    def test_no_inputs_at_all_are_an_end_too(self, make: Make) -> None:
        if not self.drains:
            return
        client = Client(make([]).open())
        notice = client.transport.poll(2, 0.1)[0]
        if isinstance(notice, Arrived):  # of a tick that closes the stream
            client.commit(notice.batch)
        client.wait(Drained)
        assert client.fed == []


class Durable(Delivery):
    """What outlives a process."""

    def test_a_new_process_goes_on_behind_the_last_commit_wherever_that_was(self, make: Make) -> None:
        handle = make(INPUTS)
        for done in range(1, len(NAMES) + 1):
            transport = handle.open()
            client = Client(transport)
            if len(client.fed) < done:
                client.commit(client.take(1))
            client.transport.poll(5, 0.1)  # polled and lost
            handle.kill(transport)
        client = Client(handle.open())
        assert client.fed == NAMES
        assert published(handle.committed()) == ["a", "b", "c", "e", "f", "g", "h", "!{broken"]

    @pytest.mark.parametrize("checkpoint", [False, True], ids=["without a checkpoint", "with a checkpoint"])
    def test_after_a_death_at_any_step_of_a_commit_all_of_it_is_there_or_nothing(
        self, make: Make, checkpoint: bool
    ) -> None:
        for step in make(INPUTS).steps:
            if step == "checkpoint" and not checkpoint:
                continue
            handle = make(INPUTS)
            transport = handle.open()
            client = Client(transport)
            client.work(2, 2)
            batch = client.take(2)
            expected = client.fed + names(batch.inputs) if step == "done" else client.fed
            handle.interrupt(step, Killed())
            with pytest.raises(Killed):
                client.commit(batch, checkpoint=checkpoint)
            handle.kill(transport)
            again = Client(handle.open())
            assert again.fed == expected, step
            assert sorted(published(handle.committed())) == sorted(name for name in expected if ":" not in name), step
            again.finish()
            assert again.fed == NAMES
            assert len(published(handle.committed())) == 8

    def test_a_death_at_any_step_of_a_checkpoint_alone_loses_nothing(self, make: Make) -> None:
        for step in make(INPUTS).steps:
            handle = make(INPUTS)
            transport = handle.open()
            client = Client(transport)
            client.work(2, 1)
            fed = client.fed
            handle.interrupt(step, Killed())
            try:
                client.checkpoint()
            except Killed:
                handle.kill(transport)
                client = Client(handle.open())
            handle.calm()
            assert client.fed == fed
            client.finish()
            assert client.fed == NAMES

    def test_recovery_starts_from_the_newest_checkpoint(self, make: Make) -> None:
        handle = make(INPUTS)
        transport = handle.open()
        client = Client(transport)
        for _ in range(3):
            client.work(1, checkpoint=True)
        client.work(1)
        fed = client.fed
        handle.kill(transport)
        again = Client(handle.open())
        assert again.fed == fed
        assert len(again.batches) == 1

    def test_when_the_newest_checkpoint_is_damaged_the_one_before_and_a_longer_journal_serve(self, make: Make) -> None:
        handle = make(INPUTS)
        transport = handle.open()
        client = Client(transport)
        client.work(1, 1, checkpoint=True)
        client.work(1)
        client.work(1, checkpoint=True)
        client.work(1)
        fed = client.fed
        handle.kill(transport)
        handle.damage(1)
        again = Client(handle.open())
        assert again.fed == fed
        assert len(again.batches) == 3
        again.finish()
        assert again.fed == NAMES
        assert len(published(handle.committed())) == 8

    def test_when_all_checkpoints_are_damaged_the_state_is_refused_and_left_as_it_is(self, make: Make) -> None:
        handle = make(INPUTS)
        transport = handle.open()
        client = Client(transport)
        for _ in range(4):
            client.work(1, checkpoint=True)
        handle.kill(transport)
        before = published(handle.committed())
        handle.damage(100)
        with pytest.raises(StateError):
            Client(handle.open())
        assert published(handle.committed()) == before

    def test_who_has_been_fenced_off_publishes_nothing_and_the_newer_one_goes_on(self, make: Make) -> None:
        handle = make(INPUTS)
        older = Client(handle.open())
        older.work(2)
        batch = older.take(2)
        newer = Client(handle.open())
        before = published(handle.committed())
        for commit in (lambda: older.commit(batch, checkpoint=True), older.checkpoint):
            with pytest.raises(Fenced):
                commit()
        assert published(handle.committed()) == before
        newer.finish()
        assert newer.fed == NAMES
        assert len(published(handle.committed())) == 8

    def test_who_was_fenced_off_before_its_first_commit_is_fenced_off_all_the_same(self, make: Make) -> None:
        handle = make(INPUTS)
        older = Client(handle.open())
        batch = older.take(2)
        newer = Client(handle.open())
        with pytest.raises(Fenced):
            older.commit(batch)
        newer.finish()
        assert newer.fed == NAMES

    def test_a_skip_outlives_the_process(self, make: Make) -> None:
        handle = make(INPUTS)
        transport = handle.open()
        client = Client(transport)
        first, second, *_ = singles(client.transport, client.take(2))
        client.commit(first, checkpoint=True)
        client.commit(client.transport.skip(second, "broke it"))
        handle.kill(transport)
        for _ in range(2):
            transport = handle.open()
            client = Client(transport)
            record = INPUTS[1]
            assert isinstance(record, Event)
            assert client.fed == ["a", f"skip events broke it {record.raw!r}"]
            handle.kill(transport)

    def test_closing_drops_what_was_not_committed(self, make: Make) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.work(2)
        client.take(2)
        client.transport.close()
        again = Client(handle.open())
        again.finish()
        assert again.fed == NAMES
        assert len(published(handle.committed())) == 8


class Revocable(Durable):
    """What is promised where tasks move from worker to worker."""

    def test_a_revoked_task_can_commit_nothing_and_goes_on_where_it_was_once_it_is_given_back(self, make: Make) -> None:
        handle = make(INPUTS)
        client = Client(handle.open())
        client.work(2, 1)
        fed, before = client.fed, published(handle.committed())
        batch = client.take(2)
        handle.revoke(client.transport)
        assert client.wait(Revoked).task == client.task
        with pytest.raises(Fenced):
            client.commit(batch)
        assert published(handle.committed()) == before
        assert client.wait(Assigned).task == client.task
        client.recover()
        assert client.fed == fed
        client.finish()
        assert client.fed == NAMES
        assert len(published(handle.committed())) == 8
