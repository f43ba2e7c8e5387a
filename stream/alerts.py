"""Alerts within a budget: the most suspicious share of events, or so many a day, by a threshold that moves along."""

import math
from bisect import bisect_right

from stream.ranks import Ranks

LEAST = 1_000
"""Scores by which a model's own threshold is found; until then it is the one that it came with."""

DAY = 86_400.0

YOUNGEST = 1 / 24
"""Of a day: a count of events that began later is told as if it had begun then."""


class Alerts:
    """The latest scores of one model, and which of them lie within the budget.

    >>> alerts = Alerts(threshold=0.5)
    >>> called = [alerts.call(at % 100 / 100, share=0.05) for at in range(3_000)]
    >>> sum(called[1_000:]) / 2_000
    0.05
    """

    def __init__(self, threshold: float) -> None:
        self.start = threshold
        self.ranks = Ranks()

    def threshold(self, share: float) -> float:
        """Where the highest ``share`` of the latest scores begins; where scores tie there, above them."""
        ordered = self.ranks.ordered
        if len(ordered) < LEAST:
            return self.start
        held = int(share * len(ordered))
        if not held:
            return math.nextafter(ordered[-1], math.inf)
        lowest = ordered[-held]
        if held == len(ordered) or ordered[-held - 1] < lowest:
            return lowest
        at = bisect_right(ordered, lowest)
        return ordered[at] if at < len(ordered) else math.nextafter(lowest, math.inf)

    def call(self, score: float, share: float) -> bool:
        """Whether an event of this score is alerted; it counts for those after it."""
        called = score >= self.threshold(share)
        self.ranks.add(score)
        return called


class Budget:
    """The share of events that may be alerted: ``rate``, or what ``per_day`` is of the events of a day.

    >>> budget = Budget(rate=0.01, per_day=100)
    >>> for at in range(20_000):
    ...     share = budget.share(at * 8.64)
    >>> round(share, 4)
    0.01
    """

    def __init__(self, rate: float, per_day: int) -> None:
        self.rate = rate
        self.per_day = per_day
        self.count = 0.0
        self.begun = math.inf
        self.last = 0.0

    def share(self, time: float) -> float:
        """The share at that time, of an event by the task's clock."""
        if not self.per_day:
            return self.rate
        if self.begun == math.inf:
            self.begun = self.last = time
        # Fades by a factor of e in a day, and grows into it, as entities' counts do.
        self.count = self.count * math.exp((self.last - time) / DAY) + 1.0
        self.last = time
        seen = -math.expm1(-max(YOUNGEST, (time - self.begun) / DAY))
        return min(1.0, self.per_day * seen / self.count)
