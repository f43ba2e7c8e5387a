"""What models' errors cost in money, where it is said what each one costs: for display, nothing is decided by it."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from stream.drift.bounded import Bounded
from stream.drift.interval import Interval
from stream.errors import RecordError
from stream.pricing import Matrix, checked, widest


class Costs(Struct):
    """Of labelled events since a fixed start: totals by model, and the baseline's costs less the online model's.

    >>> costs = priced({"spam": {"ham": 0.5}, "ham": {"spam": 20.0}}, ["ham", "spam"])
    >>> for _ in range(1_000):
    ...     costs.update("spam", baseline="ham", online="spam", served="spam")
    >>> costs.per_1000()
    {'baseline': 500.0, 'online': 0.0, 'served': 0.0}
    >>> [round(end) for end in costs.excess_per_1000()]
    [500, 207, 793]
    """

    matrix: Matrix
    difference: Interval
    baseline: float = 0.0
    online: float = 0.0
    served: float = 0.0

    def update(self, label: str, *, baseline: str, online: str, served: str) -> None:
        """Take in a labelled event: its class and what each model called; raises RecordError where that has no cost."""
        row = self.matrix.get(label)
        if row is None or any(name not in row for name in (baseline, online, served)):
            called = ", ".join(repr(name) for name in (baseline, online, served))
            raise RecordError("label", f"no cost is given of {label!r} called {called}")
        self.difference.update(row[baseline] - row[online])
        self.baseline += row[baseline]
        self.online += row[online]
        self.served += row[served]

    def per_1000(self) -> dict[str, float]:
        """Costs per 1,000 events by model; none before any event."""
        events = self.difference.events
        totals = {"baseline": self.baseline, "online": self.online, "served": self.served}
        return {model: 1000 * total / events for model, total in totals.items()} if events else {}

    def excess_per_1000(self) -> tuple[float, float, float]:
        """What the baseline costs more than the online model per 1,000 events: mean and 95% interval, at all times."""
        low, high = self.difference.bounds()
        return 1000 * self.difference.mean, 1000 * low, 1000 * high


def priced(matrix: Mapping[str, Mapping[str, float]], classes: Sequence[str], key: str = "costs") -> Costs:
    """Begin with a cost matrix; raises SettingError as ``checked`` does.

    The interval is as wide as the costs of one true class differ at most: one error that costs 1,000 times as much as
    the others makes it wide.
    """
    filled = checked(key, matrix, classes)
    most = widest(filled)
    return Costs(filled, Interval(Bounded("cost difference", -most, most)))
