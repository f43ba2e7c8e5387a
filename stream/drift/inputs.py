"""Input drift: what the baseline is given and says now, against what it was trained on; and the labels' shares."""

from collections.abc import Mapping

import numpy as np

from stream.drift.comparison import Comparison, State
from stream.drift.findings import Finding
from stream.drift.layout import of_inputs, of_labels, vector
from stream.drift.sentences import Sentences
from stream.errors import StateError
from stream.profile import Profile
from stream.reference import Reference

WINDOW = 500
"""Events of the sliding window."""


class Inputs:
    """Watches the inputs and the score of the baseline ``version``; ``window`` in events.

    Evidence that a field is broken is there within 300 events, and gone within 500 of the repair, where profiles
    come every 100.
    """

    def __init__(self, version: str, reference: Reference, window: int = WINDOW) -> None:
        self.version = version
        layout = of_inputs(reference)
        names = {column: [name for name in counts if name] for column, counts in reference.categories.items()}
        self._sentences = Sentences(layout, names, reference.vocabulary)
        self._comparison = Comparison(layout, self._sentences, window)

    def update(self, profile: Profile) -> list[Finding]:
        """Add a profile; what is newly found. Raises StateError for a profile of another baseline."""
        if profile.version != self.version:
            raise StateError(f"a profile for baseline {profile.version} cannot be held against that of {self.version}")
        counts = vector(self._comparison.layout, profile)
        self._sentences.others = {name: each.named for name, each in profile.categories.items() if each.named}
        words = profile.words
        if words is None:
            return self._comparison.add(profile.events, counts)
        return self._comparison.add(profile.events, counts, words.texts, words.frequent)

    @property
    def findings(self) -> list[Finding]:
        """All that is found and not over: what is broken first, then what moved most."""
        return self._comparison.findings

    @property
    def strengths(self) -> list[tuple[str, str, float]]:
        """See Comparison."""
        return self._comparison.strengths

    @property
    def broken(self) -> bool:
        """Whether there is evidence that a field is broken: rot is then not to be believed."""
        return any(each.schema for each in self.findings)

    def snapshot(self) -> State:
        """All that it remembers, for ``restore`` of one with the same reference."""
        return self._comparison.snapshot()

    def restore(self, state: State) -> None:
        """Take up a snapshot."""
        self._comparison.restore(state)


class LabelShares:
    """Watches the shares of the classes among labels; ``classes``: how many rows of training were of each."""

    def __init__(self, classes: Mapping[str, int], window: int = WINDOW) -> None:
        self._classes = list(classes)
        layout = of_labels(classes)
        self._comparison = Comparison(layout, Sentences(layout, {"": self._classes}, None), window)

    def update(self, counts: Mapping[str, int]) -> list[Finding]:
        """Add counts of labels; what is newly found."""
        each = [counts.get(name, 0) for name in self._classes]
        return self._comparison.add(sum(each), np.array([*each, 0, 0, 0], dtype=np.int64))

    @property
    def findings(self) -> list[Finding]:
        """What is found and not over."""
        return self._comparison.findings

    @property
    def strengths(self) -> list[tuple[str, str, float]]:
        """See Comparison."""
        return self._comparison.strengths

    def snapshot(self) -> State:
        """All that it remembers."""
        return self._comparison.snapshot()

    def restore(self, state: State) -> None:
        """Take up a snapshot."""
        self._comparison.restore(state)
