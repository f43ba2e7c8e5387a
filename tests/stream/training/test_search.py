"""Which candidate is chosen, and what a budget cuts short."""

from itertools import count

import numpy as np
import pytest

from stream.config import Features
from stream.training.aims import Aim
from stream.training.families import PLAIN, Candidate, candidates
from stream.training.search import Budget, choose, rounds, search
from stream.training.splits import plan
from stream.training.trials import Trial, Trials, newest
from tests.stream.training.tables import linear


def trial(name, losses, brier):
    losses = np.array(losses, dtype=float)
    return Trial(Candidate(name), 0.0, float(losses.mean()), brier, 100, 1.0, losses)


def unlimited():
    return Budget(1.0, lambda: 0.0)


def test_what_cannot_be_told_from_the_best_loses_to_the_plain_one():
    base = np.zeros(500)
    one, two = base.copy(), base.copy()
    one[:12], two[5:16] = 1, 1
    plain, best = trial("plain", one, 0.02), trial("best", two, 0.01)
    assert choose([plain, best], plain) is plain


def test_what_is_told_to_be_better_wins_over_the_plain_one_by_its_brier_score():
    base = np.zeros(500)
    bad, good, other = base.copy(), base.copy(), base.copy()
    bad[:50], good[:10], other[5:16] = 1, 1, 1
    plain, best, close = trial("plain", bad, 0.001), trial("best", good, 0.02), trial("close", other, 0.01)
    assert choose([plain, best, close], plain) is close


def test_four_rows_on_which_a_recipe_is_right_and_the_plain_one_wrong_tell_nothing():
    one = np.zeros(500)
    one[:4] = 1
    plain, best = trial("plain", one, 0.02), trial("best", np.zeros(500), 0.01)
    assert choose([plain, best], plain) is plain


def test_what_is_chosen_for_its_brier_score_is_told_to_be_better_than_the_plain_one_too():
    plain, best, close = np.zeros(1_000), np.zeros(1_000), np.zeros(1_000)
    plain[:300], best[20:300], close[40:310] = 1, 1, 1
    close[300:345] = 1
    trials = [trial("plain", plain, 0.1), trial("best", best, 0.2), trial("close", close, 0.05)]
    assert choose(trials, trials[0]).candidate.family in ("plain", "best")


def test_a_recipe_that_could_not_be_asked_about_all_rows_is_not_compared():
    plain, few = trial("plain", np.ones(400), 0.5), trial("few", np.zeros(50), 0.0)
    assert choose([plain, few], plain) is plain


def test_small_rounds_come_first_and_the_last_sees_all_rows():
    assert rounds(2_999) == [1.0]
    assert rounds(3_000) == pytest.approx([1 / 3, 1])
    assert rounds(30_000) == pytest.approx([1 / 27, 1 / 9, 1 / 3, 1])


def test_a_third_of_the_candidates_goes_on_to_each_further_round():
    data = linear(6_000)
    heard = []
    found = search(
        Trials(data, plan(6_000), Aim(), 1),
        [PLAIN, *(Candidate("logistic", settings=(("C", float(c)),)) for c in range(20, 32))],
        unlimited(),
        told=lambda *a: heard.append(a),
    )
    shares = [round(t.share, 2) for _, _, t in heard]
    assert shares[0] == 1.0  # the plain one, in any case
    assert shares[1:13] == [0.33] * 12
    assert shares[13:18] == [1.0] * 5
    assert [number for number, _, _ in heard] == list(range(1, len(heard) + 1))
    assert not found.cut_short


def test_a_trial_of_which_the_first_fold_foretells_that_it_takes_too_long_is_ended():
    data, clock = linear(400), [0.0]
    trials = Trials(data, plan(400), Aim(), 1)
    part, asked = trials._part, []

    def slow(candidate, *rest):
        asked.append(candidate)
        clock[0] += 4.0 if candidate.family == "random-forest" else 0.1
        return part(candidate, *rest)

    trials._part = slow
    forest = Candidate("random-forest")
    quick = Candidate("logistic", settings=(("C", 1.0),))
    found = search(trials, [PLAIN, forest, quick], Budget(60.0, lambda: clock[0]))
    assert found.cut_short
    assert [t.candidate for t in found.trials] == [PLAIN, quick]
    assert asked.count(forest) == 1  # of five folds: all of them would take 20 of 60 seconds


def test_what_would_not_fit_into_the_budget_by_its_time_on_fewer_rows_is_not_tried_on_more():
    data, clock = linear(6_000), [0.0]
    trials = Trials(data, plan(6_000), Aim(), 1)
    attempt = trials.attempt

    def timed(candidate, share, *rest):
        clock[0] += share * (70.0 if candidate.settings == (("C", 1.0),) else 1.0)
        return attempt(candidate, share, *rest)

    trials.attempt = timed
    slow = Candidate("logistic", settings=(("C", 1.0),))  # the best on fewer rows: the others do next to nothing
    others = [Candidate("logistic", settings=(("C", c),)) for c in (1e-9, 1e-8, 1e-7)]
    found = search(trials, [PLAIN, slow, *others], Budget(100.0, lambda: clock[0]))
    assert clock[0] < 35
    assert found.cut_short
    assert {round(t.share, 2) for t in found.trials if t.candidate == slow} == {0.33}
    assert any(t.share == 1.0 for t in found.trials if t.candidate in others)


def test_a_budget_that_is_used_up_leaves_the_plain_candidate():
    data = linear(2_000)
    clock = count()
    found = search(
        Trials(data, plan(2_000), Aim(), 1),
        candidates(data.features, 1_200, 1),
        Budget(0.5, lambda: 1 + next(clock)),
    )
    assert found.cut_short
    assert [t.candidate for t in found.trials] == [PLAIN]
    assert found.chosen is found.plain


def test_the_newest_rows_are_taken():
    rows = np.arange(100)
    assert newest(Candidate("x", window=10), rows, 1.0).tolist() == list(range(90, 100))
    assert newest(Candidate("x", window=10), rows, 0.5).tolist() == list(range(95, 100))
    assert newest(Candidate("x"), rows, 0.25).tolist() == list(range(75, 100))


def test_the_candidates_are_drawn_by_the_seed_and_the_plain_one_comes_first():
    features = linear(10).features
    one, two = candidates(features, 1_000, 1), candidates(features, 1_000, 2)
    assert one[0] == two[0] == PLAIN
    assert one != two
    assert sorted(map(str, one)) == sorted(map(str, two))
    assert len(set(one)) == len(one)


def test_hashed_words_are_never_taken_apart():
    plain = Features(text=["body"])
    hashed = Features(text=["body"], keep="features", word_key_file="key")
    assert {candidate.text for candidate in candidates(plain, 1_000, 1)} == {"words", "chars", "both"}
    assert {candidate.text for candidate in candidates(hashed, 1_000, 1)} == {"words"}
    assert candidates(hashed, 1_000, 1)[0] == candidates(plain, 1_000, 1)[0]
