"""Where the baseline errs more than the online model: found by name and range, and not by chance."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config import Features
from stream.drift.slices import BLOCK, LEARNED_FROM, NAMED, Slices, SlicesState
from stream.errors import RecordError
from stream.reference import Histogram

FEATURES = Features(
    text=["subject", "body"], numeric=["amount", "size"], categorical=["country"], onehot={"kind": ["k1"]}
)
UNIFORM = Histogram([edge / 20 for edge in range(21)], [0, *[50] * 20, 0])
KNOWN = {"amount": UNIFORM, "size": UNIFORM, "text": Histogram([10.0, 20.0, 30.0], [0, 50, 50, 0])}


def rows(chance, count):
    """Columns that have nothing to do with one another; some values are missing."""
    amounts, sizes = chance.random((2, count)).tolist()
    countries = chance.choice(["no", "se", "dk"], count, p=[0.6, 0.3, 0.1]).tolist()
    kinds = [f"k{at}" for at in chance.integers(0, 100, count).tolist()]
    return [
        {
            "subject": "",
            "body": "x" * (9 + at % 20),
            "amount": amount,
            "size": None if at % 7 == 0 else size,
            "country": country,
            "kind": kind,
        }
        for at, (amount, size, country, kind) in enumerate(zip(amounts, sizes, countries, kinds, strict=True))
    ]


def fed(slices, made, wrong, chance, healthy=0.03):
    """Feed rows; the baseline errs in those for which ``wrong`` holds, and both do in some others."""
    drawn = (chance.random((2, len(made))) < healthy).tolist()
    for row, ours, others in zip(made, *drawn, strict=True):
        slices.update(row, float(ours or wrong(row)), float(others))
    return slices


PLACES = {
    "country is 'dk'": ("country", lambda row: row["country"] == "dk"),
    "amount from 0.4 to below 0.5": ("amount", lambda row: 0.4 <= row["amount"] < 0.5),
    "size is missing": ("size", lambda row: row["size"] is None),
    "length of the text from 20 to below 30": ("text", lambda row: len(row["body"]) >= 19),
}


@pytest.mark.parametrize("where", PLACES)
def test_the_slice_in_which_the_baseline_errs_leads(where):
    chance = np.random.default_rng(1)
    column, wrong = PLACES[where]
    made = rows(chance, 2_000)
    first = fed(Slices(FEATURES, KNOWN), made, wrong, chance).worst()[0]
    assert (first.column, first.where) == (column, where)
    assert first.events == sum(map(wrong, made))
    assert first.baseline_errors == 1.0
    assert first.online_errors < 0.1
    assert 0.5 < first.least < 1.0


def test_what_lies_outside_what_was_known_is_a_slice_of_its_own():
    chance = np.random.default_rng(2)
    made = [{**row, "amount": row["amount"] + 3.0 * (at % 10 == 0)} for at, row in enumerate(rows(chance, 2_000))]
    found = fed(Slices(FEATURES, KNOWN), made, lambda row: row["amount"] >= 1.0, chance).worst()
    assert [each.where for each in found] == ["amount 1 or more"]


def test_without_a_reference_ranges_are_learned_from_the_first_rows_and_stay():
    chance = np.random.default_rng(3)
    slices = Slices(Features(numeric=["amount"]))
    made = [{"amount": amount} for amount in chance.normal(size=LEARNED_FROM).tolist()]
    for row in made[:-1]:
        slices.update(row, 0.0, 0.0)
    assert slices.snapshot().edges is None
    slices.update(made[-1], 0.0, 0.0)
    [edges] = slices.snapshot().edges
    assert edges == np.quantile([row["amount"] for row in made], np.linspace(0, 1, 11)).tolist()
    for _ in range(BLOCK):
        slices.update({"amount": 100.0}, 1.0, 0.0)
    assert slices.snapshot().edges == [edges]
    assert [each.events for each in slices.worst()] == [BLOCK + 1]  # the greatest one of those learned from, too


def test_a_slice_of_a_few_events_does_not_lead():
    chance = np.random.default_rng(4)
    made = [{**row, "country": "fi"} if at < 5 else row for at, row in enumerate(rows(chance, 2_000))]
    found = fed(Slices(FEATURES, KNOWN), made, lambda row: row["country"] in ("fi", "dk"), chance).worst()
    assert [each.where for each in found] == ["country is 'dk'"]


def test_where_the_gap_is_alike_everywhere_no_slice_is_named():
    named = 0
    for seed in range(60):
        chance = np.random.default_rng(seed)
        made = rows(chance, 2_000)
        bad = iter((chance.random(2_000) < 0.1).tolist())
        named += bool(fed(Slices(FEATURES, KNOWN), made, lambda _, bad=bad: next(bad), chance).worst())
    assert named <= 3


def test_a_frequent_value_that_comes_late_is_named_and_a_column_of_many_values_stays_bounded():
    chance = np.random.default_rng(5)
    slices = Slices(Features(categorical=["user"]))
    for at in range(20_000):
        user = "new" if at >= 10_000 and at % 10 == 0 else f"u{chance.integers(0, 3_000)}"
        slices.update({"user": user}, float(user == "new"), 0.0)
    state = slices.snapshot()
    assert len(state.named[0]) == NAMED
    assert len(state.waiting[0].counts) <= 256 + NAMED
    [first] = slices.worst()
    assert first.where == "user is 'new'"
    assert 900 < first.events <= 1_000
    assert sum(map(sum, state.counts[0])) == 20_000  # what lost its name is counted with the others


def test_beginning_anew_forgets_what_was_counted_and_keeps_ranges_and_names():
    chance = np.random.default_rng(6)
    slices = fed(Slices(FEATURES), rows(chance, 2_050), PLACES["country is 'dk'"][1], chance)
    before = slices.snapshot()
    assert slices.worst()
    slices.begin()
    assert slices.worst() == []
    assert slices.snapshot().edges == before.edges
    assert slices.snapshot().named == before.named
    found = fed(slices, rows(chance, 2_000), PLACES["size is missing"][1], chance).worst()
    assert [each.where for each in found] == ["size is missing"]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 900), max_size=4), st.booleans(), st.integers(0, 10**6))
def test_a_state_that_goes_through_json_anywhere_is_bit_equal_to_one_pass(cuts, known, seed):
    made = rows(np.random.default_rng(seed), 900)
    whole, parts = (Slices(FEATURES, KNOWN if known else None) for _ in range(2))
    for at, row in enumerate(made):
        if at in cuts:
            state = msgspec.json.decode(msgspec.json.encode(parts.snapshot()), type=SlicesState)
            parts = Slices(FEATURES, KNOWN if known else None)
            parts.restore(state)
        for slices in (whole, parts):
            slices.update(row, float(row["country"] == "dk"), float(at % 11 == 0))
    assert msgspec.json.encode(parts.snapshot()) == msgspec.json.encode(whole.snapshot())
    assert parts.worst() == whole.worst()


@pytest.mark.parametrize("loss", [0.5, math.nan, -1.0])
def test_a_loss_that_is_no_error_is_refused_and_changes_nothing(loss):
    slices = Slices(Features(numeric=["amount"]))
    with pytest.raises(RecordError, match="field 'loss': must be 0 or 1"):
        slices.update({"amount": 1.0}, loss, 0.0)
    assert slices.snapshot() == Slices(Features(numeric=["amount"])).snapshot()


def test_a_stream_of_texts_alone_is_sliced_by_their_length():
    slices = Slices(Features(text=["body"]))
    for at in range(1_000):
        slices.update({"body": "x" * (at % 100)}, float(at % 100 < 10), 0.0)
    assert [each.where for each in slices.worst()] == ["length of the text from 0 to below 9.9"]
