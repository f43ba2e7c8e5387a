"""Which events each model alerts where positives are rare: those for which the alert budget has room."""

from collections.abc import Collection

from stream.alerts import Alerts, Budget
from stream.config import Stream
from stream.pool import Pool

ONLINE, SERVED = "online", "served"
"""The names of what is no baseline; each of these goes by its version."""


class Calling:
    """The alerts of a stream's models, each among its own latest scores; the budget is the same for all.

    ``blend`` weighs online model and baseline, in this order, where the blend of both is served.
    """

    def __init__(self, stream: Stream) -> None:
        self.budget = Budget(stream.alert_rate, stream.alerts_per_day)
        self.alerts: dict[str, Alerts] = {}
        self.blend = Pool(2)
        self.share = stream.alert_rate

    def begin(self, time: float) -> None:
        """Begin with an event at that time of the task's clock."""
        self.share = self.budget.share(time)

    def call(self, name: str, score: float, start: float) -> bool:
        """Whether a model's score is within the budget; it counts from now on. ``start``: the threshold at first."""
        return self._of(name, start).call(score, self.share)

    def tail(self, name: str, score: float, start: float) -> float:
        """The share of the model's latest scores that are as high."""
        return self._of(name, start).ranks.tail(score)

    def adopt(self, stream: Stream) -> None:
        """Go on under the settings of now."""
        self.budget.rate, self.budget.per_day = stream.alert_rate, stream.alerts_per_day

    def keep(self, versions: Collection[str]) -> None:
        """Forget the scores of baselines that are no longer here."""
        self.alerts = {name: of for name, of in self.alerts.items() if name in (ONLINE, SERVED, *versions)}

    def _of(self, name: str, start: float) -> Alerts:
        found = self.alerts.get(name)
        if found is None:
            found = self.alerts[name] = Alerts(start)
        return found
