"""Rot where positives are rare: evidence that a model misses more of them than it did, at an equal alert budget.

Where one event in 200 is positive, a loss over all events says next to nothing of the positives. So only they are
counted: a positive is missed where an alert budget, a share of all that is not positive, would not have reached it.
"""

from msgspec import Struct

from stream.drift.bounded import Bounded, Null
from stream.drift.evidence import Crossing, Detector, Evidence

BUDGET = 0.01
"""Of the events that are not confirmed as positive, so many would be looked at."""

WINDOW = 2_000
"""So many of their scores are remembered."""

TOLERANCE = 0.05
"""Of the positives, so many more may be missed than the reference says."""

SCORE = Bounded("score", 0.0, 1.0)


class Missed(Struct):
    """One model's loss on positives; feed it events in their order, once their label is final.

    A positive is missed (loss 1) where at least BUDGET of the last WINDOW events that are not positive have a score as
    high as its own. Positives are left out of these: else they fill the budget as they become more frequent, and a
    change of their share alone looks like rot. ``place``: where the next score goes, once there are WINDOW.

    >>> missed = Missed()
    >>> for at in range(2_000):
    ...     missed.update(at / 2_000, positive=False)
    >>> [missed.update(score, positive=True) for score in (0.5, 0.99, 0.9904)]
    [1.0, 1.0, 0.0]
    """

    recent: list[float] = []
    place: int = 0

    def update(self, score: float, *, positive: bool) -> float | None:
        """Take in one event; the loss of a positive, None of others, and before there are WINDOW of them.

        Raises RecordError, with nothing changed, for a score that is not in [0, 1].
        """
        SCORE.check(score)
        if positive:
            if len(self.recent) < WINDOW:
                return None
            return float(sum(other >= score for other in self.recent) >= BUDGET * WINDOW)
        if len(self.recent) < WINDOW:
            self.recent.append(score)
        else:
            self.recent[self.place] = score
            self.place = (self.place + 1) % WINDOW
        return None


class Positives(Struct):
    """The absolute detector on positives only: ``detector`` counts them, and its alarms name them by number.

    While at no positive the chance that it is missed, given all before, exceeds the reference and TOLERANCE together,
    there is at most one alarm in ``detector.every`` positives on average.
    """

    missed: Missed
    detector: Detector

    def update(self, score: float, *, positive: bool) -> Crossing | None:
        """Take in one event, as Missed does; the alarm that it raises."""
        loss = self.missed.update(score, positive=positive)
        return None if loss is None else self.detector.update(loss)


def watch(missed: Missed, reference: float, every: float = 1_000.0) -> Positives:
    """Begin to watch a model. ``missed`` goes on from the rows by whose losses ``reference`` was found.

    ``reference``: the upper end of the interval of its losses on positives that it had not learned from, as
    ``Risk.high`` is. ``every``: positives. Raises SettingError where reference and TOLERANCE leave nothing to exceed.
    """
    null = Null("missed positives", 0.0, 1.0, reference + TOLERANCE)
    return Positives(missed, Detector("absolute_positives", every, [Evidence(null)]))
