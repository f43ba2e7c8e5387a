"""The built-in fraud stream, from transactions to scores: nothing looks ahead, and nothing odd breaks it."""

import math
import random

import numpy as np
import pytest
from msgspec.structs import replace
from sklearn.metrics import average_precision_score, roc_auc_score

from consumers.settings import load
from stream.config import Labels
from stream.duration import Duration
from stream.records import Event, Label, Tick
from stream.scoring import ScoringTask
from stream.simulators.fraud import FraudSimulator
from stream.warmup import warm_up

DAY = 86_400.0
WARM, ROWS = 8_000, 24_000
ONLINE = "half-space-trees+recursive-logistic"


@pytest.fixture(scope="module")
def transactions():
    """A small town's: 5% are frauds, so that a few days hold enough of them."""
    chance = random.Random(3)
    rows = []
    simulator = FraudSimulator(seed=5, drift=False)
    for row in simulator.rows(ROWS):
        fraud = chance.random() < 0.05
        amount = row["amount"] * (6.0 if fraud and chance.random() < 0.8 else 1.0)
        rows.append({**row, "amount": amount, "label": "fraud" if fraud else "legitimate", "label_time": None})
    return rows


def made(rows, *, online=ONLINE, baseline="logistic", labels=None, delay=DAY, **other):
    stream = replace(
        load(None).streams["fraud"], online=online, baseline=baseline, labels=labels or Labels(Duration(DAY)), **other
    )
    first = [(row, row["label"]) for row in rows]
    return warm_up("streams.fraud", stream, first, [(row["time"], row["time"] + delay) for row in rows])


def task(rows, **settings):
    ready = made(rows, **settings)
    return ScoringTask("fraud", ready.stream, ready.models)


def inputs(rows, delay=DAY, first=0):
    """Events and their labels, each ``delay`` later, by time; the warm-up's labels have been used."""
    events = [Event(row["event_id"], row["time"], row, at) for at, row in enumerate(rows[first:], start=first)]
    labels = [Label(row["event_id"], row["time"] + delay, row["label"], at) for at, row in enumerate(rows[first:])]
    return sorted([*events, *labels], key=lambda record: (record.time, isinstance(record, Label)))


def fed(scorer, records, size=500):
    out = [scorer.feed(records[at : at + size]) for at in range(0, len(records), size)]
    return [p for one in out for p in one.predictions], [r for one in out for r in one.labelled]


def test_labels_a_day_later_change_no_score_before_the_first_would_have_come(transactions):
    warm = transactions[:WARM]
    soon = fed(task(warm), inputs(transactions, DAY, WARM))[0]
    late = fed(task(warm), inputs(transactions, 2 * DAY, WARM))[0]
    first = next(at for at, (a, b) in enumerate(zip(soon, late, strict=True)) if a != b)
    assert soon[first].time >= transactions[WARM]["time"] + DAY
    assert sum(a.online != b.online for a, b in zip(soon[first:], late[first:], strict=True)) > len(soon[first:]) / 2


def test_one_label_changed_changes_no_score_before_it_comes(transactions):
    warm, rows = transactions[:WARM], transactions
    place = WARM + 3_000
    other = {"fraud": "legitimate", "legitimate": "fraud"}[rows[place]["label"]]
    changed = [*rows[:place], {**rows[place], "label": other}, *rows[place + 1 :]]
    one, two = (fed(task(warm), inputs(each, DAY, WARM))[0] for each in (rows, changed))
    first = next(at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a.score != b.score)
    assert one[first].time > rows[place]["time"] + DAY


def test_shuffled_labels_teach_nothing_and_true_ones_do(transactions):
    shuffled = [row["label"] for row in transactions]
    random.Random(1).shuffle(shuffled)
    lied = [{**row, "label": label} for row, label in zip(transactions, shuffled, strict=True)]
    found = {}
    for name, rows in (("true", transactions), ("shuffled", lied)):
        scorer = task(rows[:WARM], online="recursive-logistic")
        said, _ = fed(scorer, inputs(rows, DAY, WARM))
        truth = np.array([row["label"] == "fraud" for row in rows[WARM:]])
        for model in ("online", "baseline"):
            found[name, model] = roc_auc_score(truth, [getattr(p, model) for p in said])
    assert found["true", "online"] > 0.75
    assert found["true", "baseline"] > 0.75
    # 800 frauds: a standard error of .01.
    assert found["shuffled", "online"] == pytest.approx(0.5, abs=0.04)
    assert found["shuffled", "baseline"] == pytest.approx(0.5, abs=0.04)


def test_the_blend_ranks_about_as_well_as_the_better_model(transactions):
    scorer = task(transactions[:WARM], online="recursive-logistic")
    said, _ = fed(scorer, inputs(transactions, DAY, WARM))
    truth = [row["label"] == "fraud" for row in transactions[WARM:]]
    found = {name: average_precision_score(truth, [getattr(p, name) for p in said]) for name in ("online", "baseline")}
    assert average_precision_score(truth, [p.score for p in said]) > max(found.values()) - 0.03


def test_alerts_keep_to_the_budget_of_each_model(transactions):
    scorer = task(transactions[:WARM], alert_rate=0.02, alerts_per_day=0)
    _, labelled = fed(scorer, [*inputs(transactions, DAY, WARM), Tick(1e12)])
    for called in ("online_label", "baseline_label", "served_label"):
        share = sum(getattr(record, called) == "fraud" for record in labelled) / len(labelled)
        assert share == pytest.approx(0.02, rel=0.35)


def test_the_budget_holds_from_the_first_event_on(transactions):
    """By what the warm-up tells of scores and of events a day: 100 a day of some 3,500."""
    scorer = task(transactions[:WARM], online="recursive-logistic", alerts_per_day=100)
    said, _ = fed(scorer, inputs(transactions[: WARM + 1_000], DAY, WARM))
    events_a_day = WARM / (transactions[WARM]["time"] - transactions[0]["time"]) * DAY
    assert sum(p.label == "fraud" for p in said) == pytest.approx(1_000 * 100 / events_a_day, rel=0.5)


def test_a_warm_up_without_labels_alerts_nobody_by_a_model_that_knows_nothing(transactions):
    blank = [{**row, "label": None} for row in transactions[:WARM]]
    scorer = task(blank, online="recursive-logistic", baseline="none", serving="online")
    said, _ = fed(scorer, inputs(transactions[: WARM + 1_000], DAY, WARM))
    assert {p.label for p in said} == {"legitimate"}


def test_what_is_served_changes_nothing_of_what_the_online_model_says(transactions):
    rows = transactions[: WARM + 3_000]
    scores = [
        [p.online for p in fed(task(rows[:WARM], serving=serving), inputs(rows, DAY / 4, WARM))[0]]
        for serving in ("online", "blend")
    ]
    assert scores[0] == scores[1]


def test_what_is_spared_is_set_anew_behind_a_restart(transactions):
    first = task(transactions[:WARM], learn_alerts=True)
    snapshot = first.snapshot()
    again = task(transactions[:WARM], learn_alerts=False, alert_rate=0.02)
    again.restore(snapshot.body, {name: of() for name, of in snapshot.segments.items()})
    assert first.models.online.estimator.spared == 0.0
    assert again.models.online.estimator.spared == 0.02


def test_a_budget_that_is_set_anew_holds_behind_a_restart(transactions):
    before = task(transactions[:WARM], alert_rate=0.3, alerts_per_day=0)
    fed(before, inputs(transactions[: WARM + 3_000], DAY, WARM))
    snapshot = before.snapshot()
    again = task(transactions[:WARM], alert_rate=0.01, alerts_per_day=0)
    again.restore(snapshot.body, {name: of() for name, of in snapshot.segments.items()})
    said, _ = fed(again, inputs(transactions[: WARM + 6_000], DAY, WARM + 3_000))
    assert sum(p.label == "fraud" for p in said) < 0.05 * len(said)


# ------------------------------------------------------------------------------------------- what is odd


def event(number, time, **fields):
    usual = {"amount": 20.0, "customer_id": "c", "terminal_id": "t"}
    return Event(f"e{number}", time, {**usual, **fields}, number)


@pytest.fixture
def scorer(transactions):
    return task(transactions[:WARM])


@pytest.mark.parametrize("amount", [-50.0, 0.0, 1e30, -1e30, 5e-324, None, "12.5", ""])
def test_negative_zero_absurd_and_missing_amounts_are_scored_and_harm_nobody(scorer, amount, transactions):
    now = transactions[WARM]["time"]
    other = {name: transactions[0][name] for name in ("customer_id", "terminal_id")}
    usual = scorer.feed([event(0, now + 1, **other)]).predictions[0]
    said = scorer.feed([event(n, now + 2 + n, amount=amount) for n in range(1, 6)])
    assert said.dead_letters == []
    assert all(0.0 <= score <= 1.0 for p in said.predictions for score in (p.score, p.online, p.baseline))
    scorer.feed([Label(f"e{n}", now + 10 + n, "legitimate") for n in range(6)])
    [after] = scorer.feed([event(10, now + 100, **other)]).predictions
    assert after.online == pytest.approx(usual.online, abs=0.1)
    assert after.score == pytest.approx(usual.score, abs=0.1)


@pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf, 1e31, "much", [1], {}])
def test_what_is_no_amount_is_a_dead_letter_that_names_the_field_and_no_model_sees_it(scorer, amount, transactions):
    now = transactions[WARM]["time"]
    scorer.feed([Tick(now + 1)])
    before = scorer.models.derived.contents()
    said = scorer.feed([event(1, now + 1, amount=amount)])
    assert said.predictions == []
    assert [letter.field for letter in said.dead_letters] == ["amount"]
    assert scorer.models.derived.contents() == before


@pytest.mark.parametrize("customer", [None, "", "never seen", 7, 7.0, True, "x" * 5_000])
def test_unknown_missing_and_odd_entities_are_scored(scorer, customer, transactions):
    said = scorer.feed([event(1, transactions[WARM]["time"] + 1, customer_id=customer)])
    assert len(said.predictions) == 1
    assert said.dead_letters == []


def test_an_entity_that_is_a_table_is_a_dead_letter(scorer, transactions):
    said = scorer.feed([event(1, transactions[WARM]["time"] + 1, terminal_id={"a": 1})])
    assert [letter.field for letter in said.dead_letters] == ["terminal_id"]


def test_a_clock_that_goes_back_a_label_before_its_event_and_an_event_sent_twice(scorer, transactions):
    now = transactions[WARM]["time"]
    records = [
        Label("e2", now + 1, "fraud"),
        event(1, now + 1_000),
        event(2, now + 1),
        event(1, now + 1_000),
        event(3, now - 30 * DAY),
        Label("e1", now + 2_000, "legitimate"),
    ]
    said = scorer.feed([*records, Tick(now + 100 * DAY)])
    assert [p.event_id for p in said.predictions] == ["e1", "e2", "e1", "e3"]
    assert [p.repeated for p in said.predictions] == [False, False, True, False]
    assert {(r.event_id, r.label) for r in said.labelled} == {("e1", "legitimate"), ("e2", "fraud")}
    totals = scorer.totals()
    assert (totals.inputs.repeated, totals.labels.joined, totals.labels.expired) == (1, 2, 1)
    assert all(0.0 <= p.score <= 1.0 for p in said.predictions)


def test_the_label_of_an_event_that_was_evicted_is_counted_and_learned_by_nobody(transactions, monkeypatch):
    small = Labels(Duration(DAY), capacity=16)
    scorer = task(transactions[:WARM], labels=small)
    now = transactions[WARM]["time"]
    said = scorer.feed([event(n, now + n) for n in range(200)])
    evicted = scorer.totals().labels.evicted
    assert len(said.predictions) == 200
    assert evicted > 150
    labels: list[float] = []
    monkeypatch.setattr(scorer.models.derived, "label", lambda *told, **_: labels.append(told[1]))
    scorer.feed([Label(f"e{n}", now + 300, "fraud") for n in range(200)])
    totals = scorer.totals().labels
    assert totals.joined == len(labels) == 200 - evicted
    assert totals.orphaned == evicted
    assert set(labels) == {now + 300}
