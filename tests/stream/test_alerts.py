import math
import pickle
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alerts import LEAST, Alerts, Budget
from stream.config import Features, Stream
from stream.digest import digest
from stream.factories import make_online
from stream.online import OnlineModel
from stream.pool import ODDS, SHARE, Pool, value
from stream.pooled import Pooled
from stream.ranks import WINDOW, Ranks

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(SCORES, st.floats(0, 1))
def test_a_rank_is_the_share_of_scores_as_high_with_the_asked_one_among_them(scores, asked):
    ranks = Ranks()
    for score in scores:
        ranks.add(score)
    above = sum(score >= asked for score in scores)
    if above:
        assert ranks.tail(asked) == (above + 1) / (len(scores) + 1)
    else:
        assert 0 < ranks.tail(asked) <= 1 / (len(scores) + 1)


def test_above_all_scores_ranks_still_fall():
    ranks = Ranks()
    for at in range(100):
        ranks.add(at / 200)
    tails = [ranks.tail(score) for score in (0.5, 0.7, 0.9, 1.0)]
    assert tails == sorted(tails, reverse=True)
    assert len(set(tails)) == 4


def test_only_the_latest_scores_count_and_a_copy_goes_on_the_same():
    chance = random.Random(1)
    ranks = Ranks()
    scores = [chance.random() for _ in range(3 * WINDOW // 2)]
    for score in scores:
        ranks.add(score)
    assert ranks.ordered == sorted(scores[-WINDOW:])
    again = pickle.loads(pickle.dumps(ranks))  # noqa: S301 - just made
    assert digest(again) == digest(ranks)
    for each in (ranks, again):
        each.add(0.5)
    assert again.ordered == ranks.ordered == sorted([*scores[1 - WINDOW :], 0.5])


@given(st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9, 1.0]), min_size=LEAST, max_size=LEAST + 20), st.floats(0, 0.3))
@settings(max_examples=50)
def test_a_threshold_never_calls_more_of_the_latest_than_the_budget_has_room_for(scores, share):
    alerts = Alerts()
    for score in scores:
        alerts.call(score, share, 0.5)
    threshold = alerts.threshold(share, 0.5)
    called = sum(score >= threshold for score in scores)
    assert called <= share * len(scores)
    lower = [score for score in set(scores) if score < threshold]
    if lower:
        assert sum(score >= max(lower) for score in scores) > int(share * len(scores))


def test_a_budget_is_kept_where_scores_drift():
    chance = random.Random(2)
    alerts = Alerts()
    called = [alerts.call(min(1.0, 0.2 + at / 1e7 + chance.random() / 2), 0.01, 0.99) for at in range(50_000)]
    assert sum(called[WINDOW:]) / (50_000 - WINDOW) == pytest.approx(0.012, abs=0.003)


def test_so_many_a_day_whatever_the_day_brings():
    chance = random.Random(3)
    alerts, budget = Alerts(), Budget(0.5, per_day=100)
    time, days = 0.0, {}
    while time < 30 * 86_400:
        time += chance.expovariate(2_000 if time < 15 * 86_400 else 8_000) * 86_400
        called = alerts.call(chance.random(), budget.share(time), 0.99)
        days[int(time // 86_400)] = days.get(int(time // 86_400), 0) + called
    assert np.mean([days[day] for day in range(3, 15)]) == pytest.approx(100, rel=0.1)
    assert np.mean([days[day] for day in range(18, 30)]) == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize(("pause", "most"), [(2, 150), (30, 150)])
def test_after_a_pause_no_days_budget_comes_at_once(pause, most):
    chance = random.Random(4)
    alerts, budget = Alerts(), Budget(0.5, per_day=100)
    days = {}
    for day in [*range(10), *range(10 + pause, 14 + pause)]:
        for at in range(5_000):
            called = alerts.call(chance.random(), budget.share((day + at / 5_000) * 86_400), 0.99)
            days[day] = days.get(day, 0) + called
    assert days[9] == pytest.approx(100, abs=30)
    assert max(days[day] for day in range(10 + pause, 14 + pause)) < most


def test_of_the_first_few_events_nothing_follows_for_a_day():
    budget = Budget(0.02, per_day=100)
    assert [budget.share(time) for time in (-math.inf, 0.0, 1.0, 3_000.0)] == [0.02] * 4
    assert budget.share(3_600.0) == pytest.approx(100 / (4 * 24), rel=0.05)


def test_until_enough_scores_have_come_the_given_threshold_holds():
    alerts = Alerts()
    assert [alerts.call(score, 0.01, 0.7) for score in (0.69, 0.7, 0.8)] == [False, True, True]


# ------------------------------------------------------------------------------------------- the pool


def test_the_mean_value_of_events_that_are_not_positive_is_at_most_one():
    """Ranks of exchangeable scores are uniform: the value is an e-value."""
    tails = (np.arange(100_000) + 1) / 100_001
    assert 0.95 < np.mean([value(tail) for tail in tails]) <= 1.0


@given(st.lists(st.tuples(*[st.floats(1e-6, 1)] * 3), min_size=1, max_size=200))
@settings(deadline=None)
def test_the_pool_gains_no_less_than_the_best_scorer_less_what_fixed_share_costs(positives):
    pool, gained = Pool(3), 0.0
    for tails in positives:
        score = pool.score(tails)
        gained += np.log(score * ODDS / (1 - score))
        pool.update(tails)
    best = max(sum(np.log(value(tails[k])) for tails in positives) for k in range(3))
    count = len(positives)
    assert gained >= best - np.log(3 / SHARE) - count * -np.log(1 - SHARE) - 1e-6
    assert sum(pool.weights) == pytest.approx(1.0)


class Reads:
    """Scores by a field, and counts what it learns."""

    def __init__(self, field):
        self.field, self.learned = field, []

    def score_one(self, x):
        return x[self.field]

    def predict_proba_one(self, x):
        return {True: x[self.field]}

    def learn_one(self, x, y=None):
        self.learned.append((x["at"], y))


def test_detectors_learn_at_once_classifiers_from_labels_and_weights_follow_positives():
    bad, good = Reads("bad"), Reads("good")
    pooled = Pooled({"bad": bad}, {"good": good})
    chance = random.Random(4)
    for at in range(600):
        positive = at % 20 == 19
        x = {
            "at": at,
            "bad": chance.random(),
            "good": 0.9 + chance.random() / 10 if positive else chance.random() * 0.9,
        }
        assert 0 <= pooled.score_one(x) <= 1
        pooled.learn_one(x)
        if at % 2:
            pooled.learn_label(x, positive=positive)
    assert [at for at, _ in bad.learned] == list(range(600))
    assert good.learned == [(at, at % 20 == 19) for at in range(1, 600, 2)]
    assert pooled.pool.weights[1] > 0.95


def test_to_look_at_an_event_again_changes_nothing():
    pooled = Pooled({"bad": Reads("bad")}, {"good": Reads("good")})
    chance = random.Random(6)
    for at in range(100):
        x = {"at": at, "bad": chance.random(), "good": chance.random()}
        pooled.score_one(x)
    before = [list(ranks.recent) for ranks in pooled.ranks], list(pooled.tails)
    assert pooled.look(x) == pytest.approx(pooled.look(x))
    assert ([list(ranks.recent) for ranks in pooled.ranks], list(pooled.tails)) == before
    assert pooled.look({**x, "good": 1.0}) > pooled.look({**x, "good": 0.0})


def test_what_labels_teach_nothing_asks_for_none():
    stream = Stream(kind="anomaly", features=Features(numeric=["a"]))
    for online, asks in (("gaussian", False), ("gaussian+loda", True), ("recursive-logistic", True)):
        model = OnlineModel(make_online("s", msgspec.structs.replace(stream, online=online)), "anomaly", 2)
        assert model.from_labels is asks


def test_detectors_can_be_kept_from_learning_what_they_would_alert():
    spared, greedy = Reads("s"), Reads("s")
    chance = random.Random(5)
    for detector, share in ((spared, 0.1), (greedy, 0.0)):
        pooled = Pooled({"d": detector}, {}, share)
        for at in range(2_000):
            x = {"at": at, "s": chance.random()}
            assert pooled.score_one(x) == x["s"], "one that is alone scores as it does by itself"
            pooled.learn_one(x)
    assert len(greedy.learned) == 2_000
    assert len(spared.learned) == pytest.approx(1_800, rel=0.03)
