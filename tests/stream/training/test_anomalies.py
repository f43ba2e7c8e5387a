"""Training on a stream of anomalies: what chooses, what detectors and classifiers learn from, and what is judged."""

from itertools import count

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from stream.baseline import load
from stream.config import Features
from stream.detectors import DETECTORS
from stream.errors import TrainingError
from stream.missed import missed
from stream.risk import LEAST_POSITIVES
from stream.training.aims import Aim
from stream.training.anomalies import train_anomalies
from stream.training.card import Card
from stream.training.families import Candidate, anomaly_candidates
from stream.training.rankings import LEAST_CHOOSING, Rankings, imprecision, instability
from stream.training.search import Budget
from stream.training.splits import plan
from stream.training.train import Order
from stream.training.trials import Data
from tests.stream.training.tables import anomalies, mails

FOREST = "isolation-forest"


def trained(data, trials=15, **order):
    clock = count()
    made = Order("s", "anomaly", ["fine", "fraud"], Aim(alert_budget=0.02), **order)
    return train_anomalies(data, None, made, Budget(trials / 0.7, lambda: next(clock)), {}, {})


def unlabelled(data, at=slice(None)):
    labels = data.labels.copy()
    labels[at] = -1
    return Data(data.frame, labels, 2, data.features)


@pytest.fixture(scope="module")
def far():
    return trained(anomalies(2_500))


# ---------------------------------------------------------------------------------------------- what is chosen by


@given(arrays.arrays(int, 40, elements=st.integers(0, 1)), arrays.arrays(int, 40, elements=st.integers(0, 9)))
def test_the_losses_of_positives_make_one_less_the_average_precision_ties_included(labels, scores):
    labels[0] = 1
    lost = imprecision(scores / 10, labels)
    assert len(lost) == labels.sum()
    assert 1 - lost.mean() == pytest.approx(average_precision_score(labels, scores))


def test_the_losses_of_rows_make_one_less_spearmans_correlation_in_the_mean_of_the_draws():
    chance = np.random.default_rng(1)
    scores = chance.random((300, 4))
    scores[:, 1] += 2 * scores[:, 0]
    one, other = (spearmanr(scores[:, at], scores[:, at + 1]).statistic for at in (0, 2))
    assert 1 - instability(scores).mean() == pytest.approx((one + other) / 2)


def test_scores_that_tell_nothing_apart_are_not_stable():
    chance = np.random.default_rng(3)
    told = np.repeat(chance.random((500, 1)), 2, axis=1) + 0.01 * chance.random((500, 2))
    assert instability(told).mean() < 0.01
    constant, one_apart = np.ones((500, 2)), np.ones((500, 2))
    one_apart[3, 0], one_apart[7, 1] = 2.0, 2.0
    assert instability(constant).mean() == 1.0
    assert instability(one_apart).mean() == pytest.approx(1.0, abs=0.01)


def test_with_enough_positives_average_precision_chooses_and_the_card_has_it_of_each_candidate(far):
    assert far.card.chosen_by == "average precision"
    assert len(far.card.tried) >= 3
    for tried in far.card.tried:
        assert tried.average_precision == pytest.approx(1 - tried.validation_risk)
    assert far.card.plain == FOREST


@pytest.mark.parametrize("labels", ["none", "few"])
def test_without_labels_or_with_too_few_positives_stability_chooses_among_detectors_alone(labels):
    data = anomalies(2_500)
    chooses = plan(2_500).folds[0].predict
    lost = np.arange(2_500) if labels == "none" else chooses[data.labels[chooses] == 1][LEAST_CHOOSING - 1 :]
    card = trained(unlabelled(data, lost), trials=30).card
    assert card.chosen_by == "stability"
    assert {tried.candidate.split(",")[0] for tried in card.tried} <= set(DETECTORS)
    assert all(0.1 < 1 - tried.validation_risk <= 1 for tried in card.tried)
    assert {tried.average_precision is None for tried in card.tried} == {labels == "none"}


def test_what_depends_on_which_rows_it_learned_from_is_less_stable():
    data = unlabelled(anomalies(2_000))
    trials = Rankings(data, plan(2_000), Aim(alert_budget=0.01), 1, novelty=False)
    near, wide = (trials.attempt(Candidate("local-outlier-factor", settings=(("neighbours", k),))) for k in (2, 100))
    assert wide.risk < near.risk - 0.2


def test_labels_that_tell_what_no_detector_sees_make_a_classifier_the_baseline():
    card = trained(anomalies(4_000, far=False), trials=12).card
    assert card.chosen.split(",")[0] not in DETECTORS
    best = max(tried.average_precision for tried in card.tried)
    plain = next(tried for tried in card.tried if tried.candidate == FOREST)
    assert best > plain.average_precision + 0.3


def test_a_supervised_baseline_scores_by_the_probability_of_the_positive_class():
    data = anomalies(4_000, far=False)
    made = trained(data, trials=12)
    scores = np.array(made.baseline.score(data.frame))
    assert average_precision_score(data.labels, scores) > 0.5
    assert load(made.artifact, "anomaly", "v").score(data.frame) == scores.tolist()


def test_shuffled_labels_leave_the_plain_detector_in_its_place():
    data = anomalies(2_500)
    shuffled = np.random.default_rng(2).permutation(data.labels)
    card = trained(Data(data.frame, shuffled, 2, data.features), trials=60).card
    assert card.chosen == card.plain == FOREST


# -------------------------------------------------------------------------------------------- what is learned from


@pytest.mark.parametrize("novelty", [False, True])
def test_detectors_learn_from_rows_without_a_label_and_classifiers_from_labelled_ones(novelty):
    data = anomalies(1_000)
    data.labels[::3] = -1
    trials = Rankings(data, plan(1_000), Aim(), 1, novelty=novelty)
    detected, classified = (trials.learns_from(Candidate(name), np.arange(1_000)) for name in (FOREST, "logistic"))
    assert set(data.labels[detected]) == ({-1, 0} if novelty else {-1, 0, 1})
    assert (data.labels[classified] >= 0).all()
    assert len(classified) == (data.labels >= 0).sum()


def test_with_novelty_positives_change_nothing_of_a_detector():
    data = anomalies(1_500)
    other = Data(data.frame.copy(), data.labels, 2, data.features)
    other.frame.loc[data.labels == 1] += 7.0
    versions = {
        novelty: {trained(each, trials=0, novelty=novelty).baseline.version for each in (data, other)}
        for novelty in (False, True)
    }
    assert len(versions[True]) == 1
    assert len(versions[False]) == 2


def test_numbers_of_other_rows_are_never_taken_for_these():
    data = anomalies(1_000)
    trials = Rankings(data, plan(1_000), Aim(), 1, novelty=False)
    every, second = np.append(np.arange(0, 400), 900), np.append(np.arange(0, 800, 2), 900)
    assert (len(every), every[0], every[-1]) == (len(second), second[0], second[-1])
    asked = np.arange(900, 1_000)
    one, other = (trials._numbers(Candidate(FOREST), rows, asked).asked for rows in (every, second))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("labelled", [True, False])
def test_every_candidate_can_be_tried(labelled):
    data = anomalies(1_600)
    data = data if labelled else unlabelled(data)
    trials = Rankings(data, plan(1_600), Aim(alert_budget=0.01), 1, novelty=True)
    for candidate in anomaly_candidates(data.features, 900, 1, labels=labelled):
        if candidate.family in DETECTORS or candidate.family == "logistic":
            made = trials.attempt(candidate)
            assert made is not None, (candidate, trials.refused)
            assert 0 <= made.risk <= 1


# ------------------------------------------------------------------------------------------------- what is judged


def test_the_risk_is_of_the_positives_that_the_budget_does_not_reach():
    data = anomalies(3_000)
    card = trained(data, trials=0).card
    made = plan(3_000)
    trials = Rankings(data, made, Aim(alert_budget=0.02), 1, novelty=False)
    fitted = trials.fit(Candidate(FOREST), made.chosen_on)
    scores = -fitted.score_samples(data.frame.iloc[made.judge])
    positive = data.labels[made.judge] == 1
    assert card.risk.mean == np.mean(missed(scores.tolist(), positive.tolist()))
    assert card.risk.rows == positive.sum() < LEAST_POSITIVES
    assert not card.absolute
    assert (card.judged_rows, card.trivial_risk) == (600, 1.0)


def test_with_enough_positives_absolute_rot_can_be_measured():
    assert trained(anomalies(6_000, share=0.1), trials=0).card.absolute


def test_without_a_judged_positive_the_risk_is_not_known():
    data = anomalies(2_500)
    card = trained(unlabelled(data, slice(2_000, None)), trials=0).card
    assert (card.risk.rows, card.risk.low, card.risk.high) == (0, 0.0, 1.0)
    assert not card.absolute
    assert card.against_plain is None


def test_the_threshold_flags_the_budget_of_the_judged_rows(far):
    data = anomalies(20_000, share=0.0, seed=5)
    flagged = np.mean(np.array(far.baseline.score(data.frame)) >= far.card.threshold)
    assert flagged <= 0.03


def test_what_judges_changes_nothing_of_what_is_chosen():
    data = anomalies(2_500)
    other = Data(data.frame.copy(), data.labels.copy(), 2, data.features)
    other.frame.iloc[2_000:] = 0.0
    other.labels[2_000:] = 1 - other.labels[2_000:]
    one, two = (trained(each).card for each in (data, other))
    assert one.tried == two.tried
    assert one.chosen == two.chosen
    assert one.risk != two.risk


def test_the_same_rows_order_and_trials_give_the_same_baseline_and_card(far):
    again = trained(anomalies(2_500))
    assert again.baseline.version == far.baseline.version
    assert msgspec.structs.replace(again.card, seconds=0) == msgspec.structs.replace(far.card, seconds=0)


def test_the_card_survives_json(far):
    assert msgspec.json.decode(msgspec.json.encode(far.card), type=Card) == far.card


@pytest.mark.parametrize(("scheme", "rows"), [("auto", 60), ("split", 60), ("expanding", 300), ("k-fold", 60)])
@pytest.mark.parametrize("labelled", [True, False])
def test_few_rows_can_be_trained_on_by_every_scheme(scheme, rows, labelled):
    data = anomalies(rows, share=0.3)
    card = trained(data if labelled else unlabelled(data), scheme=scheme, trials=0).card
    assert card.judged_rows == round(rows * 0.2)


def test_too_few_rows_to_fit_on_are_said():
    data = anomalies(60, share=0.0)
    data.labels[:55] = 1
    with pytest.raises(TrainingError, match=r"isolation-forest cannot be fitted on these rows: \d+ rows are too few"):
        trained(data, novelty=True)


def test_categories_and_missing_values_are_no_hindrance_to_any_detector():
    data = anomalies(1_600)
    frame = data.frame.assign(town=np.where(np.arange(1_600) % 3, "Oslo", None))
    frame.loc[::7, "x0"] = np.nan
    both = Data(frame, data.labels, 2, Features(numeric=data.features.numeric, categorical=["town"]))
    trials = Rankings(both, plan(1_600), Aim(), 1, novelty=False)
    for name in DETECTORS:
        assert trials.attempt(Candidate(name)) is not None, trials.refused


def test_every_detector_reads_words_behind_an_svd():
    data = mails(800)
    trials = Rankings(data, plan(800), Aim(), 1, novelty=False)
    tried = [each for each in anomaly_candidates(data.features, 600, 1, labels=False) if not each.settings[1:]]
    assert {each.family for each in tried} == set(DETECTORS)
    for candidate in tried:
        assert trials.attempt(candidate) is not None, (candidate, trials.refused)


def test_positives_that_may_not_judge_tell_nothing_of_how_many_are_missed():
    data = anomalies(5_000, share=0.12)
    judged = np.arange(5_000) >= 4_000
    # Whose scores are usual is called positive, too, and may not judge: these would all be missed.
    hidden = judged & (data.labels == 0) & (np.arange(5_000) % 5 == 0)
    labels = np.where(hidden, 1, data.labels)
    cards = [trained(Data(data.frame, labels, 2, data.features, counts), trials=1).card for counts in (None, ~hidden)]
    assert cards[0].risk.mean > cards[1].risk.mean + 0.3
    assert cards[1].risk.rows == (data.labels[4_000:] == 1).sum()
    assert cards[1].judged == 1_000 - hidden.sum()
