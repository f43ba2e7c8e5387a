"""Online detectors of anomalies, and classifiers that learn when labels come, as one model (stream.pool)."""

from collections.abc import Hashable, Mapping
from typing import Any

from river import base

from stream.pool import Pool
from stream.ranks import Ranks


class Pooled(base.Estimator):
    """Members by their names: river ``detectors`` of anomalies, and ``classifiers`` of two classes.

    Detectors learn from every event; from those that are in the highest ``spared`` share by their own scores they do
    not. Classifiers learn when a label comes. A member that is alone scores as it does by itself.
    """

    def __init__(self, detectors: Mapping[str, Any], classifiers: Mapping[str, Any], spared: float = 0.0) -> None:
        self.detectors = dict(detectors)
        self.classifiers = dict(classifiers)
        self.spared = spared
        self.ranks = [Ranks() for _ in range(len(self.detectors) + len(self.classifiers))]
        self.pool = Pool(len(self.ranks))
        self.tails: list[float] = []

    @property
    def learns_labels(self) -> bool:
        """Whether labels teach it anything: classifiers, or whom of several to follow."""
        return bool(self.classifiers) or len(self.ranks) > 1

    def score_one(self, x: dict[Hashable, Any]) -> float:
        """The score of an event in [0, 1]."""
        scores = self._scores(x)
        if self.detectors or len(scores) > 1:
            self.tails = self._tails(scores)
            for ranks, score in zip(self.ranks, scores, strict=True):
                ranks.add(score)
        return scores[0] if len(scores) == 1 else self.pool.score(self.tails)

    def look(self, x: dict[Any, Any]) -> float:
        """The score of an event that has been scored before: it does not count among the latest again."""
        scores = self._scores(x)
        return scores[0] if len(scores) == 1 else self.pool.score(self._tails(scores))

    def learn_one(self, x: dict[Hashable, Any]) -> None:
        """Have the detectors learn from the event that has just been scored."""
        for detector, tail in zip(self.detectors.values(), self.tails, strict=False):
            if tail > self.spared:
                detector.learn_one(x)

    def learn_label(self, x: dict[Hashable, Any], *, positive: bool) -> None:
        """Have the classifiers learn from an event's label; weights follow a positive.

        By what members say of it now, before they learn: by what they said when it came, a member that has learned to
        find such events would be trusted only when labels of what it has found have come.
        """
        if positive and len(self.ranks) > 1:
            self.pool.update(self._tails(self._scores(x)))
        for classifier in self.classifiers.values():
            classifier.learn_one(x, positive)

    def _tails(self, scores: list[float]) -> list[float]:
        return [ranks.tail(score) for ranks, score in zip(self.ranks, scores, strict=True)]

    def _scores(self, x: dict[Hashable, Any]) -> list[float]:
        found = [float(detector.score_one(x)) for detector in self.detectors.values()]
        return found + [float(each.predict_proba_one(x).get(True, 0.0)) for each in self.classifiers.values()]
