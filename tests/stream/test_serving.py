"""The blend keeps its bound; what serves is chosen as set."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.records import Score
from stream.serving import EPSILON, Blend, clip, likelihood
from tests.stream.strategies import bets, probabilities, shares

BINARY = bets(probabilities, 2)
MANY = bets(shares(3), 3)

TURN = [(0.999999, 0.000001, 1)] * 40 + [(0.999999, 0.000001, 0)] * 40
"""First the online model is right, then the baseline: who has given up on it by then pays."""


class NeverShares(Blend):
    """Plain Bayes: no weight flows back to the model that trailed."""

    def update(self, online: Score, baseline: Score, label: int) -> None:
        b = self.weight * likelihood(baseline, label)
        o = (1.0 - self.weight) * likelihood(online, label)
        self.weight = b / (b + o)


class SharesBackwards(Blend):
    """Gives the weight to the model that was wrong."""

    def update(self, online: Score, baseline: Score, label: int) -> None:
        super().update(baseline, online, label)


class NeverLearns(Blend):
    """Half and half for ever."""

    def update(self, online: Score, baseline: Score, label: int) -> None:
        pass


def worst_excess(blend: Blend, sequence: list[tuple[Score, Score, int]]) -> float:
    """By how much the blend's loss passes the bound on its worst stretch, beside either model; <= 0 if it holds."""
    stay = math.log(1.0 / (1.0 - blend.share))
    start = math.log(1.0 / blend.share)
    worst, running = -math.inf, [-math.inf, -math.inf]
    for online, baseline, label in sequence:
        loss = -math.log(likelihood(blend.score(online, baseline), label))
        for which, score in enumerate((online, baseline)):
            more = loss + math.log(likelihood(score, label)) - stay
            running[which] = max(running[which], 0.0) + more  # the worst stretch that ends here
            worst = max(worst, running[which] - start)
        blend.update(online, baseline, label)
    return worst


@given(sequence=BINARY, share=st.sampled_from([0.001, 0.01, 0.3]))
@example(sequence=TURN, share=0.001)
def test_on_any_stretch_the_blend_loses_no_more_than_the_bound_beside_either_model(sequence, share):
    assert worst_excess(Blend(share), sequence) <= 1e-7


@given(sequence=MANY, share=st.sampled_from([0.001, 0.1]))
def test_the_bound_holds_for_many_classes(sequence, share):
    assert worst_excess(Blend(share), sequence) <= 1e-3  # likelihoods are clipped once more here


@pytest.mark.parametrize("wrong", [NeverShares, SharesBackwards, NeverLearns])
def test_the_bound_fails_for_a_wrong_update(wrong):
    assert worst_excess(wrong(0.001), TURN) > 10.0


@given(sequence=BINARY)
def test_the_weight_stays_within_the_share_and_scores_are_probabilities(sequence):
    blend = Blend(0.01)
    for online, baseline, label in sequence:
        low, high = sorted([clip(online), clip(baseline)])
        assert low - 1e-15 <= blend.score(online, baseline) <= high + 1e-15
        blend.update(online, baseline, label)
        assert 0.01 - 1e-12 <= blend.weight <= 0.99 + 1e-12


def test_many_class_scores_sum_to_one():
    mixed = Blend(0.1).score([1.0, 0.0, 0.0], [0.0, 0.5, 0.5])
    assert sum(mixed) == pytest.approx(1.0, abs=1e-12)
    assert min(mixed) > 0


def test_a_sure_and_wrong_answer_costs_no_more_than_the_clip():
    assert -math.log(likelihood(0.0, 1)) == pytest.approx(-math.log(EPSILON))
