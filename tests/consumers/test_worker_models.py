"""The worker loop with a scoring task whose user's model breaks: every record is accounted for at every commit."""

from typing import Any

import msgspec
import pytest
from river import base, linear_model, optim

from consumers.testing import DIES, DIES_COMMITTED, FAILS, REVOKED, Ledger, Mark
from stream.config import Features, Labels, Stream
from stream.features import ModelInput
from stream.given import GivenScore
from stream.online import OnlineModel
from stream.records import Input, Prediction
from stream.scoring import Models, ScoringTask
from stream.testing import ManualClock, event, label, undecodable
from stream.totals import ScoringTotals
from tests.consumers.life import Notes, manual, work, work_on


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """No test waits for real."""
    return manual(monkeypatch)


class Fragile(base.Classifier):  # type: ignore[misc] # river ships no complete types
    """A user's model: logistic regression that breaks on a marked event or on its label; it counts lessons."""

    def __init__(self) -> None:
        self.model = linear_model.LogisticRegression(optim.SGD(0.1))
        self.lessons = 0

    def predict_proba_one(self, x: ModelInput) -> dict[bool, float]:
        if x.get("mark") == 1.0:
            raise ZeroDivisionError("the user's model broke")
        answer: dict[bool, float] = self.model.predict_proba_one(x)
        return answer

    def learn_one(self, x: ModelInput, y: bool) -> None:
        self.lessons += 1
        if x.get("mark") == 2.0:
            raise ZeroDivisionError("the user's model broke while it learned")
        self.model.learn_one(x, y)


STREAM = Stream(
    classes=["ham", "spam"],
    features=Features(numeric=["size", "mark"]),
    labels=Labels(),
    baseline="field:given",
    serving="blend",
)


class Balanced(Notes):
    """Checks the equations whenever totals are published."""

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        assert isinstance(totals, ScoringTotals)
        assert totals.unbalanced() is None
        assert totals.inputs.predicted + totals.inputs.repeated == len(self.ledger.outputs().predictions)
        self.totals.append(totals)
        self.inputs += inputs


def scoring(_: str) -> ScoringTask:
    return ScoringTask("s", STREAM, Models(OnlineModel(Fragile(), "binary", 2), "fragile", GivenScore("given", [])))


def mails(count: int) -> list[Input]:
    """Events with their labels three events later; some marked, repeated, unreadable, or with labels that are wrong."""
    records: list[Input] = []
    for i in range(count):
        mark = {10: 1, 25: 2}.get(i, 0)
        records.append(event(f"m{i}", float(i), offset=i, size=i % 7, mark=mark, given=(i % 10) / 10))
        if i % 9 == 4:
            records.append(event(f"m{i - 1}", float(i), offset=i, size=1, mark=0, given=0.5))
        if i % 11 == 5:
            records.append(undecodable(f"junk {i}".encode(), offset=i))
        if i >= 3:
            value = "neither" if i == 15 else "spam" if i % 7 > 3 else "ham"
            records.append(label(f"m{i - 3}", value, float(i)))
        if i % 8 == 7:
            records.append(label(f"m{i - 5}", "spam", float(i)))
    return records


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_every_record_is_accounted_for_at_every_commit_when_a_users_model_breaks(batch: int) -> None:
    ledger = Ledger(mails(60))
    notes = Balanced(ledger)
    assert work(ledger, batch=batch, observer=notes, make=scoring)
    totals = notes.totals[-1]
    letters = ledger.outputs().dead_letters
    skipped = [letter for letter in letters if "ZeroDivisionError" in letter.reason]
    assert totals.inputs.skipped == len(skipped) == 2
    assert [letter.source for letter in skipped] == ["events", "labels"]
    assert skipped[0].payload == event("m10", 10.0, size=3, mark=1, given=0.0).raw
    assert skipped[1].payload == label("m25", "ham", 28.0).raw
    assert {p.event_id for p in ledger.outputs().predictions} == {f"m{i}" for i in range(60)} - {"m10"}
    assert notes.inputs == len(mails(60))


@pytest.mark.parametrize("mark", [DIES, DIES_COMMITTED, FAILS, REVOKED])
@pytest.mark.parametrize("every", [0.0, 60.0], ids=["with checkpoints", "without"])
def test_a_scoring_task_publishes_the_same_whatever_befalls_its_worker(mark: Mark, every: float) -> None:
    plain = Ledger(mails(60))
    notes = Balanced(plain)
    assert work(plain, batch=7, every=every, observer=notes, make=scoring)
    script: list[Input | Mark] = []
    for index, record in enumerate(mails(60)):
        script.append(record)
        if index % 10 == 9:
            script.append(mark)
    marked = Ledger(script)
    others = Balanced(marked)
    work_on(marked, batch=7, every=every, observer=others, make=scoring)
    assert by_batches(marked.outputs().predictions) == by_batches(plain.outputs().predictions)
    assert marked.outputs().dead_letters == plain.outputs().dead_letters
    for name in ("inputs", "labels", "waiting", "early", "clock", "delays", "blend_weight"):
        assert getattr(others.totals[-1], name) == getattr(notes.totals[-1], name)


def by_batches(predictions: list[Prediction]) -> list[Any]:
    return [msgspec.structs.astuple(prediction) for prediction in predictions]


def test_no_event_is_learned_from_twice_when_its_batch_is_fed_again() -> None:
    made: list[ScoringTask] = []

    def make(task: str) -> ScoringTask:
        made.append(scoring(task))
        return made[-1]

    records = mails(60)
    script: list[Input | Mark] = [*records[:30], FAILS, *records[30:60], REVOKED, *records[60:]]
    ledger = Ledger(script)
    notes = Balanced(ledger)
    assert work(ledger, batch=9, observer=notes, make=make)
    online = made[-1].models.online
    assert isinstance(online, OnlineModel)
    assert online.estimator.lessons == notes.totals[-1].labels.joined
