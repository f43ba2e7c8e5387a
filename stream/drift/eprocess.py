"""The e-process of a test with a fixed start: whether a challenger is better than the champion.

Bets on a bounded mean (Waudby-Smith and Ramdas 2024; of two forecasters: Choe and Ramdas 2024), in logarithms, for it
is never set back and so can grow without end.
"""

import math
from typing import Literal

from msgspec import Struct

from stream.drift.bounded import BETS, Bounded, Null
from stream.drift.interval import Interval
from stream.errors import SettingError

Decision = Literal["promote", "worse", "futile"]


class EProcess(Struct):
    """exp(log_evidence) = mean over the stakes of prod (1 + stake (x - bound)).

    While E[x | past] <= bound at every event, the chance that it ever reaches 1 / alpha is at most alpha (Ville).
    """

    null: Null
    stakes: list[float] = []
    logs: list[float] = []

    def __post_init__(self) -> None:
        """Begin, unless this is read from a state."""
        if not self.stakes:
            self.stakes, self.logs = self.null.stakes(), [0.0] * BETS

    def update(self, x: float) -> None:
        """Take in one event's value. Raises RecordError, with nothing changed, for what is out of range or NaN."""
        self.null.check(x)
        gain = x - self.null.bound
        self.logs = [log + math.log1p(stake * gain) for log, stake in zip(self.logs, self.stakes, strict=True)]

    @property
    def log_evidence(self) -> float:
        """The natural logarithm of the evidence; 0 at first."""
        largest = max(self.logs)
        return largest + math.log(sum(math.exp(log - largest) for log in self.logs) / BETS)


def spend(alpha: float, attempt: int) -> float:
    """The part of ``alpha`` for the attempt of that number, from 1: all attempts together spend no more than alpha.

    >>> [round(spend(0.01, attempt), 5) for attempt in (1, 2, 3)]
    [0.005, 0.00167, 0.00083]
    """
    return alpha / (attempt * (attempt + 1))


class Promotion(Struct):
    """The comparison of a challenger with the champion, on the events that both scored since a fixed start.

    The chance of ever promoting a challenger is at most ``alpha`` where at no event its expected loss, given all
    before, is below the champion's by more than the margin; so is that of calling one worse that at no event loses
    more than the margin. It is futile when the interval of the gain, at 95%, ends below ``worth``. The first decision
    stays.
    """

    alpha: float
    worth: float
    better: EProcess
    worse: EProcess
    gain: Interval
    decision: Decision | None = None

    def update(self, gain: float) -> Decision | None:
        """Take in one event's loss of the champion less that of the challenger; the decision, if there is one yet.

        Raises RecordError, with nothing changed, unless it is in [-1, 1].
        """
        if self.decision is None:
            self.better.update(gain)
            self.worse.update(-gain)
            self.gain.update(gain)
            wanted = -math.log(self.alpha)
            if self.better.log_evidence >= wanted:
                self.decision = "promote"
            elif self.worse.log_evidence >= wanted:
                self.decision = "worse"
            elif self.gain.below(self.worth):
                self.decision = "futile"
        return self.decision


def compare(alpha: float = 0.01, margin: float = 0.0, worth: float = 0.005) -> Promotion:
    """Begin a comparison. ``margin`` and ``worth`` are losses an event: .005 are 5 errors in 1,000.

    Raises SettingError for an alpha that is no chance, or a margin that no gain can exceed.

    >>> promotion = compare(alpha=0.01)
    >>> [promotion.update(1.0) for _ in range(20)].index("promote")
    15
    """
    if not 0.0 < alpha < 1.0:
        raise SettingError("alpha", alpha, "between 0 and 1")
    better, worse = (EProcess(Null(name, -1.0, 1.0, margin)) for name in ("gain", "loss"))
    return Promotion(alpha, worth, better, worse, Interval(Bounded("gain", -1.0, 1.0)))
