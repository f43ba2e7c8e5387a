"""Positives that an alert budget does not reach: a loss that is informative where one event in 200 is positive."""

from collections.abc import Sequence

from msgspec import Struct

from stream.errors import RecordError

BUDGET = 0.01
"""Of the events that are not confirmed as positive, so many would be looked at."""

WINDOW = 2_000
"""So many of their scores are remembered."""

LEAST_OTHERS = 100
"""With fewer of them no score is reached by the budget: it would be less than one event."""


class Missed(Struct):
    """One model's loss on positives; feed it events in their order, once their label is final.

    A positive is missed (loss 1) where at least BUDGET of the last ``size`` events that are not positive have a score
    as high as its own. Positives are left out of these: else they fill the budget as they become more frequent, and a
    change of their share alone looks like rot. ``place``: where the next score goes, once there are ``size``.

    >>> missed = Missed()
    >>> for at in range(2_000):
    ...     missed.update(at / 2_000, positive=False)
    >>> [missed.update(score, positive=True) for score in (0.5, 0.99, 0.9904)]
    [1.0, 1.0, 0.0]
    """

    recent: list[float] = []
    place: int = 0
    size: int = WINDOW

    def update(self, score: float, *, positive: bool) -> float | None:
        """Take in one event; the loss of a positive, None of others, and before there are ``size`` of them.

        Raises RecordError, with nothing changed, for a score that is not in [0, 1].
        """
        if not 0.0 <= score <= 1.0:
            raise RecordError("score", f"must be in [0, 1], not {score!r}")
        if positive:
            if len(self.recent) < self.size:
                return None
            return float(sum(other >= score for other in self.recent) >= BUDGET * self.size)
        if len(self.recent) < self.size:
            self.recent.append(score)
        else:
            self.recent[self.place] = score
            self.place = (self.place + 1) % self.size
        return None


def missed(scores: Sequence[float], positive: Sequence[bool]) -> list[float]:
    """The loss of each positive among rows in the order of time, scored by a model that had learned from none of them.

    The first positives are held against the first WINDOW others, those behind them included, or as many as there are;
    nothing can be said with fewer than LEAST_OTHERS.

    >>> missed([0.2, *[0.5] * 100, 0.9], [True, *[False] * 100, True])
    [1.0, 0.0]
    """
    rows = list(zip(scores, positive, strict=True))
    first = [score for score, is_positive in rows if not is_positive][:WINDOW]
    if len(first) < LEAST_OTHERS:
        return []
    counter = Missed(list(first), size=len(first))
    losses = (counter.update(score, positive=is_positive) for score, is_positive in rows)
    return [loss for loss in losses if loss is not None]
