"""Online models: river pipelines from factories, behind the three verbs that the scoring task needs.

A factory takes the stream's settings and gives a river estimator whose labels are class indices (True and
False for two classes). Settings name one of FACTORIES, or ``module:function`` for the user's own; of a stream of
anomalies several, joined by ``+``, which are pooled.
"""

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

from river import anomaly, base, linear_model, optim

from stream.config import Stream
from stream.errors import ModelError, SettingError
from stream.features import ModelInput
from stream.gaussian import Gaussians
from stream.pooled import Pooled
from stream.records import Score
from stream.recursive import RecursiveLogistic
from stream.scaling import FillNumbers, ScaleNumbers, ScaleToUnit, ToUnit

Factory = Callable[[Stream], base.Estimator]

MAIL_RATE = 0.85
"""AdaGrad's rate for texts, whose inputs have length 1; ten times what suits columns of zeros and ones."""

TABLE_RATE = 0.05
"""Of stochastic gradient descent on numbers and categories."""


def logistic(stream: Stream) -> base.Estimator:
    """Logistic regression over words, categories and scaled numbers; softmax for many classes.

    With texts by AdaGrad, whose rate fades for each word by itself; without by a rate that never fades, as columns that
    every event has would else be learned once and for all: docs/online-models.md has the tables.
    """
    rate = optim.AdaGrad(MAIL_RATE) if stream.features.text else optim.SGD(TABLE_RATE)
    if stream.kind == "multiclass":
        model: base.Estimator = linear_model.SoftmaxRegression(rate)
    else:
        model = linear_model.LogisticRegression(rate, intercept_lr=0.1)
    features = stream.features
    return ScaleNumbers(features.numbers, features.derived) | model if features.numbers else model


def recursive_logistic(stream: Stream) -> base.Estimator:
    """Logistic regression of second order over scaled numbers and few categories: slower a label, and sooner right."""
    return ScaleNumbers(stream.features.numbers, stream.features.derived) | RecursiveLogistic()


def half_space_trees(stream: Stream) -> base.Estimator:
    """Ten half-space trees of height 8 over the numeric columns (Tan, Ting and Liu 2011)."""
    columns = stream.features.numbers
    return ScaleToUnit(columns) | anomaly.HalfSpaceTrees(n_trees=10, height=8, window_size=250, seed=stream.seed)


def one_class_svm(stream: Stream) -> base.Estimator:
    """A linear one-class support vector machine by stochastic gradient descent (Schölkopf et al. 2001)."""
    return ScaleNumbers(stream.features.numbers, stream.features.derived) | ToUnit(anomaly.OneClassSVM(nu=0.1))


def loda(stream: Stream) -> base.Estimator:
    """Histograms of 100 sparse random projections (Pevný 2016)."""
    return FillNumbers(stream.features.numbers, stream.features.derived) | ToUnit(anomaly.LODA(seed=stream.seed))


def gaussian(stream: Stream) -> base.Estimator:
    """How far out each numeric column lies, in the mean."""
    return Gaussians(stream.features.numbers)


DETECTORS: dict[str, Factory] = {
    "gaussian": gaussian,
    "half-space-trees": half_space_trees,
    "one-class-svm": one_class_svm,
    "loda": loda,
}

CLASSIFIERS: dict[str, Factory] = {
    "logistic": logistic,
    "recursive-logistic": recursive_logistic,
}

FACTORIES: dict[str, Factory] = {**CLASSIFIERS, **DETECTORS}

JOINS = "+"
"""Between the names of those that are pooled."""


def pooled(stream: Stream, names: Sequence[str]) -> base.Estimator:
    """Detectors and classifiers by name, as one model of a stream of anomalies."""
    detectors, classifiers = (
        {name: factories[name](stream) for name in names if name in factories} for factories in (DETECTORS, CLASSIFIERS)
    )
    return Pooled(detectors, classifiers, _spared(stream))


def _spared(stream: Stream) -> float:
    return 0.0 if stream.learn_alerts else stream.alert_rate


def _anomaly(said: Any) -> float:
    score = float(said)
    if not math.isfinite(score):
        raise ModelError(f"the online model scored {score!r}: no anomaly score")
    return min(1.0, max(0.0, score))


class OnlineModel:
    """A river estimator that scores an event and later learns from its label.

    ``classes`` is the number of classes; for two, a score is the probability of class 1. It learns ``at_once`` from
    every event, or ``from_labels`` when they come, or both.
    """

    def __init__(self, estimator: Any, kind: str, classes: int) -> None:
        self.estimator = estimator
        self.kind = kind
        self.classes = classes
        self.at_once = kind == "anomaly"
        if isinstance(estimator, Pooled):
            self.from_labels = estimator.learns_labels
        else:
            self.from_labels = kind != "anomaly" or hasattr(estimator, "learn_label")

    def adopt(self, stream: Stream) -> None:
        """Go on under the settings of now, after a restart."""
        if isinstance(self.estimator, Pooled):
            self.estimator.spared = _spared(stream)

    def score(self, x: ModelInput) -> Score:
        """Score one event; raises ModelError where the model's answer is no score."""
        if self.kind == "binary":
            p = self.estimator.predict_proba_one(x).get(True, 0.5)
            if not 0.0 <= p <= 1.0:
                raise ModelError(f"the online model scored {p!r}: no probability")
            return float(p)
        if self.kind == "anomaly":
            return _anomaly(self.estimator.score_one(x))
        return self._shares(self.estimator.predict_proba_one(x))

    def look(self, x: ModelInput) -> Score:
        """Score an event that has been scored before, as it would be now."""
        return _anomaly(self.estimator.look(x)) if isinstance(self.estimator, Pooled) else self.score(x)

    def learn(self, x: ModelInput, label: int | None) -> None:
        """Learn from one event; anomaly detectors learn without a label (None), and some from it again with one."""
        if self.kind == "anomaly" and label is None:
            self.estimator.learn_one(x)
        elif self.kind == "anomaly":
            self.estimator.learn_label(x, positive=label == 1)
        elif self.kind == "binary":
            self.estimator.learn_one(x, label == 1)
        else:
            self.estimator.learn_one(x, label)

    def _shares(self, answer: dict[int, float]) -> list[float]:
        shares = [float(answer.get(index, 0.0)) for index in range(self.classes)]
        total = math.fsum(shares)
        if not all(0.0 <= share <= 1.0 for share in shares) or not math.isfinite(total):
            raise ModelError(f"the online model scored {shares!r}: no probabilities")
        # A class that the model has not met yet is missing from its answer; before the first it knows none.
        return [share / total for share in shares] if total > 0 else [1.0 / self.classes] * self.classes


def find(key: str, spec: str, factories: dict[str, Any]) -> Any:
    """The factory that a setting names: a built-in one or ``module:function``; raises SettingError."""
    if spec in factories:
        return factories[spec]
    module, _, name = spec.partition(":")
    allowed = " or ".join([*factories, "module:function", *(["field:NAME"] if factories else [])])
    if not name:
        raise SettingError(key, spec, allowed)
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingError(key, spec, f"{allowed} that can be imported ({error})") from None
