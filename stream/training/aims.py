"""What a baseline is chosen for: few errors, little cost, or the most found within a budget of alerts.

Each aim says how much a row that is answered so costs, in [0, 1], and where the decision threshold belongs.
"""

from typing import Any

import numpy as np
from msgspec import Struct

Array = np.ndarray[Any, np.dtype[Any]]


class Aim(Struct, frozen=True):
    """Costs of a false alarm and of a miss, in any unit; or ``alert_budget``, the share of events that may be flagged.

    With a budget only misses cost: the threshold is where the budget is used up.
    """

    cost_of_false_alarm: float = 1.0
    cost_of_miss: float = 1.0
    alert_budget: float | None = None

    @property
    def plain(self) -> bool:
        """Whether every error costs the same, so that the likelier class is the best answer."""
        return self.alert_budget is None and self.cost_of_false_alarm == self.cost_of_miss

    @property
    def unit(self) -> str:
        """What is counted, with all costs as shares of the dearest error's."""
        if self.alert_budget is not None:
            return "misses"
        return "errors" if self.plain else "cost"

    def losses(self, labels: Array, answers: Array) -> Array:
        """The loss of each row in [0, 1]; ``labels`` and ``answers`` are class indices."""
        wrong = labels != answers
        if self.plain:
            return np.asarray(wrong, dtype=float)
        if self.alert_budget is not None:
            return np.asarray(wrong & (labels == 1), dtype=float)
        costs = np.array([self.cost_of_false_alarm, self.cost_of_miss]) / max(
            self.cost_of_false_alarm, self.cost_of_miss
        )
        return np.asarray(wrong * costs[labels])

    def trivial(self, labels: Array, classes: int) -> Array:
        """The loss of each row by the best answer that is the same for all of them; within a budget, no alert."""
        if self.alert_budget is not None:
            return self.losses(labels, np.zeros_like(labels))
        return min((self.losses(labels, np.full_like(labels, one)) for one in range(classes)), key=np.mean)

    def least(self, labels: Array) -> float:
        """The mean loss that no model can be below: a budget that is smaller than the positive class must miss some."""
        return 0.0 if self.alert_budget is None else max(0.0, float((labels == 1).mean()) - self.alert_budget)

    def threshold(self, labels: Array, scores: Array) -> float:
        """Where to call a row positive, by scores of rows that the model has not seen: between two that occur."""
        if self.plain:
            return 0.5
        ordered = np.sort(scores)
        if self.alert_budget is not None:
            flagged = int(self.alert_budget * len(ordered))
            return _between(ordered, len(ordered) - flagged)
        order = np.argsort(scores, kind="stable")
        positive = labels[order] == 1
        # Calling all from position k on positive: misses before it, false alarms from it on.
        misses = np.concatenate([[0], np.cumsum(positive)]) * self.cost_of_miss
        alarms = np.concatenate([np.cumsum(~positive[::-1])[::-1], [0]]) * self.cost_of_false_alarm
        total = misses + alarms
        cuts = np.concatenate([[True], np.diff(ordered) > 0, [True]])  # equal scores are not told apart
        return _between(ordered, int(np.argmin(np.where(cuts, total, np.inf))))


def _between(ordered: Array, at: int) -> float:
    """A threshold that calls ``ordered[at:]`` positive, and as little else as equal scores allow."""
    if at <= 0:
        return float(ordered[0])
    if at >= len(ordered):
        return float(np.nextafter(ordered[-1], np.inf))
    below, above = float(ordered[at - 1]), float(ordered[at])
    if below == above:
        return float(np.nextafter(above, np.inf))
    return below + (above - below) / 2
