"""State that today's code cannot take up, or cannot be fed again: the task stops with a way out, and alone."""

from collections.abc import Mapping, Sequence

import pytest

from consumers.testing import DIES_COMMITTED, Died, Ledger
from stream.errors import StateError
from stream.records import Input, Outputs
from stream.testing import ManualClock, RunningSum, event, said
from tests.consumers.life import SUMS, Notes, a, b, c, d, manual, work


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No test waits for real."""
    return manual(monkeypatch)


class Renamed(RunningSum):
    """Code in which a class that old pickles name is gone."""

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        raise AttributeError("module 'theirs' has no attribute 'Model'")


class Stricter(RunningSum):
    """Code that breaks on what it took before."""

    def feed(self, batch: Sequence[Input]) -> Outputs:
        raise ValueError("no such feature")


def interrupted() -> Ledger:
    """One task with a checkpoint and a batch behind it, and one that has nothing yet to come back to."""
    ledger = Ledger({"one": [a, b, DIES_COMMITTED, c, d], "two": [event(f"f{i}") for i in range(9)]})
    with pytest.raises(Died):
        work(ledger, every=1e9)
    return ledger


@pytest.mark.parametrize(
    ("code", "why"),
    [(Renamed, "checkpoint cannot be taken up by this code (AttributeError: module 'theirs' has no attribute 'Model')"),
     (Stricter, "a batch that was fed and committed breaks this code (ValueError: no such feature)")],
)  # fmt: skip
def test_a_task_whose_state_the_code_cannot_take_up_stops_alone(code: type[RunningSum], why: str) -> None:
    ledger = interrupted()
    notes = Notes(ledger)
    assert work(ledger, observer=notes, every=1e9, make=lambda task: code() if task == "one" else RunningSum())
    ((task, reason),) = notes.waits
    assert task == "one"
    assert why in reason
    assert "rotwatch state rebuild" in reason
    assert len(ledger.outputs("two").predictions) == 9
    # Nothing is spoilt: the code that wrote it goes on.
    assert work(ledger)
    assert said(ledger.outputs("one")) == SUMS


@pytest.mark.parametrize("code", [Renamed, Stricter])
def test_a_replay_ends_with_it(code: type[RunningSum]) -> None:
    ledger = Ledger([a, b, DIES_COMMITTED, c, d])
    with pytest.raises(Died):
        work(ledger, every=1e9)
    with pytest.raises(StateError, match="--fresh"):
        work(ledger, retries=0, make=lambda _: code())
