"""Whether the monitor sees: that labels come, that they were not chosen, and that enough of them do."""

import math

from msgspec import Struct, field

from stream.drift.detectable import doubling
from stream.drift.judgement import Judgement
from stream.drift.label_health import LabelHealth, Shares
from stream.drift.outcomes import Outcomes
from stream.drift.rot import BASELINE, ONLINE
from stream.duration import spoken
from stream.profile import Profile
from stream.records import Labelled

ENOUGH = 500
"""Labelled events of a version by which its errors are known well enough to tell how soon a rise would be found."""

SOME = 50
"""Labelled events of a version by which their rate is known well enough, where its errors are known from before.

The other times at which it is asked are multiples of it.
"""

MANY = 2_000
"""Labelled events, as many as a doubling of few errors takes."""

ASKED_EVERY = 5_000
"""Labelled events between two times that this is told."""

SEES_AGAIN = 0.8
"""Of the longest that it may take, what is short again: a rate about it does not turn the verdict again and again."""


class Labels(Struct, frozen=True):
    """How labels come. None: not known yet.

    ``share`` of events, and ``shares`` of those that were called so: by the baseline, by the online model, and by
    whether they agree; of events whose labels were waited for. ``delays``: from event to label, by quantile, seconds.
    ``age``: seconds since the last label, in the stream's time. ``rise``: labelled events in which it would be found
    that the baseline's errors have doubled; ``takes``: seconds for that. ``chosen``: how labels were chosen by what the
    models said; empty where they were not.
    """

    share: float | None
    shares: Shares
    delays: dict[float, float]
    age: float | None
    rise: float | None
    takes: float | None
    chosen: str


QUANTILES = (0.5, 0.95, 0.99)


class Sight(Struct):
    """Takes the labelled records and profiles of a stream; times are of events, in seconds since the epoch.

    ``within``: the longest that it may take to find that errors have doubled. ``stated``: the field in which labels say
    with which probability they come; empty where they do not. ``rise``: labelled events in which a rise
    would be found, None: not known, or never. ``share``: of them those that count.
    """

    within: float
    stated: str = ""
    health: LabelHealth = field(default_factory=LabelHealth)
    now: float = 0.0
    rise: float | None = None
    share: float = 1.0

    def labelled(self, record: Labelled) -> None:
        """Take in a labelled record."""
        self.health.labelled(
            record.partition,
            record.position,
            record.time,
            record.label_time,
            baseline=record.baseline_label,
            online=record.online_label,
            implied=record.implied,
        )

    def profile(self, profile: Profile) -> None:
        """Take in what was scored."""
        self.now = max(self.now, profile.until)
        self.health.passed(profile.events, profile.labels, profile.until)
        if profile.answers is not None:
            self.health.scored(profile.partition, profile.first, profile.last, profile.answers.pairs)

    def ask(self, judgement: Judgement, share: float) -> None:
        """Tell anew, now and then, how soon a rise of the baseline's errors would be found.

        ``share``: of the labelled events those that the judgement counts.
        """
        self.share = share
        events, references = judgement.baseline.events, judgement.references
        if not events or events % SOME:
            return
        if events == ENOUGH or events % ASKED_EVERY == 0:
            now = judgement.outcomes
        elif events < ENOUGH and self.rise is None and BASELINE in references:
            # Of so few nothing is known; what the models are known to err, where nothing has changed, may be.
            baseline, online = references[BASELINE], references.get(ONLINE, references[BASELINE])
            now = Outcomes(baseline * (1 - online), online * (1 - baseline), baseline * online)
        else:
            return
        self.rise = None  # no model errs twice as often as one time in two
        if 2 * now.baseline <= 1:
            found = doubling(now, judgement.limits, references.get(BASELINE)).first
            self.rise = found / share if math.isfinite(found) else None  # JSON has no infinity

    def begin(self) -> None:
        """Another version is in use: of its errors nothing is known."""
        self.rise = None

    @property
    def takes(self) -> float | None:
        """Seconds in which a doubling of the baseline's errors would be found; None: not known."""
        return None if self.rise is None or not self.health.span else self.health.until(self.rise)

    @property
    def said(self) -> Labels:
        """All of it."""
        health = self.health
        found = {share: health.delays.quantile(share) for share in QUANTILES}
        delays = {share: delay for share, delay in found.items() if delay is not None}
        return Labels(health.share, health.shares, delays, health.age(self.now), self.rise, self.takes, self.invalid)

    @property
    def invalid(self) -> str:
        """Why nothing follows from the labels; empty where something does."""
        chosen = self.health.selected
        if chosen is None:
            return ""
        if self.stated:
            return (
                f"{chosen.sentence}, of the labels that were drawn by {self.stated!r}: these are not the probabilities "
                "with which events get labels, and nothing is judged by them"
            )
        return (
            f"{chosen.sentence}: nothing is judged by such labels: label a random share, too (labels.request_share), "
            "or state with each label the probability with which its event gets one (fields.inspection_probability)"
        )

    def blind(self, *, already: bool) -> str:
        """Why nothing would be seen; empty where it would. Who was blind ``already`` is so until labels are plenty."""
        if self.health.silent(self.now):
            usual, age = self.health.delays.quantile(0.95) or 0.0, self.health.age(self.now) or 0.0
            return f"no label for {spoken(age)}; 95% of them come within {spoken(usual)}"
        if self.rise is not None and self.health.span:
            # What takes more labels than that is no lack of labels.
            takes = self.health.until(min(self.rise, MANY / self.share))
            enough = self.within * (SEES_AGAIN if already else 1.0)
            if takes > enough:
                more = f", and {spoken(enough)} would be enough" if takes <= self.within else ""
                return (
                    f"with so few labels it takes {spoken(takes)} and more to find that the baseline's errors have "
                    f"doubled; must_know_within is {spoken(self.within)}{more}"
                )
        return ""
