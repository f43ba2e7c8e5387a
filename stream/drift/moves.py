"""What a baseline's inputs, its score and the labels do against what they were in training, and since when."""

from msgspec import Struct

from stream.drift.comparison import State
from stream.drift.findings import Finding
from stream.drift.inputs import Inputs, LabelShares
from stream.drift.unread import Unread
from stream.profile import Profile
from stream.reference import Expected

AT_ONCE = 100
"""Labels that are compared at once."""

BEFORE = 4
"""Profiles before the one by which a field is seen to be broken, within which it has broken."""


class MovesState(Struct):
    """All that is remembered; JSON."""

    version: str | None
    expected: Expected
    inputs: State | None
    labels: State | None
    unread: Unread
    pending: dict[str, int]
    untils: list[float]
    known: list[str]
    moved: float | None
    broke: float | None


class Moves:
    """Watches the baseline ``version``; times are of events. Without a reference, what cannot be read is all it sees.

    ``moved``: when what has moved last was found, None: nothing has.
    ``broke``: the time before which the field broke that is broken now.
    """

    def __init__(self, version: str | None = None, expected: Expected | None = None) -> None:
        self.version = version
        self.expected = expected or Expected()
        reference = self.expected.inputs
        self._inputs = None if version is None or reference is None else Inputs(version, reference)
        self._labels = LabelShares(self.expected.classes) if len(self.expected.classes) > 1 else None
        self._unread = Unread()
        self._pending: dict[str, int] = {}
        self._untils: list[float] = []
        self._known: list[str] = []
        self.moved: float | None = None
        self.broke: float | None = None

    def profile(self, profile: Profile) -> tuple[float, float] | None:
        """Take in what the baseline was given; when a field is whole again, from when to when it was not."""
        if (profile.version or None) != self.version:
            return None
        if self._inputs is not None:
            self._inputs.update(profile)
        self._unread.update(profile)
        self._untils = [*self._untils, profile.until][-BEFORE - 1 :]
        self._date(profile.until)
        if self._inputs is not None and self._inputs.broken:
            if self.broke is None:
                self.broke = self._untils[0]
        elif self.broke is not None:
            span, self.broke = (self.broke, profile.until), None
            return span
        return None

    def label(self, label: str, time: float) -> None:
        """Take in the label of an event of that time."""
        if self._labels is None:
            return
        self._pending[label] = self._pending.get(label, 0) + 1
        if sum(self._pending.values()) >= AT_ONCE:
            self._labels.update(self._pending)
            self._pending = {}
            self._date(time)

    def _date(self, now: float) -> None:
        found = [f"{each.kind}:{each.feature}" for each in self.findings if not each.schema]
        if not found:
            self.moved = None
        elif any(each not in self._known for each in found):
            self.moved = now  # of what moves now nothing is known yet, whatever was known of what moved before
        self._known = found

    @property
    def lost(self) -> bool:
        """Whether there are events that cannot be read; of those that can all that is known holds."""
        return self._unread.found is not None

    @property
    def open(self) -> tuple[float, float] | None:
        """From when to when the field that is broken now has been so, as far as is known."""
        return None if self.broke is None else (self.broke, self._untils[-1])

    @property
    def findings(self) -> list[Finding]:
        """All that is found and not over: what is broken first, then what moved most; the labels last."""
        inputs = [] if self._inputs is None else self._inputs.findings
        unread = [] if self._unread.found is None else [self._unread.found]
        return [*unread, *inputs, *([] if self._labels is None else self._labels.findings)]

    @property
    def strengths(self) -> list[tuple[str, str, float]]:
        """Of each column, the score and the labels: kind, name and distance from training; from 1 on it matters."""
        inputs = [] if self._inputs is None else self._inputs.strengths
        return inputs if self._labels is None else [*inputs, *self._labels.strengths]

    def snapshot(self) -> MovesState:
        """All that it remembers."""
        return MovesState(
            self.version,
            self.expected,
            None if self._inputs is None else self._inputs.snapshot(),
            None if self._labels is None else self._labels.snapshot(),
            self._unread,
            dict(self._pending),
            list(self._untils),
            list(self._known),
            self.moved,
            self.broke,
        )

    def restore(self, state: MovesState) -> None:
        """Take up a snapshot of one of the same version and reference."""
        if self._inputs is not None and state.inputs is not None:
            self._inputs.restore(state.inputs)
        if self._labels is not None and state.labels is not None:
            self._labels.restore(state.labels)
        self._unread = state.unread
        self._pending, self._untils, self._known = dict(state.pending), list(state.untils), list(state.known)
        self.moved, self.broke = state.moved, state.broke
