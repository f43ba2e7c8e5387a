"""Alerts within a budget: the most suspicious share of events, or so many a day, by a threshold that moves along."""

import math
from bisect import bisect_right

from stream.ranks import Ranks

LEAST = 1_000
"""Scores by which a model's own threshold is found; until then it is the one that it came with."""

DAY = 86_400.0

SPANS = (DAY, 7 * DAY)
"""Events are counted over both, and the greater figure holds: a quiet day, or a weekend without events, lets no more of
the next day's through. So the budget follows at once where more come, and within a week where fewer do."""

LONGEST = DAY
"""A pause that is longer counts as so long: behind it events come as often as before."""

LEAST_AGE = DAY / 24
"""Until events have come for so long the rate holds: of the first few nothing follows for a day."""


class Alerts:
    """The latest scores of one model, and which of them lie within the budget.

    >>> alerts = Alerts()
    >>> called = [alerts.call(at % 100 / 100, share=0.05, start=0.5) for at in range(3_000)]
    >>> sum(called[1_000:]) / 2_000
    0.05
    """

    def __init__(self) -> None:
        self.ranks = Ranks()

    def threshold(self, share: float, start: float) -> float:
        """Where the highest ``share`` of the latest scores begins; where scores tie there, above them.

        ``start`` holds until LEAST scores are known.
        """
        ordered = self.ranks.ordered
        if len(ordered) < LEAST:
            return start
        held = int(share * len(ordered))
        if not held:
            return math.nextafter(ordered[-1], math.inf)
        lowest = ordered[-held]
        if held == len(ordered) or ordered[-held - 1] < lowest:
            return lowest
        at = bisect_right(ordered, lowest)
        return ordered[at] if at < len(ordered) else math.nextafter(lowest, math.inf)

    def call(self, score: float, share: float, start: float) -> bool:
        """Whether an event of this score is alerted; it counts for those after it."""
        called = score >= self.threshold(share, start)
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
        self.counts = [0.0] * len(SPANS)
        self.age = 0.0
        self.last = -math.inf

    def share(self, time: float) -> float:
        """The share at that time, of an event by the task's clock; the rate as long as nothing tells events a day."""
        if not self.per_day or time == -math.inf:
            return self.rate
        passed = min(max(0.0, time - self.last), LONGEST) if self.last > -math.inf else 0.0
        self.last = max(self.last, time)
        self.age += passed
        # Fade by a factor of e in each span, and grow into it, as entities' counts do.
        self.counts = [count * math.exp(-passed / span) + 1.0 for count, span in zip(self.counts, SPANS, strict=True)]
        if self.age < LEAST_AGE:
            return self.rate
        return min(1.0, self.per_day / max(map(self._a_day, self.counts, SPANS)))

    def _a_day(self, count: float, span: float) -> float:
        """Events of a day, as their count over a span says."""
        return count / -math.expm1(-self.age / span) * DAY / span
