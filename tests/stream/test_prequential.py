"""Figures agree with scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from stream.prequential import HALF_LIFE, KEEP, SETTLED, LossTotals, Performance, Scored, scored
from stream.records import Labelled
from stream.serving import EPSILON
from tests.stream.strategies import scored_rows


def batch(labels, scores, answers=None) -> Scored:
    scores = np.asarray(scores, dtype=float)
    if answers is None:
        answers = scores.argmax(axis=1) if scores.ndim == 2 else (scores >= 0.5).astype(int)
    return Scored(np.asarray(labels, dtype=np.int64), np.asarray(answers, dtype=np.int64), scores)


def figures(labels, scores, kind="binary", classes=2, cut=7):
    performance = Performance(kind, classes)
    for part in np.array_split(np.arange(len(labels)), cut):  # in several batches, an empty one among them
        performance.update(batch(np.asarray(labels)[part], np.asarray(scores)[part]))
    performance.update(batch([], np.empty((0, classes) if kind == "multiclass" else 0)))
    return performance.figures()


def expected(labels, scores):
    answers = (scores >= 0.5).astype(int)
    return {
        "errors": int((labels != answers).sum()),
        "accuracy": metrics.accuracy_score(labels, answers),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, answers),
        "log_loss": metrics.log_loss(labels, np.clip(scores, EPSILON, 1 - EPSILON), labels=[0, 1]),
        "brier": metrics.brier_score_loss(labels, scores),
        "roc_auc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
    }


@pytest.mark.parametrize("shape", [(2.0, 2.0), (0.2, 0.2), (0.3, 3.0), (50.0, 1.0)])
def test_binary_figures_agree_with_scikit_learn(shape):
    rng = np.random.default_rng(3)
    scores = rng.beta(*shape, size=5_000)
    labels = (rng.random(5_000) < 0.25 + 0.5 * scores).astype(int)
    found, wanted = figures(labels, scores), expected(labels, scores)
    for name, value in wanted.items():
        ranking = name in ("roc_auc", "average_precision")  # from histograms
        assert found[name] == pytest.approx(value, abs=2e-3 if ranking else 1e-9), name


def test_ties_and_certain_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(4)
    scores = rng.choice([0.0, 1e-5, 0.3, 0.5, 0.9, 1.0], size=2_000)
    labels = (rng.random(2_000) < 0.3 + 0.4 * scores).astype(int)
    assert figures(labels, scores) == pytest.approx(expected(labels, scores), abs=1e-9)


def test_a_perfect_and_a_hopeless_model_have_the_extreme_areas():
    labels = np.array([0, 1] * 50)
    assert figures(labels, labels.astype(float))["roc_auc"] == 1.0
    assert figures(labels, labels.astype(float))["average_precision"] == 1.0
    assert figures(labels, 1.0 - labels)["roc_auc"] == 0.0
    assert figures(labels, np.full(100, 0.5))["roc_auc"] == 0.5


@settings(max_examples=60)
@given(rows=scored_rows())
def test_any_few_scores_with_ties_agree_with_scikit_learn(rows):
    labels, scores = np.array(rows).T
    labels = labels.astype(int)
    found = figures(labels, scores)
    if len(set(labels)) == 2:
        assert found == pytest.approx(expected(labels, scores), abs=1e-9)
    else:
        assert found["roc_auc"] is None
        assert found["average_precision"] is None
        assert found["balanced_accuracy"] == found["accuracy"]


@pytest.mark.parametrize(("scale", "near"), [(1.0, 0.005), (1e-9, 0.01), (1e-100, 0.02)])
def test_scores_that_crowd_at_an_end_are_ranked_too(scale, near):
    rng = np.random.default_rng(7)
    labels = (rng.random(4_000) < 0.3).astype(int)
    scores = scale * 10.0 ** rng.normal(-3.0 + labels, 1.0)
    scores = np.minimum(scores, 1.0)
    expected = metrics.roc_auc_score(labels, scores)
    assert figures(labels, scores)["roc_auc"] == pytest.approx(expected, abs=near)
    assert figures(1 - labels, 1.0 - scores)["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(1 - labels, 1.0 - scores), abs=near
    )


def test_multiclass_figures_agree_with_scikit_learn():
    rng = np.random.default_rng(5)
    scores = rng.dirichlet([0.3, 0.3, 0.3], size=3_000)
    labels = np.array([rng.choice(3, p=0.5 * row + 0.5 / 3) for row in scores])
    found = figures(labels, scores, "multiclass", 3)
    clipped = np.clip(scores, EPSILON, 1 - EPSILON)
    clipped /= clipped.sum(axis=1, keepdims=True)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(labels, clipped), abs=1e-9)
    assert found["brier"] == pytest.approx(((scores - np.eye(3)[labels]) ** 2).sum(axis=1).mean(), abs=1e-9)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, scores.argmax(axis=1)))
    assert found["roc_auc"] is None


def test_an_anomaly_detector_has_ranking_figures_but_no_losses_of_probabilities():
    rng = np.random.default_rng(6)
    labels = (rng.random(4_000) < 0.05).astype(int)
    scores = np.clip(rng.normal(0.4 + 0.15 * labels, 0.08), 0, 1)  # the range of an isolation forest
    found = figures(labels, scores, "anomaly")
    assert not {"errors", "accuracy", "balanced_accuracy", "log_loss", "brier"} & set(found)
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, scores), abs=2e-3)
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(labels, scores), abs=0.01)


def test_an_anomaly_detectors_answers_are_alerts_with_the_precision_and_recall_of_scikit_learn():
    rng = np.random.default_rng(9)
    labels = (rng.random(4_000) < 0.05).astype(int)
    scores = np.clip(rng.normal(0.4 + 0.15 * labels, 0.08), 0, 1)
    answers = scores >= 0.5
    found = figures(labels, scores, "anomaly")
    assert found["alerted"] == answers.sum()
    assert (found["found"], found["missed"]) == ((labels & answers).sum(), (labels & ~answers).sum())
    assert found["precision"] == pytest.approx(metrics.precision_score(labels, answers))
    assert found["recall"] == pytest.approx(metrics.recall_score(labels, answers))


def test_without_alerts_there_is_no_precision_and_without_positives_no_recall():
    quiet = figures([0, 1, 1], [0.1, 0.2, 0.3], "anomaly")
    assert (quiet["precision"], quiet["recall"], quiet["missed"]) == (None, 0.0, 2)
    none = figures([0, 0, 0], [0.1, 0.2, 0.9], "anomaly")
    assert (none["precision"], none["recall"], none["alerted"]) == (0.0, None, 1)


def like_probabilities(rng, rare):
    logits = rng.normal(-5.5, 1.5, len(rare))
    return 1 / (1 + np.exp(-np.where(rare, logits + 2.0, logits)))


RARE_SCORES = {
    "probabilities of a classifier": like_probabilities,
    "half-space trees": lambda rng, rare: rng.normal(0.97, 0.008, len(rare)) + 0.015 * rare,
    "crowded at 1": lambda rng, rare: 1 - 10 ** rng.normal(-3 - 0.7 * rare, 0.4),
    "isolation forest": lambda rng, rare: rng.normal(0.5, 0.05, len(rare)).clip(0.4, 0.8) + 0.12 * rare,
    "ranks": lambda rng, rare: rng.random(len(rare)) ** (1 / (1 + 8 * rare)),
}


@pytest.mark.parametrize("like", RARE_SCORES)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_average_precision_of_rare_positives_is_near_the_exact_one_wherever_scores_crowd(like, seed):
    rng = np.random.default_rng(seed)
    labels = (rng.random(100_000) < 0.005).astype(int)
    scores = RARE_SCORES[like](rng, labels == 1).clip(0, 1)
    found = figures(labels, scores, "anomaly")
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(labels, scores), abs=2e-3)
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels, scores), abs=2e-4)


def test_a_model_that_scored_nothing_has_no_figures():
    assert set(Performance("binary", 2).figures().values()) == {0, None}
    assert set(Performance("anomaly", 2).figures().values()) == {0, None}


def test_the_decayed_mean_is_the_plain_mean_at_first_and_then_halves_each_half_life():
    totals = LossTotals()
    totals.update({"error": np.array([1.0, 0.0, 0.0, 0.0])})
    assert totals.decayed["error"] == 0.25
    totals.update({"error": np.ones(SETTLED - 4)})
    before = totals.decayed["error"]
    for part in (np.zeros(1), np.zeros(HALF_LIFE - 1)):
        totals.update({"error": part})
    assert totals.decayed["error"] == pytest.approx(before / 2, rel=1e-9)
    assert totals.sums["error"] == SETTLED - 3


@pytest.mark.parametrize("size", [1, 512, 1_500, 5_000])
def test_the_decayed_mean_does_not_depend_on_the_batches(size):
    errors = (np.random.default_rng(8).random(5_000) < np.linspace(0.05, 0.5, 5_000)).astype(float)
    whole, parts = LossTotals(), LossTotals()
    whole.update({"error": errors})
    for begin in range(0, len(errors), size):
        parts.update({"error": errors[begin : begin + size]})
    expected = 0.0
    for count, loss in enumerate(errors.tolist(), start=1):
        expected += (loss - expected) * max(1.0 / count, 1.0 - KEEP)
    assert parts.decayed["error"] == pytest.approx(whole.decayed["error"], rel=1e-9)
    assert whole.decayed["error"] == pytest.approx(expected, rel=1e-3)


def test_log_loss_of_a_sure_and_wrong_score_is_finite():
    values = batch([1, 0], [0.0, 1.0]).losses("binary")
    assert values["log_loss"] == pytest.approx([-np.log(EPSILON)] * 2)


def test_events_that_a_model_did_not_score_are_left_out_of_its_figures():
    record = Labelled("a", 0.0, 0, "spam", 1.0, {}, 0.9, 0.9, None, "spam", "spam", None, "o", None)
    found = scored([record], {"ham": 0, "spam": 1})
    assert [len(found[model].labels) for model in ("online", "baseline", "served")] == [1, 0, 1]
