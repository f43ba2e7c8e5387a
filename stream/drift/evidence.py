"""The e-detector: evidence that a mean has risen above its bound, with at most one false alarm per N events.

A mixture of Shiryaev-Roberts e-detectors (Shin, Ramdas and Rinaldo 2023, "E-detectors: a nonparametric framework for
sequential change detection") of bets on a bounded mean (Waudby-Smith and Ramdas 2024).
"""

from msgspec import Struct

from stream.drift.bounded import BETS, Null

CAP = 1e9
"""The evidence of an alarm is told up to so many times the threshold: less evidence is always valid."""


class Evidence(Struct):
    """The levels for one null. R <- (R + 1)(1 + stake (x - bound)) for each stake, from 0; the evidence is their mean.

    ``cusums``, C <- max(C, 1)(1 + stake (x - bound)) from 1, are for display only; ``left`` is the event with which
    each last left 1.
    """

    null: Null
    stakes: list[float] = []
    levels: list[float] = []
    cusums: list[float] = []
    left: list[int] = []

    def __post_init__(self) -> None:
        """Begin, unless this is read from a state."""
        if not self.stakes:
            self.stakes = self.null.stakes()
            self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.levels, self.cusums, self.left = [0.0] * BETS, [1.0] * BETS, [0] * BETS

    def update(self, x: float, event: int) -> float:
        """Take in the value, which has been checked, of the event of that number; the evidence."""
        gain, total = x - self.null.bound, 0.0
        stakes, levels, cusums = self.stakes, self.levels, self.cusums
        for k in range(BETS):  # comprehensions take twice as long
            factor = 1.0 + stakes[k] * gain
            levels[k] = level = (levels[k] + 1.0) * factor
            total += level
            cusum = cusums[k]
            if cusum <= 1.0:
                self.left[k] = event
                cusums[k] = factor
            else:
                cusums[k] = cusum * factor
        return total / BETS


class Crossing(Struct, frozen=True):
    """An alarm: the evidence that reached the threshold, and what it says of the change.

    ``odds``: of a start at the best moment against no change, to 1. ``change``: the estimated event with which it
    began, None where nothing points to one. ``event``: the event of the alarm. Events are numbered from 1, since the
    detector's start.
    """

    detector: str
    evidence: float
    odds: float
    change: int | None
    event: int


class Detector(Struct):
    """Raises an alarm when the mean of its evidence reaches ``every`` = N, and then begins anew.

    Let every null hold: at no event does E[x | all before it] exceed its bound. Then

    - the expected number of alarms in any T events is at most (T + evidence at their beginning) / N,
    - the chance of any in the T events after a start is at most T / N, and the mean time to the first is at least N,

    for N * alarms + evidence - events is a supermartingale. Nothing is asked of independence or of distributions. With
    several nulls the mean of their evidence is tested, so that all of them are claimed to hold.

    >>> detector = Detector("paired", 100.0, [Evidence(Null("difference", -1.0, 1.0, 0.01))])
    >>> [event for event in range(1, 30) if detector.update(1.0)]
    [13, 26]
    """

    name: str
    every: float
    parts: list[Evidence]
    events: int = 0
    alarms: int = 0
    last_alarm: int | None = None

    def update(self, *values: float) -> Crossing | None:
        """Take in one event's values, one a null. Raises RecordError, with nothing changed, where one is no such."""
        parts = self.parts
        for part, x in zip(parts, values, strict=True):
            part.null.check(x)
        self.events += 1
        evidence = 0.0
        for part, x in zip(parts, values, strict=True):
            evidence += part.update(x, self.events)
        evidence /= len(parts)
        if evidence < self.every:
            return None
        crossing = Crossing(self.name, min(evidence, CAP * self.every), self.odds, self.change, self.events)
        self.alarms += 1
        self.last_alarm = self.events
        for part in self.parts:
            part.reset()
        return crossing

    @property
    def evidence(self) -> float:
        """What is compared with N; 0 at first."""
        return sum(sum(part.levels) for part in self.parts) / (BETS * len(self.parts))

    @property
    def odds(self) -> float:
        """The mean of the CUSUM forms: 1 at first. For display: what is guaranteed is guaranteed of the evidence."""
        return min(sum(sum(part.cusums) for part in self.parts) / (BETS * len(self.parts)), CAP * self.every)

    @property
    def change(self) -> int | None:
        """The event with which the largest CUSUM last left 1; None where none is above 1."""
        largest, left = max(pair for part in self.parts for pair in zip(part.cusums, part.left, strict=True))
        return left if largest > 1.0 else None
