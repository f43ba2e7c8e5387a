"""Events that could not be read, as where a field's type has changed: broken, though no value of it comes this far."""

import numpy as np
from msgspec import Struct

from stream.drift.findings import ALPHA, CLOSES, LEAST_BROKEN, Finding, percent
from stream.drift.measures import more_than
from stream.profile import Profile

NEWEST = 300
"""Events, read or not, by which it is told."""

LEAST = 100
"""Events before anything is said."""


class Part(Struct):
    """So many events that were read, and how many were not, by the field that they failed at."""

    read: int
    unread: dict[str, int]

    @property
    def events(self) -> int:
        """All of them."""
        return self.read + sum(self.unread.values())


class Unread(Struct):
    """Takes what was scored and what could not be; ``seen``: events so far, ``found``: what is found and not over."""

    parts: list[Part] = []
    seen: int = 0
    found: Finding | None = None

    def update(self, profile: Profile) -> None:
        """Add a profile."""
        self.parts.append(Part(profile.events, dict(profile.unread)))
        self.seen += self.parts[-1].events
        while sum(part.events for part in self.parts[1:]) >= NEWEST:
            del self.parts[0]
        events = sum(part.events for part in self.parts)
        by_field: dict[str, int] = {}
        for part in self.parts:
            for field, count in part.unread.items():
                by_field[field] = by_field.get(field, 0) + count
        lost = sum(by_field.values())
        share = lost / max(1, events)
        if share < CLOSES * LEAST_BROKEN:
            self.found = None
            return
        # Training had none; that is not impossible: the rule of succession.
        p = float(more_than(np.array([lost]), np.array([events]), np.array([1 / (events + 2)]))[0])
        if self.found is None and not (events >= LEAST and share >= LEAST_BROKEN and p < ALPHA):
            return
        since = self.seen if self.found is None else self.found.since
        field = max(by_field, key=lambda name: (by_field[name], name))
        name = field or "the record"
        line = f"{name}: cannot be read in {percent(share)} of events, which are dead letters"
        self.found = Finding(name, "record", "unread", True, share, p, 0.0, share, since, line)
