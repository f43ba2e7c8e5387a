"""Errors in money, by a cost matrix."""

import math

import msgspec
import numpy as np
import pytest

from stream.drift.costs import Costs, priced
from stream.errors import RecordError, SettingError

CLASSES = ["ham", "spam"]
MATRIX = {"ham": {"spam": 20.0}, "spam": {"ham": 0.5}}


def fed(events, costs=None) -> Costs:
    costs = priced(MATRIX, CLASSES) if costs is None else costs
    for label, baseline, online, served in events:
        costs.update(label, baseline=baseline, online=online, served=served)
    return costs


EVENTS = [
    ("ham", "spam", "ham", "ham"),
    ("spam", "ham", "ham", "spam"),
    ("spam", "spam", "ham", "spam"),
    ("ham", "ham", "ham", "ham"),
]


def test_each_model_is_charged_for_its_own_errors():
    costs = fed(EVENTS)
    assert costs.per_1000() == {"baseline": 5_125.0, "online": 250.0, "served": 0.0}
    mean, low, high = costs.excess_per_1000()
    assert mean == 4_875.0
    assert (low, high) == (-20_000.0, 20_000.0)


def test_nothing_is_charged_before_any_event():
    costs = priced(MATRIX, CLASSES)
    assert costs.per_1000() == {}
    assert costs.excess_per_1000() == (0.0, -20_000.0, 20_000.0)


def test_the_interval_closes_in_on_the_true_excess():
    chance = np.random.default_rng(1)
    events = [
        ("ham", "spam" if ours else "ham", "spam" if others else "ham", "ham")
        for ours, others in zip(chance.random(5_000) < 0.10, chance.random(5_000) < 0.02, strict=True)
    ]
    mean, low, high = fed(events).excess_per_1000()
    assert 800 < low < 1_600 < high < 2_400
    assert low < mean < high


def test_a_right_call_may_have_its_price_too():
    costs = priced({"ham": {"ham": 0.1, "spam": 20.0}, "spam": {"ham": 0.5}}, CLASSES)
    costs.update("ham", baseline="ham", online="ham", served="ham")
    assert costs.per_1000() == {"baseline": 100.0, "online": 100.0, "served": 100.0}


def test_a_state_that_goes_through_json_is_bit_equal_to_one_pass():
    parts = msgspec.json.decode(msgspec.json.encode(fed(EVENTS)), type=Costs)
    assert fed(EVENTS, parts) == fed(EVENTS * 2)


def test_a_class_without_costs_is_refused_and_changes_nothing():
    costs = fed(EVENTS)
    with pytest.raises(RecordError, match="no cost is given of 'eggs'"):
        costs.update("eggs", baseline="ham", online="ham", served="ham")
    with pytest.raises(RecordError, match="no cost is given of 'ham' called 'ham', 'eggs', 'ham'"):
        costs.update("ham", baseline="ham", online="eggs", served="ham")
    assert costs == fed(EVENTS)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"ham": {"spam": 1.0}}, "given for 'spam' called 'ham', too"),
        ({**MATRIX, "eggs": {}}, "of the stream's classes ham, spam only, not 'eggs'"),
        ({"ham": {"spam": 1.0}, "spma": {"ham": 1.0}}, "of the stream's classes ham, spam only, not 'spma'"),
        ({"ham": {"spam": math.nan}, "spam": {"ham": 1.0}}, "finite for 'ham'"),
        ({"ham": {"spam": 0.0}, "spam": {"ham": 0.0}}, "some call costs more"),
    ],
)
def test_a_matrix_that_prices_nothing_or_not_all_is_refused(matrix, message):
    with pytest.raises(SettingError, match=message):
        priced(matrix, CLASSES)
