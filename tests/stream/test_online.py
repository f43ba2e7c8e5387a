"""Online models: factories, scores that are scores, learning."""

from typing import Any

import pytest
from river import base

from stream.config import Features, Stream
from stream.errors import ModelError, SettingError
from stream.online import DETECTORS, FACTORIES, OnlineModel, find

FEATURES = Features(text=["body"], numeric=["size"])


class Says(base.Estimator):
    """Answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict_proba_one(self, x: Any) -> Any:
        return self.answer

    def score_one(self, x: Any) -> Any:
        return self.answer


@pytest.mark.parametrize(("kind", "classes"), [("binary", 2), ("multiclass", 3)])
def test_the_built_in_classifier_learns_what_it_is_shown(kind, classes):
    model = OnlineModel(FACTORIES["logistic"](Stream(kind=kind, features=FEATURES)), kind, classes)
    for index in range(300):
        model.learn({index % classes: 1.0, "size": float(index % classes)}, index % classes)
    for label in range(classes):
        score = model.score({label: 1.0, "size": float(label)})
        right = score[label] if isinstance(score, list) else (score if label else 1 - score)
        assert right > 0.6


@pytest.mark.parametrize("name", ["gaussian", "half-space-trees", "loda"])
def test_a_built_in_detector_finds_the_odd_one_out(name):
    stream = Stream(kind="anomaly", features=Features(numeric=["a", "b"]), online=name)
    model = OnlineModel(FACTORIES[name](stream), "anomaly", 2)
    model.learn({"a": 0.0, "b": 1.0}, None)  # the range is known now
    for index in range(1_000):
        model.learn({"a": 0.8 + index % 7 / 100, "b": 0.1 + index % 5 / 100}, None)
    usual, odd = model.score({"a": 0.83, "b": 0.12}), model.score({"a": 0.2, "b": 0.9})
    assert 0.0 <= usual < odd <= 1.0


@pytest.mark.parametrize("name", DETECTORS)
def test_each_built_in_detector_learns_from_an_event_without_a_label(name):
    model = OnlineModel(FACTORIES[name](Stream(kind="anomaly", features=Features(numeric=["a", "b"]))), "anomaly", 2)
    x = {"a": 2.0, "b": 0.1}
    before = model.score(x)
    for index in range(300):
        model.learn({"a": 1.0 + index % 7 / 100, "b": index % 5 / 100}, None)
    assert model.score(x) != before


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), -0.1, 1.1])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_an_answer_that_is_no_probability_is_refused(kind, answer):
    said = {True: answer} if kind == "binary" else {0: answer, 1: 0.5}
    with pytest.raises(ModelError, match="no probabilit"):
        OnlineModel(Says(said), kind, 2).score({})


def test_an_anomaly_score_that_is_no_number_is_refused_and_others_are_brought_into_range():
    with pytest.raises(ModelError, match="no anomaly score"):
        OnlineModel(Says(float("nan")), "anomaly", 2).score({})
    assert [OnlineModel(Says(value), "anomaly", 2).score({}) for value in (-3, 0.25, 7)] == [0.0, 0.25, 1.0]


def test_a_model_that_knows_nothing_yet_is_undecided():
    assert OnlineModel(Says({}), "binary", 2).score({}) == 0.5
    assert OnlineModel(Says({}), "multiclass", 4).score({}) == [0.25] * 4


def test_many_class_shares_sum_to_one_with_a_class_unmet():
    assert OnlineModel(Says({0: 0.4, 2: 0.4}), "multiclass", 3).score({}) == [0.5, 0.0, 0.5]


def test_a_factory_of_the_users_is_found_by_module_and_function():
    assert find("k", "river.naive_bayes:BernoulliNB", FACTORIES).__name__ == "BernoulliNB"


@pytest.mark.parametrize("spec", ["logistics", "no.such.module:make", "river.tree:NoSuchTree", "logistic:"])
def test_a_model_that_is_not_there_is_named(spec):
    with pytest.raises(SettingError, match="must be logistic or") as error:
        find("streams.s.online", spec, FACTORIES)
    assert (error.value.key, error.value.value) == ("streams.s.online", spec)
