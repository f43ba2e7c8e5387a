"""Events that could not be read, as where a field's type has changed: broken, though no value of it comes this far."""

import numpy as np
from msgspec import Struct

from stream.drift.findings import ALPHA, CLOSES, LEAST_BROKEN, Finding, percent
from stream.drift.measures import more_than
from stream.profile import Profile

NEWEST = 300
"""Events, read or not, by which it is told."""

LEARNED_FROM = 500
"""The first events: the share of them that cannot be read is the usual one, as where a topic has other records, too."""


class Part(Struct):
    """So many events that were read, and how many were not, by the field that they failed at."""

    read: int
    unread: dict[str, int]

    @property
    def events(self) -> int:
        """All of them."""
        return self.read + sum(self.unread.values())


class Unread(Struct):
    """Takes what was scored and what could not be.

    ``seen``: events so far. ``usual``: how many of the first ones could not be read, and how many these were.
    ``found``: what is and is not over.
    """

    parts: list[Part] = []
    seen: int = 0
    usual: tuple[int, int] = (0, 0)
    found: Finding | None = None

    def update(self, profile: Profile) -> None:
        """Add a profile."""
        self.parts.append(Part(profile.events, dict(profile.unread)))
        newest = self.parts[-1]
        if self.seen < LEARNED_FROM:
            self.usual = self.usual[0] + newest.events - newest.read, self.usual[1] + newest.events
        self.seen += newest.events
        while sum(part.events for part in self.parts[1:]) >= NEWEST:
            del self.parts[0]
        events = sum(part.events for part in self.parts)
        by_field: dict[str, int] = {}
        for part in self.parts:
            for field, count in part.unread.items():
                by_field[field] = by_field.get(field, 0) + count
        lost = sum(by_field.values())
        share, usual = lost / max(1, events), self.usual[0] / max(1, self.usual[1])
        excess = share - usual
        if excess < CLOSES * LEAST_BROKEN or self.seen <= LEARNED_FROM:
            self.found = None
            return
        # What has not been seen is not impossible: the rule of succession.
        expected = (self.usual[0] + 1) / (self.usual[1] + 2)
        p = float(more_than(np.array([lost]), np.array([events]), np.array([expected]))[0])
        if self.found is None and not (excess >= LEAST_BROKEN and p < ALPHA):
            return
        since = self.seen if self.found is None else self.found.since
        field = max(by_field, key=lambda name: (by_field[name], name))
        name = field or "the record"
        line = f"{name}: cannot be read in {percent(share)} of events, dead letters now; {percent(usual)} at first"
        self.found = Finding(name, "record", "unread", True, excess, p, usual, share, since, line)
