"""What stands beside the evidence of one champion version: what a retrain might save, where, and at which costs."""

from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct, field

from stream.config import Stream
from stream.drift.costs import Costs, priced
from stream.drift.slices import Slice, Slices, SlicesState
from stream.drift.unlabelled import disagreed
from stream.drift.value import Value
from stream.profile import Profile
from stream.records import Labelled
from stream.reference import Histogram

Ends = tuple[float, float, float]
"""A mean, and both ends of its 95% interval."""


class AccountState(Struct):
    """All that is remembered; JSON."""

    columns: list[str]
    value: Value
    slices: SlicesState
    costs: Costs | None


class Accounted(Struct, frozen=True):
    """What an account says.

    ``served``: how much more errs an event what was served than the online model; ``replaced``: the baseline than what
    was served. ``ceiling``: the gap is at most so much, by disagreement alone; None before any profile. ``slices``: the
    worst ones. ``costs``: per 1,000 events by model, and as ``excess`` how much more the baseline costs than the
    online model; empty without a cost matrix.
    """

    served: Ends | None = None
    replaced: Ends | None = None
    ceiling: float | None = None
    slices: list[Slice] = field(default_factory=list)
    costs: dict[str, float] = {}
    excess: Ends | None = None


class Account:
    """Takes the labelled records and profiles of a version; ``histograms``: of its inputs, as its card has them.

    Raises SettingError, which names ``key``, for a cost matrix that is none of the stream's classes.
    """

    def __init__(self, key: str, stream: Stream, histograms: Mapping[str, Histogram] | None = None) -> None:
        self._value = Value()
        self._slices = Slices(stream.features, histograms)
        matrix = stream.monitor.costs
        self._costs = priced(matrix, stream.classes, key) if matrix else None

    def labelled(self, record: Labelled, baseline: float, online: float) -> None:
        """Take in a record that both models have scored, and their losses."""
        served = float(record.served_label != record.label)
        self._value.update(baseline, online, served)
        if record.features is not None:
            with suppress(KeyError):  # a record of before a column was added
                self._slices.update(record.features, baseline, online)
        if self._costs is not None and record.baseline_label is not None and record.online_label is not None:
            calls = {"baseline": record.baseline_label, "online": record.online_label, "served": record.served_label}
            self._costs.update(record.label, **calls)

    def profile(self, profile: Profile) -> None:
        """Take in what both models said of events, labelled or not."""
        if profile.answers is not None:
            self._value.scored(*disagreed(profile.answers.pairs))

    def alarmed(self) -> None:
        """Count slices anew: what is wrong is wrong now."""
        self._slices.begin()

    @property
    def said(self) -> Accounted:
        """All of it."""
        value, costs = self._value, self._costs
        ends = [
            (interval.mean, *interval.bounds()) if interval.events else None
            for interval in (value.served, value.replaced)
        ]
        return Accounted(
            ends[0],
            ends[1],
            value.ceiling if value.disagreement.events else None,
            self._slices.worst(),
            {} if costs is None else costs.per_1000(),
            None if costs is None else costs.excess_per_1000(),
        )

    def snapshot(self) -> AccountState:
        """All that it remembers."""
        return AccountState(self._slices.columns, self._value, self._slices.snapshot(), self._costs)

    def restore(self, state: AccountState) -> None:
        """Take up a snapshot; slices of other columns, and costs by another matrix, begin anew."""
        self._value = state.value
        if state.columns == self._slices.columns:
            self._slices.restore(state.slices)
        if self._costs is not None and state.costs is not None and state.costs.matrix == self._costs.matrix:
            self._costs = state.costs
