"""Which detector would have told of a file's drift, how soon, and what it tells where nothing drifts.

The losses of both models are kept as they come, a byte an event, and every contender is given them afterwards: in their
order, and in a random one. In a random order nothing changes with time, so that what a detector of change then says is
false: a null that is made of the user's own data. The models are not asked again: each event keeps the losses that it
had, those of the online model from where it stood in the file.
"""

from array import array
from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from stream.drift.contenders import COSTLY, Contender, contenders
from stream.drift.detectors import REFRACTORY
from stream.drift.rot import Limits
from stream.records import Labelled, References

SHUFFLES = 3
COSTLY_EVENTS = 10_000
"""The costly one is given one shuffle, and no more of it than this."""

Losses = Sequence[tuple[float, float]]


class Compared(Struct, frozen=True):
    """What came of one contender on the labelled events of a file.

    ``alarms``: the rows that begin an episode, which ends with REFRACTORY events without a detection. ``shuffled``:
    detections in 10,000 events in random order; ``null``: whether what it is to find is not there then.
    ``microseconds``: an event. ``off``: why it did not run.
    """

    name: str
    alarms: list[int] = []
    shuffled: float | None = None
    null: bool = True
    microseconds: float = 0.0
    off: str = ""


class Comparing:
    """Hears what the monitor hears, and compares when all has been heard."""

    def __init__(self) -> None:
        self.losses = bytearray()
        self.rows = array("q")
        self.reference: float | None = None

    def hear(self, profiles: Sequence[object], labelled: Sequence[Labelled]) -> None:
        """Take in what has just been published for a monitor."""
        for profile in profiles:
            if isinstance(profile, References):
                self.reference = profile.expected.risk
        for record in labelled:
            if record.sampled and not record.correction and record.baseline_label is not None:
                self.rows.append(record.position)
                ours, others = record.baseline_label != record.label, record.online_label != record.label
                self.losses.append(2 * ours + others)

    @property
    def events(self) -> list[tuple[float, float]]:
        """The losses of the baseline and of the online model."""
        of = {code: (float(code >> 1), float(code & 1)) for code in range(4)}
        return [of[code] for code in self.losses]

    def compare(self, limits: Limits, seed: int, clock: Callable[[], float]) -> list[Compared]:
        """What comes of every contender; ``clock`` gives seconds of CPU time."""
        events = self.events
        chance = np.random.default_rng(seed)
        shuffles = [[events[at] for at in chance.permutation(len(events))] for _ in range(SHUFFLES)]
        return [self._compared(one, events, shuffles, clock) for one in contenders(limits, self.reference, seed)]

    def _compared(
        self, contender: Contender, events: Losses, shuffles: Sequence[Losses], clock: Callable[[], float]
    ) -> Compared:
        if contender.off or not events:
            return Compared(contender.name, off=contender.off or "no event was judged")
        if contender.name == COSTLY:
            shuffles = [shuffles[0][:COSTLY_EVENTS]]
        began = clock()
        found = detections(contender, events)
        took = clock() - began
        return Compared(
            contender.name,
            [self.rows[at] for at in episodes(found)],
            per_10k([len(detections(contender, shuffle)) for shuffle in shuffles], len(shuffles[0])),
            contender.bound is None or _mean(events, gap=contender.gap) <= contender.bound,
            took / len(events) * 1e6,
        )


def detections(contender: Contender, events: Losses) -> list[int]:
    """The places of the events with which a contender detects something."""
    step = contender.begin()
    return [place for place, (baseline, online) in enumerate(events) if step(baseline, online)]


def episodes(found: Sequence[int]) -> list[int]:
    """The detections that begin an episode.

    >>> episodes([10, 900, 1_900, 2_901])
    [10, 2901]
    """
    return [at for before, at in zip([-REFRACTORY - 1, *found], found, strict=False) if at - before > REFRACTORY]


def per_10k(counts: Sequence[int], events: int) -> float:
    """Detections in 10,000 events, of runs of so many."""
    return sum(counts) / (len(counts) * events) * 10_000


def _mean(events: Losses, *, gap: bool) -> float:
    return sum(baseline - online if gap else baseline for baseline, online in events) / len(events)
