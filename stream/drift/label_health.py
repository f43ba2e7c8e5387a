"""Whether labels come, how late, and whether they were chosen: what all evidence rests on."""

from msgspec import Struct, field

from stream.drift.quantiles import Quantiles
from stream.drift.selection import REMEMBERED, Chosen, Pairs, Selection

SILENT = 3.0
"""Times the 95% delay without a label, after which labels are missed."""

MISSED = 20.0
"""Labels that should have come in that time, at least."""


class Shares(Struct, frozen=True):
    """The labelled share of the events of each answer."""

    baseline: dict[str, float]
    online: dict[str, float]
    agreement: dict[str, float]


class LabelHealth(Struct):
    """Takes labelled records and profiles of all partitions; times are in seconds.

    A class that is implied by silence until maturity is a label, but nobody has reported it: delays, the age and the
    silence are of reported ones.
    """

    delays: Quantiles = field(default_factory=lambda: Quantiles(REMEMBERED))
    selection: Selection = field(default_factory=Selection)
    labels: int = 0
    between: float = 0.0
    reported: float = 0.0
    heard: float | None = None
    without: int = 0
    until_now: float | None = None
    passing: float = 0.0
    span: float = 0.0

    def scored(self, partition: int, first: int, last: int, pairs: Pairs) -> None:
        """Take in how often which answers came together among a partition's events ``first``..``last`` (positions)."""
        self.selection.scored(partition, first, last, pairs)

    def passed(self, events: int, labels: int, until: float) -> None:
        """Take in that so many events were scored, up to that time, and how many labels were reported meanwhile.

        Whoever scored them says so: labelled records may be read later than profiles.
        """
        if self.until_now is not None:
            self.passing += max(0.0, until - self.until_now)
        self.until_now = until if self.until_now is None else max(self.until_now, until)
        if not labels:
            self.without += events
            return
        if self.heard is None:
            self.passing = 0.0  # how long the first one was waited for says nothing of how often they come
        keep = (1 - 1 / REMEMBERED) ** labels
        self.between = self.between * keep + self.without + events
        self.reported = self.reported * keep + labels
        self.span = self.span * keep + self.passing
        self.passing = 0.0
        self.heard = until if self.heard is None else max(self.heard, until)
        self.without = 0

    def labelled(
        self,
        partition: int,
        position: int,
        time: float,
        label_time: float,
        *,
        baseline: str | None,
        online: str | None,
        implied: bool = False,
    ) -> None:
        """Take in a labelled record: what the models had called, and when the event and its label were."""
        if baseline is not None and online is not None:
            self.selection.labelled(partition, position, baseline, online)
        self.labels += 1
        if not implied:
            self.delays.update(label_time - time)

    def age(self, now: float) -> float | None:
        """Seconds since labels were reported last; None before any."""
        return None if self.heard is None else now - self.heard

    def silent(self, now: float) -> bool:
        """Whether labels have stopped coming.

        None for SILENT times the 95% delay, while at least MISSED should have come of the events that were scored.
        """
        age, usual = self.age(now), self.delays.quantile(0.95)
        if age is None or usual is None or not self.between:
            return False  # nothing was scored, as where no event can be read
        return age > SILENT * usual and self.without * self.reported / self.between >= MISSED

    @property
    def share(self) -> float | None:
        """The share of events that are labelled once their labels had time to come; None before that."""
        return self.selection.share

    @property
    def shares(self) -> Shares:
        """The same by what each model called, and by whether they agreed."""
        selection = self.selection
        return Shares(
            *(
                {answer: cell.labels / cell.events for answer, cell in cells.items() if cell.events}
                for cells in (selection.baseline, selection.online, selection.agreement)
            )
        )

    @property
    def selected(self) -> Chosen | None:
        """Whether labels were chosen by what the models said, and what follows."""
        return self.selection.chosen()

    def until(self, events: float) -> float:
        """Seconds in which so many events are labelled at the present rate, with half of the labels still to come.

        Infinite where no time has gone by.
        """
        if self.span <= 0 or not self.reported:
            return float("inf")
        return events * self.span / self.reported + (self.delays.quantile(0.5) or 0.0)
