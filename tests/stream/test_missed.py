"""What of judged rows an alert budget would not have reached."""

import numpy as np
import pytest

from stream.missed import LEAST_OTHERS, WINDOW, missed


def test_each_positive_above_all_but_one_in_a_hundred_others_is_found_wherever_it_stands():
    chance = np.random.default_rng(1)
    scores = 0.9 * chance.random(5_000)
    positive = np.zeros(5_000, dtype=bool)
    positive[::50] = True
    scores[::100] = 0.95  # every other positive
    assert missed(scores.tolist(), positive.tolist()) == [0.0, 1.0] * 50


def test_positives_that_become_more_frequent_do_not_crowd_one_another_out():
    rows = [(0.95, True)] * 900 + [(0.5, False)] * 300
    assert set(missed(*zip(*rows, strict=True))) == {0.0}


def test_scores_that_rise_with_time_are_held_against_those_of_their_own_time():
    others = np.linspace(0.0, 0.8, 3 * WINDOW).tolist()
    rows = [(score, False) for score in others] + [(0.7, True), (0.81, True)]
    assert missed(*zip(*rows, strict=True)) == [1.0, 0.0]
    assert missed(*zip(*[(0.7, True), *rows], strict=True)) == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("others", "said"), [(LEAST_OTHERS - 1, []), (LEAST_OTHERS, [0.0])])
def test_with_too_few_others_nothing_is_said(others, said):
    assert missed([0.5] * others + [0.9], [False] * others + [True]) == said
