"""What absolute rot is measured against: errors on warm-up rows that the models had not learned from."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression

from stream.missed import missed
from stream.risk import LEAST_POSITIVES, risk
from stream.validation import baseline_scores, missed_risk, online_risk, upper, upper_missed
from tests.stream.training.tables import anomalies


def table(rows, wrong=0.0):
    chance = np.random.default_rng(1)
    frame = pd.DataFrame({"x": chance.normal(size=rows)})
    labels = ((frame["x"] > 0) ^ (chance.random(rows) < wrong)).astype(int).tolist()
    return frame, labels


def baseline_risk(make, frame, labels, kind, classes):
    scores = baseline_scores(make, frame, labels, kind, classes)
    return upper(scores, labels[len(labels) - len(scores) :])


def test_the_newest_fifth_judges_a_baseline_that_is_fitted_on_what_lies_before_it():
    frame, labels = table(3_000, 0.1)
    model = LogisticRegression().fit(frame.iloc[:2_400], labels[:2_400])
    wrong = model.predict(frame.iloc[2_400:]) != np.array(labels[2_400:])
    assert baseline_risk(LogisticRegression, frame, labels, "binary", 2) == risk(wrong.astype(float)).high


def test_of_a_shorter_warm_up_as_many_blocks_judge_as_500_rows_take():
    frame, labels = table(1_000, 0.1)
    fitted = []

    class Noted(LogisticRegression):
        def fit(self, rows, truth):
            fitted.append(len(rows))
            return super().fit(rows, truth)

    assert 0.1 < baseline_risk(Noted, frame, labels, "binary", 2) < 0.2
    assert fitted == [500, 700, 900]


@pytest.mark.parametrize("rows", [999, 0])
def test_too_few_rows_to_fit_and_to_judge_give_none(rows):
    assert baseline_risk(LogisticRegression, *table(rows), "binary", 2) is None


def test_rows_that_lack_a_class_before_a_block_give_none():
    frame, _ = table(1_000)
    assert baseline_risk(LogisticRegression, frame, [0] * 600 + [1] * 400, "binary", 2) is None


ALL = [True] * 2_000


def test_the_newer_half_judges_an_online_model():
    labels = [1] * 2_000
    scores = [0.1] * 1_000 + [0.9] * 990 + [0.1] * 10
    assert online_risk(scores, labels, ALL) == pytest.approx(risk(np.array([1.0] * 10 + [0.0] * 990)).high)
    assert online_risk(scores[:998], labels[:998], ALL[:998]) is None
    many = [[0.2, 0.5, 0.3]] * 2_000
    assert online_risk(many, labels, ALL) == risk(np.zeros(1_000)).high


def test_rows_that_do_not_count_judge_no_online_model():
    labels, counts = [1] * 2_000, [True, False] * 1_000
    scores = [0.1] * 1_000 + [0.9, 0.1] * 500
    assert online_risk(scores, labels, counts) == risk(np.zeros(500)).high
    assert online_risk(scores, labels, [False] * 1_002 + [True] * 998) == risk(np.array([0.0, 1.0] * 499)).high
    assert online_risk(scores, labels, [True] * 1_501 + [False] * 499) == risk(np.array([0.0, 1.0] * 250 + [0.0])).high
    assert online_risk(scores, labels, [True] * 1_499 + [False] * 501) is None


def forest():
    return IsolationForest(n_estimators=20, random_state=1)


@pytest.mark.parametrize("novelty", [False, True])
def test_a_detector_is_judged_by_the_positives_that_it_misses_among_rows_it_has_not_seen(novelty):
    data = anomalies(5_000, share=0.12)
    before, labels = data.frame.iloc[:4_000], data.labels.tolist()
    fitted = forest().fit(before[data.labels[:4_000] != 1] if novelty else before)
    lost = missed((-fitted.score_samples(data.frame.iloc[4_000:])).tolist(), [label == 1 for label in labels[4_000:]])
    assert len(lost) > LEAST_POSITIVES
    scores = baseline_scores(forest, data.frame, labels, "anomaly", 2, novelty=novelty)
    assert missed_risk(scores, labels, [True] * 5_000) == risk(np.array(lost)).high


@pytest.mark.parametrize(("positives", "known"), [(LEAST_POSITIVES - 1, False), (LEAST_POSITIVES, True)])
def test_it_takes_so_many_positives_for_a_share_of_them(positives, known):
    scores = np.array([0.5] * 300 + [0.9] * positives)
    upper_end = upper_missed(scores, [0] * 150 + [-1] * 150 + [1] * positives)
    assert (upper_end is not None) == known
    assert upper_end is None or upper_end < 0.05
