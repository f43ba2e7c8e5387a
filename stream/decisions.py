"""What is decided of an event by its scores: by each model's threshold, or, where positives are rare, within a budget.

The served score is one model's or the blend of both, which learns from labels whom to follow.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from stream.alerts import Alerts, Budget
from stream.answers import Answers
from stream.config import Serving, Stream
from stream.features import ModelInput
from stream.models import Models
from stream.pool import Pool
from stream.ranks import WINDOW
from stream.records import Prediction, Score, Shadow
from stream.serving import Blend

ONLINE, SERVED = "online", "served"
"""The names of what is no baseline; each of these goes by its version."""

Decided = tuple[Score, int, int, int, dict[str, Shadow]]
"""The served score; the indices of the classes that it, online model and baseline call; what shadows say and call."""


class ByThreshold:
    """Decisions of a stream in which each model's threshold stays as it is; the blend's is a half."""

    def __init__(self, stream: Stream, answers: Answers) -> None:
        self.blend = Blend(stream.blend_share)
        self._answers = answers

    def begin(self, models: Models) -> None:
        """Nothing: thresholds stay as they are."""

    @property
    def weight(self) -> float:
        """The baseline's in the blend."""
        return self.blend.weight

    def decide(
        self, models: Models, serving: Serving, clock: float, scores: tuple[Any, Any], shadows: Mapping[str, Any]
    ) -> Decided:
        """Decide by the scores of online model and baseline, None where there is no baseline's, at that time."""
        answers, (online, baseline), (of_online, of_baseline) = self._answers, scores, models.thresholds
        ours = answers.called(online, of_online)
        theirs = -1 if baseline is None else answers.called(baseline, of_baseline)
        named = {version: self.shadow(models, version, score) for version, score in shadows.items()}
        if serving == "online":
            return online, ours, ours, theirs, named
        if serving == "baseline":
            return baseline, theirs, ours, theirs, named
        served = self.blend.score(online, baseline)
        return served, answers.called(served, 0.5), ours, theirs, named

    def shadow(self, models: Models, version: str, score: Score) -> Shadow:
        """What a baseline that is not in use says with its score."""
        return Shadow(score, self._answers.answer(score, models.shadows[version].threshold))

    def learn(self, models: Models, prediction: Prediction, x: ModelInput, label: int) -> None:
        """Have the blend learn from an event's label; its baseline is the one in use."""
        self.blend.update(prediction.online, prediction.baseline, label)

    def keep(self, versions: Collection[str]) -> None:
        """Nothing: of single baselines nothing is remembered."""

    def relearned(self) -> None:
        """Go on with what the training log has taught."""

    def state(self) -> Any:
        """What a snapshot's body holds."""
        return self.blend.weight

    def restore(self, state: Any) -> None:
        """Take up a snapshot's."""
        self.blend.weight = state


class ByBudget:
    """Decisions within an alert budget: each model alerts what is most suspicious among its own latest scores.

    ``share``: of events that may be alerted, as it was with the last of them.
    """

    def __init__(self, stream: Stream, answers: Answers) -> None:
        self.budget = Budget(stream.alert_rate, stream.alerts_per_day)
        self.alerts: dict[str, Alerts] = {}
        self.share = stream.alert_rate
        self.blend = Pool(2)
        self._answers = answers

    def begin(self, models: Models) -> None:
        """Begin with what the warm-up tells of scores, and of events a day."""
        before, version = models.before, models.baseline_version or ""
        for time in before.times:
            self.share = self.budget.share(time)
        self.budget.last = -math.inf  # whatever lies between the warm-up and the stream
        for name, scores in ((ONLINE, before.online), (version, before.baseline)):
            for score in scores[-WINDOW:]:
                self._of(name).ranks.add(score)  # type: ignore[arg-type] # anomaly scores are numbers
        both = min(len(before.online), len(before.baseline), WINDOW)
        for pair in zip(before.online[-both:], before.baseline[-both:], strict=True) if both else ():
            self._of(SERVED).ranks.add(self.blend.score(self._tails(models, *pair)))

    @property
    def weight(self) -> float:
        """The baseline's in the blend."""
        return self.blend.weights[1]

    def decide(
        self, models: Models, serving: Serving, clock: float, scores: tuple[Any, Any], shadows: Mapping[str, Any]
    ) -> Decided:
        """Decide as ByThreshold does; all scores count among their models' latest."""
        share = self.share = self.budget.share(clock)
        online, baseline = scores
        of_online, of_baseline = models.thresholds
        version, theirs, served = models.baseline_version or "", -1, online
        if serving == "blend":
            served = self.blend.score(self._tails(models, online, baseline))
        ours = called = self._call(ONLINE, online, of_online, share)
        if baseline is not None:
            theirs = self._call(version, baseline, of_baseline, share)
        if serving == "baseline":
            served, called = baseline, theirs
        elif serving == "blend":
            called = self._call(SERVED, served, self.blend.score((share, share)), share)
        named = {version: self.shadow(models, version, score) for version, score in shadows.items()}
        return served, called, ours, theirs, named

    def shadow(self, models: Models, version: str, score: Any) -> Shadow:
        """What a baseline that is not in use says with its score, which counts among its latest."""
        called = self._call(version, score, models.shadows[version].threshold, self.share)
        return Shadow(score, self._answers.name(called))

    def learn(self, models: Models, prediction: Prediction, x: ModelInput, label: int) -> None:
        """Have the blend follow a positive, by what the online model says of it now: it may have learned to find it."""
        if label == 1:
            online = models.online.look(x) if models.online.from_labels else prediction.online
            self.blend.update(self._tails(models, online, prediction.baseline))

    def keep(self, versions: Collection[str]) -> None:
        """Forget the scores of baselines that are no longer here."""
        self.alerts = {name: of for name, of in self.alerts.items() if name in (ONLINE, SERVED, *versions)}

    def relearned(self) -> None:
        """Begin anew: where only some events get labels the training log is no sample of all."""
        self.alerts, self.blend = {}, Pool(2)
        self.budget = Budget(self.budget.rate, self.budget.per_day)

    def state(self) -> Any:
        """What a snapshot's body holds: not the budget's size, which is a setting."""
        budget = self.budget
        return self.alerts, self.blend, self.share, (budget.counts, budget.age, budget.last)

    def restore(self, state: Any) -> None:
        """Take up a snapshot's."""
        budget = self.budget
        self.alerts, self.blend, self.share, (budget.counts, budget.age, budget.last) = state

    def _tails(self, models: Models, online: Any, baseline: Any) -> tuple[float, float]:
        theirs = self._of(models.baseline_version or "")
        return self._of(ONLINE).ranks.tail(online), theirs.ranks.tail(baseline)

    def _call(self, name: str, score: float, start: float, share: float) -> int:
        return int(self._of(name).call(score, share, start))

    def _of(self, name: str) -> Alerts:
        """A model's latest scores."""
        found = self.alerts.get(name)
        if found is None:
            found = self.alerts[name] = Alerts()
        return found
