"""What can be guessed of the baseline without labels: two estimates, neither with a guarantee, each with a blind spot.

They are held against the truth as soon as labels come, so that it is known how far they are to be believed.
"""

import numpy as np
from msgspec import Struct, field

from stream.drift.bounded import Null
from stream.drift.evidence import CAP, Crossing, Detector, Evidence
from stream.drift.selection import Pairs
from stream.errors import RecordError
from stream.risk import risk

REFERENCE = 1_000
"""The first events of a version, in which the models are taken to disagree as much as is normal."""

RISE = 0.02
"""How much more they may disagree."""

HALF_LIFE = 500
"""Events, or labelled events, after which one weighs half in a mean."""

ROUNDING = 1e-6
"""What a sum of doubts may be off by."""

BLOCK = 500
"""Labelled events over which an estimate is held against the truth."""


def disagreed(pairs: Pairs) -> tuple[int, int]:
    """On how many events the models disagree, and of how many.

    >>> disagreed({"ham": {"ham": 90, "spam": 4}, "spam": {"spam": 6}})
    (4, 100)
    """
    counts = [(ours != online, count) for ours, others in pairs.items() for online, count in others.items()]
    return sum(count for differ, count in counts if differ), sum(count for _, count in counts)


class DisagreementEstimate(Struct):
    """An estimate of rot: whether the models disagree more than in the first REFERENCE events of the version.

    An alarm means that one of the models changed, not which: it also comes of an online model that learns or breaks. It
    is blind where both are wrong together, and where the online model, for lack of labels, is as frozen as the
    baseline; and it believes that the first events were normal and the online model had learned by then. While the
    expected share of disagreements is not above ``bound`` there is at most one alarm in ``every`` events, on average.
    An alarm's events are numbered from the end of the first ones.
    """

    every: float
    events: int = 0
    disagreements: int = 0
    detector: Detector | None = None

    def update(self, disagreements: int, events: int) -> Crossing | None:
        """Take in how many of so many scored events the models disagreed on; the alarm that it raises.

        The order inside is not known: disagreements are taken to be first, which gives the least evidence at the end,
        and there alone it is compared with the threshold. Raises RecordError, with nothing changed, for more
        disagreements than events.
        """
        if not 0 <= disagreements <= events:
            raise RecordError("disagreements", f"must be from 0 to the {events} events, not {disagreements}")
        self.events += events
        self.disagreements += disagreements
        if self.detector is not None:
            return self._watch(self.detector, disagreements, events)
        if self.events >= REFERENCE:
            known = risk(np.repeat([1.0, 0.0], [self.disagreements, self.events - self.disagreements]))
            # With a bound of 1 nothing would ever be found: it is then the nearest to it that can be.
            null = Null("disagreement", 0.0, 1.0, min(known.high + RISE, 0.999))
            self.detector = Detector("disagreement", self.every, [Evidence(null)])
        return None

    def _watch(self, detector: Detector, disagreements: int, events: int) -> Crossing | None:
        [evidence] = detector.parts
        level = detector.evidence
        for at in range(events):
            detector.events += 1
            level = evidence.update(float(at < disagreements), detector.events)
        if level < self.every:
            return None
        crossing = Crossing(
            detector.name, min(level, CAP * self.every), detector.odds, detector.change, detector.events
        )
        detector.alarms += 1
        detector.last_alarm = detector.events
        evidence.reset()
        return crossing

    @property
    def bound(self) -> float | None:
        """The share of disagreements that is still normal; None while that is being learned."""
        return None if self.detector is None else self.detector.parts[0].null.bound


class Mean(Struct):
    """A decayed mean, of values that come singly or as a sum of several."""

    total: float = 0.0
    weight: float = 0.0

    def update(self, total: float, events: int = 1) -> None:
        """Take in a sum of so many values."""
        keep = 0.5 ** (events / HALF_LIFE)
        self.total = self.total * keep + total
        self.weight = self.weight * keep + events

    @property
    def mean(self) -> float | None:
        """None before any value."""
        return self.total / self.weight if self.weight else None


class OnlineAsJudgeEstimate(Struct):
    """An estimate of the baseline's share of errors: how likely, says the online model, it is wrong.

    ``doubt`` is 1 - p_online[the class that the baseline called]. Blind where both models are wrong together, too high
    where the online model is less sure than it might be, and as old as its last label. What labels show it to be off by
    is taken off; ``off_by`` and ``corrected_off_by`` are the mean distance from the truth in blocks of BLOCK labelled
    events, of the estimate alone and of that which was corrected by what was known before the block.
    """

    doubt: Mean = field(default_factory=Mean)
    residual: Mean = field(default_factory=Mean)
    block_doubt: float = 0.0
    block_errors: float = 0.0
    block_events: int = 0
    known: float | None = None
    blocks: int = 0
    off: float = 0.0
    corrected_blocks: int = 0
    corrected_off: float = 0.0

    def scored(self, doubt: float, events: int) -> None:
        """Take in the sum of doubts of so many scored events; raises RecordError unless it is in 0 to their number."""
        if not -ROUNDING <= doubt <= events + ROUNDING:
            raise RecordError("doubt", f"must be from 0 to the {events} events, not {doubt!r}")
        self.doubt.update(doubt, events)

    def labelled(self, doubt: float, error: float) -> None:
        """Take in a labelled event: the doubt, and whether the baseline was wrong (0 or 1).

        Raises RecordError, with nothing changed, for what is not from 0 to 1.
        """
        if not (0.0 <= doubt <= 1.0 and 0.0 <= error <= 1.0):
            raise RecordError("doubt", f"must be from 0 to 1, as the error, not {doubt!r} and {error!r}")
        self.residual.update(doubt - error)
        self.block_doubt += doubt
        self.block_errors += error
        self.block_events += 1
        if self.block_events < BLOCK:
            return
        apart = (self.block_doubt - self.block_errors) / BLOCK
        self.blocks += 1
        self.off += abs(apart)
        if self.known is not None:
            self.corrected_blocks += 1
            self.corrected_off += abs(apart - self.known)
        self.known = self.residual.mean
        self.block_doubt, self.block_errors, self.block_events = 0.0, 0.0, 0

    @property
    def estimate(self) -> float | None:
        """The baseline's share of errors of late, as the online model alone has it; None before any event."""
        return self.doubt.mean

    @property
    def corrected(self) -> float | None:
        """The same, less what it was off by where labels came of late."""
        estimate, off = self.doubt.mean, self.residual.mean
        return None if estimate is None else min(1.0, max(0.0, estimate - (off or 0.0)))

    @property
    def off_by(self) -> float | None:
        """How far the estimate was from the truth, on average; None before the first block of labels."""
        return self.off / self.blocks if self.blocks else None

    @property
    def corrected_off_by(self) -> float | None:
        """The same of the corrected one; None before the second block."""
        return self.corrected_off / self.corrected_blocks if self.corrected_blocks else None
