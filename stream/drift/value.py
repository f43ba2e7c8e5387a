"""What a retrain might save, in errors an event, what the last one was expected to save, and what it did save.

The gap of the baseline to the online model, which is what a retrain saves if the new baseline is as good as the online
model, is in stream/drift/judgement.py; here is what stands beside it.
"""

from typing import Literal

from msgspec import Struct, field

from stream.drift.bounded import Bounded
from stream.drift.interval import Interval
from stream.errors import RecordError

EACH = 0.975
"""The level of two intervals that are to hold together at 95% (Bonferroni)."""

HALF = 0.5
"""A retrain that leaves more than this share of the gap has not closed it."""

LET_ONLINE_SERVE = "retraining has been shown not to close the gap: let the online model serve"

Closed = Literal["yes", "no", "open"]


def _gap(name: str) -> Interval:
    return Interval(Bounded(name, -1.0, 1.0))


class Value(Struct):
    """Of one version, since its first labelled event.

    ``served``: how much more errs what was served than the online model. ``replaced``: how much more errs the baseline
    than what was served. ``disagreement``: the share of events on which baseline and online model disagree, whether
    they are labelled or not.

    >>> value = Value()
    >>> for _ in range(1_000):
    ...     value.update(baseline=1.0, online=0.0, served=0.0)
    ...     value.scored(disagreed=1, events=20)
    >>> [round(end, 2) for end in (value.replaced.mean, *value.replaced.bounds(), value.ceiling)]
    [1.0, 0.98, 1.0, 0.06]
    """

    served: Interval = field(default_factory=lambda: _gap("served less online loss"))
    replaced: Interval = field(default_factory=lambda: _gap("baseline less served loss"))
    disagreement: Interval = field(default_factory=lambda: Interval(Bounded("disagreement", 0.0, 1.0)))

    def update(self, baseline: float, online: float, served: float) -> None:
        """Take in one labelled event: three losses in [0, 1]. Raises RecordError, with nothing changed, for others."""
        self.replaced.of.check(baseline - served)
        self.served.update(served - online)
        self.replaced.update(baseline - served)

    def scored(self, disagreed: int, events: int) -> None:
        """Take in how many of so many scored events the models disagreed on; their order need not be known.

        Raises RecordError, with nothing changed, for more disagreements than events.
        """
        if not 0 <= disagreed <= events:
            raise RecordError("disagreed", f"must be from 0 to the {events} events, not {disagreed}")
        interval = self.disagreement
        # Any guess serves that does not know these events: here, for all of them, the mean of what was before.
        guess = interval.mean
        interval.variation += disagreed * (1 - guess) ** 2 + (events - disagreed) * guess**2
        interval.events += events
        interval.total += disagreed

    @property
    def ceiling(self) -> float:
        """What the gap's average surely (97.5%, at all times) does not exceed, without any label.

        By errors, models that agree have no gap, so the gap is at most the share of disagreements. It says nothing of a
        loss other than errors, nor of errors that both models make.
        """
        return self.disagreement.bounds()[1]


class Realised(Struct, frozen=True):
    """What a retrain was expected to save, and saved: losses an event, means with 95% intervals.

    ``closed``: whether it has closed the gap; ``sentence`` says all of it in errors per 1,000.
    """

    expected: float
    brought: tuple[float, float, float]
    left: tuple[float, float, float]
    closed: Closed
    sentence: str


def realised(before: Interval, after: Interval, tolerance: float) -> Realised:
    """Compare the gap to the online model before a retrain and after it.

    ``before``: of the version before, since its alarm (where there was none, since it came into use). It is expected
    that the whole of it goes. ``after``: of the new version since it came into use. The stretches are different ones:
    part of the difference may be the world's. The gap is closed, surely, if what is left is below ``tolerance`` or half
    of what was; it is not, surely, if what is left is above both. All ends together hold at 95%.

    >>> gap = [Interval(Bounded("gap", -1.0, 1.0)) for _ in range(2)]
    >>> for at in range(8_000):
    ...     gap[0].update(float(at % 20 == 0))
    ...     gap[1].update(float(at % 100 == 0))
    >>> realised(*gap, 0.01).sentence
    'a retrain was expected to save 50 errors per 1,000 and saved 40 (from 25 to 55): it has closed the gap'
    """
    was, is_ = before.bounds(EACH), after.bounds(EACH)
    brought = (before.mean - after.mean, was[0] - is_[1], was[1] - is_[0])
    closed: Closed = "open"
    if is_[1] < max(tolerance, HALF * was[0]):
        closed = "yes"
    elif is_[0] > max(tolerance, HALF * was[1]):
        closed = "no"
    said = {"yes": "it has closed the gap", "no": LET_ONLINE_SERVE, "open": "whether it closes the gap is still open"}
    mean, low, high = (round(1000 * each) for each in brought)
    return Realised(
        before.mean,
        brought,
        (after.mean, *is_),
        closed,
        f"a retrain was expected to save {1000 * before.mean:.0f} errors per 1,000 and saved {mean} "
        f"(from {low} to {high}): {said[closed]}",
    )
