"""Rot where positives are rare: evidence that a model misses more of them than it did, at an equal alert budget.

Where one event in 200 is positive, a loss over all events says next to nothing of the positives. So only they are
counted: a positive is missed where an alert budget, a share of all that is not positive, would not have reached it
(``stream.missed``).
"""

from msgspec import Struct

from stream.drift.bounded import Null
from stream.drift.evidence import Crossing, Detector, Evidence
from stream.missed import Missed

TOLERANCE = 0.05
"""Of the positives, so many more may be missed than the reference says."""


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
