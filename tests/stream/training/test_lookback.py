"""How far back a recipe looks: what is offered, what is taken, and that what judges has chosen and fitted nothing."""

import numpy as np
import pytest
from msgspec.structs import replace

from stream.training.aims import Aim
from stream.training.families import PLAIN, Candidate
from stream.training.forward import Going
from stream.training.judging import judge
from stream.training.lookback import Looks
from stream.training.search import Budget
from stream.training.splits import plan
from stream.training.train import Order, train
from stream.training.trials import Data, Trials
from stream.windows import NEWEST, ranked
from tests.stream.training.tables import linear

UNLIMITED = Budget(1e9, lambda: 0.0)

PLAIN_ONLY = Budget(1e9, lambda: 0.8e9)
"""No time is left for other recipes, and enough for every block."""


def turned(rows, at, noise=0.05):
    """From row ``at`` on the label means the contrary."""
    data = linear(rows, noise=noise)
    return Data(data.frame, np.where(np.arange(rows) < at, 1 - data.labels, data.labels), 2, data.features)


def looks(data, alarmed=None, scheme="auto", candidate=PLAIN, budget=UNLIMITED):
    trials = Trials(data, plan(len(data.labels), scheme), Aim(), 1)
    trial = trials.attempt(candidate)
    return Looks(trials, trial, np.concatenate([trials.plan.chosen_on, trials.plan.judge]), budget, alarmed)


def names(ways):
    return [way.name for way in ways]


def card(data, alarmed=None):
    times = np.arange(len(data.labels)) + 1e9
    order = Order("s", "binary", ["no", "yes"], alarmed=None if alarmed is None else 1e9 + alarmed)
    return train(data, times, order, PLAIN_ONLY, {}, {}).card


def test_what_is_not_older_than_the_rows_are_many_is_not_offered():
    few, many = looks(linear(2_400)), looks(linear(12_000))
    assert names(few.offered(2_400)) == ["all rows"]
    assert names(many.offered(6_000)) == ["all rows", "half-life 2,500", "newest 5,000", "newest 2,500"]
    assert names(many.offered(12_000)) == [
        *("all rows", "half-life 10,000", "half-life 2,500", "newest 10,000", "newest 5,000", "newest 2,500")
    ]


@pytest.mark.parametrize(
    ("seconds", "tried"),
    [
        (1_000, ["all rows", "half-life 10,000", "half-life 2,500", "newest 10,000", "newest 5,000", "newest 2,500"]),
        (60, ["all rows", "half-life 10,000", "newest 10,000", "newest 5,000", "newest 2,500"]),
        (10, ["all rows", "newest 5,000", "newest 2,500"]),
    ],
)
def test_a_short_budget_leaves_out_ways_that_fit_on_many_rows(seconds, tried):
    clock = [0.0]
    found = looks(linear(12_000), budget=Budget(seconds, lambda: clock[0]))
    fit = found.trials.fit

    def slow(candidate, rows, *rest):
        clock[0] += 10.0
        return fit(candidate, rows, *rest)

    found.trials.fit = slow
    assert sorted(names([way for way, _ in found.choose(12_000)])) == sorted(tried)


def test_rows_without_an_order_have_no_newest():
    assert names(looks(linear(4_000), scheme="k-fold").offered(4_000)) == ["all rows"]


def test_the_rows_since_an_alarm_are_offered_once_there_are_enough_behind_it_to_fit_and_to_judge():
    found = looks(linear(2_400), alarmed=1_500)
    assert names(found.offered(1_500 + NEWEST + 20)) == ["all rows", "since the last alarm"]
    assert names(found.offered(1_500 + NEWEST + 19)) == ["all rows"]
    assert names(found.offered(1_400)) == ["all rows"]
    assert found.offered(2_400)[1].window == 900


def test_a_window_that_lacks_a_class_is_not_offered():
    data = linear(6_000)
    data.labels[3_400:] = 0
    assert names(looks(data).offered(6_000)) == ["all rows", "half-life 2,500", "newest 5,000"]


def test_the_newest_rows_judge_and_do_not_fit(monkeypatch):
    found, fitted = looks(linear(6_000)), []
    monkeypatch.setattr(found.trials, "fit", lambda c, rows, i: fitted.append((c, rows[-1])) or fit(c, rows, i))
    fit = Trials.fit.__get__(found.trials)
    found.choose(4_000)
    assert {last for _, last in fitted} == {4_000 - NEWEST - 1}
    assert sorted(c.window for c, _ in fitted) == [0, 0, 2_500 - NEWEST]


def test_all_rows_are_taken_where_nothing_has_changed_and_more_of_them_tell_more():
    data = linear(9_000, columns=200)
    found = looks(data)
    assert [found.choose(end)[0][0].name for end in (4_000, 6_000, 9_000)] == ["all rows"] * 3


def test_all_rows_are_taken_unless_another_window_is_told_to_be_better():
    lost, by = np.full(300, 0.2), np.tile([0.5, -0.5], 150)
    three = {"all": lost, "close": lost - 0.05 + by, "better": lost - 0.06 + by / 2}
    assert [name for name, _ in ranked(["all", "close"], three.get)] == ["all", "close"]
    assert [name for name, _ in ranked(three, three.get)] == ["better", "close", "all"]


def test_a_stream_that_has_turned_round_is_learned_from_its_newest_rows():
    found = card(turned(12_000, at=7_000))
    assert found.lookbacks.tried[0].name == "newest 5,000"
    assert found.fitted == 5_000
    assert found.recipe == f"{found.chosen}, newest 5,000"
    assert found.risk.mean < 0.1
    assert found.against_plain[1] > 0.2  # all rows


def test_a_sigmoid_that_rows_of_another_world_have_set_does_not_turn_the_answers_round():
    for candidate in (PLAIN, Candidate("linear-svm", settings=(("C", 1.0),))):
        found = looks(turned(12_000, at=7_000), candidate=candidate)
        made = judge(found.trials, found, found.trial, Aim())
        assert made.losses.mean() < 0.1  # the rows that set it are of the new world, and what they judge of the old


def test_behind_an_alarm_the_rows_since_then_are_learned_from():
    data = turned(4_000, at=3_300)
    found = card(data, alarmed=3_350)
    assert found.lookbacks.tried[0].name == "since the last alarm"
    assert found.fitted == 650
    assert card(data).fitted == 2_500  # of which most are of the old world


def test_the_judgement_goes_forward_in_blocks_and_chooses_anew_before_each():
    # The world turns within the judged fifth: what judges has not been seen, and then it has.
    found = card(turned(12_000, at=10_000))
    assert len(found.lookbacks.judged) == 4
    assert found.lookbacks.judged[0].name == "all rows"
    assert found.lookbacks.judged[-1].name.startswith("newest")
    assert [block.part.predict[1] for block in found.lookbacks.judged] == [0.85, 0.9, 0.95, 1.0]


def test_what_is_said_of_a_block_depends_on_nothing_in_it_and_behind_it():
    data, other = linear(6_000), linear(6_000)
    other.labels[5_100:] = 1 - other.labels[5_100:]
    other.frame.iloc[5_400:] = 0.0
    one, two = (Going(found.trials, found, found.trial, Aim()).forward() for found in (looks(data), looks(other)))
    assert len(one) == len(two) == 4  # of 300 rows each, from 4,800 on
    for a, b in zip(one[:2], two[:2], strict=True):
        assert np.array_equal(a.probabilities, b.probabilities)
    assert not np.array_equal(one[2].probabilities, two[2].probabilities)


@pytest.mark.parametrize(("seconds", "blocks"), [(0.0, 1), (4.5, 2), (100.0, 4)])
def test_there_are_fewer_blocks_where_the_budget_is_short(seconds, blocks):
    clock = [0.0]
    found = looks(linear(6_000), budget=Budget(seconds, lambda: clock[0]))
    choose = found.choose
    found.choose = lambda end: clock.__setitem__(0, clock[0] + 1.0) or choose(end)
    going = Going(found.trials, found, found.trial, Aim())
    assert len(going.forward()) == blocks


def test_a_recipe_without_probabilities_is_calibrated_by_what_was_said_of_all_judged_rows():
    found = looks(linear(6_000), candidate=Candidate("linear-svm", settings=(("C", 1.0),)))
    made = judge(found.trials, found, found.trial, Aim())
    assert made.calibration.used
    truth = found.trials.data.labels[4_800:]
    assert made.scores.mean() == pytest.approx(truth.mean(), abs=0.01)  # as it would not be of other rows
    assert np.mean((made.scores > 0.5) != truth) == pytest.approx(made.losses.mean(), abs=0.01)
    assert made.estimator.predict_proba(found.trials.data.frame)[4_800:, 1] == pytest.approx(made.scores, abs=0.05)


def test_the_threshold_of_a_window_is_that_of_more_rows_where_it_lacked_a_class_long_ago():
    data = linear(6_000)
    data.labels[1_000:3_600] = 0  # the 2,500 rows before those that set the threshold
    found = looks(data)
    way = replace(found.offered(6_000)[-1], window=2_500)
    block = Going(found.trials, found, found.trial, Aim())._block(5_900, 6_000, way)
    assert len(block.answered) == 100
