"""What a shadow says of events that were waiting when it came.

A fresh challenger would have to wait for new events to grow old before anything is known of it. So it scores what waits
too: as test-before-learn asks, only events whose label has not come, or that are newer than all that it was trained on.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from stream.digest import digest
from stream.entry import WAITING, Entry
from stream.errors import StateError
from stream.features import FeatureExtractor
from stream.labels import LabelJoin
from stream.models import Frozen
from stream.records import Chosen, Score, Shadow

PART = 4_096
"""Events that are scored in one call: bounds memory."""


class Late(Struct, frozen=True):
    """One shadow's scores of events admitted below the number ``before``, by their numbers; ``name``: its segment's."""

    name: str
    version: str
    before: int
    scores: dict[int, Shadow]


class Lates:
    """All such scores of a task, until no event that they are of is remembered."""

    def __init__(self) -> None:
        self._kept: list[Late] = []

    def score(
        self,
        name: str,
        chosen: Chosen,
        shadow: Frozen,
        entries: Iterable[Entry],
        extractor: FeatureExtractor,
        say: Callable[[Score], Shadow],
    ) -> None:
        """Have the shadow score those of the entries that it may be tested on and has not scored.

        ``say``: what it says with a score.
        """
        newer = float("inf") if chosen.trained_until is None else chosen.trained_until
        fair = [
            (entry.number, entry.row)
            for entry in entries
            if entry.row is not None
            and (entry.state == WAITING or entry.prediction.time > newer)
            and chosen.version not in (entry.prediction.baseline_version, *self.shadows(entry))
        ]
        scores: dict[int, Shadow] = {}
        for begin in range(0, len(fair), PART):
            numbers, rows = zip(*fair[begin : begin + PART], strict=True)
            for number, score in zip(numbers, shadow.attempt(extractor.frame(rows)), strict=True):
                if score is not None:
                    scores[number] = say(score)
        if scores:
            self._kept.append(Late(name, chosen.version, max(scores) + 1, scores))

    def shadows(self, entry: Entry) -> dict[str, Shadow]:
        """What the baselines not in use have said of an event, when it came or while it waited."""
        said = entry.prediction.shadows
        for late in self._kept:
            if entry.number < late.before and entry.number in late.scores:
                said = {**said, late.version: late.scores[entry.number]}
        return said

    def keep(self, versions: Collection[str]) -> None:
        """Drop what other baselines than these have said: nobody asks for it any more."""
        self._kept = [late for late in self._kept if late.version in versions]

    def forget(self, join: LabelJoin) -> None:
        """Drop what is of no event that is remembered."""
        if self._kept:
            first = join.first()
            self._kept = [late for late in self._kept if late.before > first]

    def names(self) -> list[str]:
        """Those of the segments, which a snapshot's body holds."""
        return [late.name for late in self._kept]

    def segments(self) -> dict[str, Callable[[], bytes]]:
        """A snapshot's segments: written once each."""
        return {late.name: partial(msgspec.msgpack.encode, late) for late in self._kept}

    def restore(self, names: Sequence[str], segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's; raises StateError where a segment is not there."""
        missing = [name for name in names if name not in segments]
        if missing:
            raise StateError(f"the snapshot names segments that are not there: {', '.join(missing)}")
        self._kept = [msgspec.msgpack.decode(segments[name], type=Late) for name in names]

    def digest(self) -> str:
        """The digest of all of it."""
        return digest([msgspec.msgpack.encode(late) for late in self._kept])
