"""All that is known of one champion version: its evidence, its means, what it costs beside the online model."""

from collections.abc import Sequence

from msgspec import Struct

from stream.drift.bounded import Bounded
from stream.drift.evidence import Crossing
from stream.drift.interval import Interval
from stream.drift.outcomes import Outcomes
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE, Limits, Reference, Rot, begin
from stream.drift.verdict import LATCH, RELEASE, Seen, Shift, verdict

HALF_LIFE = 500
"""Labelled events after which a loss weighs half in the means."""

KEEP = 0.5 ** (1.0 / HALF_LIFE)

GAP, LOSS = Bounded("gap", -1.0, 1.0), Bounded("loss", 0.0, 1.0)


class Mean(Struct):
    """A mean of losses: the plain one of the first events, a decayed one after."""

    events: int = 0
    mean: float = 0.0

    def update(self, loss: float) -> None:
        """Take in an event's loss."""
        self.events += 1
        self.mean += (loss - self.mean) * max(1.0 / self.events, 1.0 - KEEP)


class After(Struct):
    """The labelled events of ``since`` and later, a time by events: the baseline's loss, and the gap."""

    since: float
    loss: Interval
    gap: Interval


class Judgement(Struct):
    """Of one version, since its first labelled event.

    ``held``: whether each detector's alarm counts now. ``deployed`` and ``alarmed`` are the average gap between the
    models since the start, and since the first alarm of the paired detector. ``after``: since the inputs have moved.
    ``began``: the event with which by the newest alarm that counts the change began.
    """

    limits: Limits
    rot: Rot
    references: dict[str, float]
    baseline: Mean
    online: Mean
    both: Mean
    held: dict[str, bool]
    deployed: Interval
    alarmed: Interval | None = None
    after: After | None = None
    began: int | None = None

    def update(
        self, time: float, baseline: float, online: float, briers: Sequence[float | None] = ()
    ) -> list[Crossing]:
        """Take in one labelled event of that time: both models' losses, 0 or 1; gives the alarms that it raises.

        ``briers``: both models' Brier scores, where the evidence is of them too.

        One an episode: while an alarm counts, the detector prolongs it and says nothing.
        """
        crossings = self.rot.update(baseline, online, *briers)
        self.baseline.update(baseline)
        self.online.update(online)
        self.both.update(baseline * online)
        self.deployed.update(baseline - online)
        if self.alarmed is not None:
            self.alarmed.update(baseline - online)
        elif any(crossing.detector == PAIRED for crossing in crossings):
            self.alarmed = Interval(GAP)
        if self.after is not None and time >= self.after.since:
            self.after.loss.update(baseline)
            self.after.gap.update(baseline - online)
        new = [crossing for crossing in crossings if not self.held[crossing.detector]]
        for name, ago in self.rot.since_alarms().items():
            self.held[name] = ago < LATCH or (self.held[name] and self._beyond(name))
        for crossing in new:
            # A detector whose reference came later has counted fewer events.
            change = crossing.change
            self.began = None if change is None else self.rot.events - (crossing.event - change)
        if self.after is not None and (self.held[PAIRED] or self.held[BASELINE]):
            # It cost something: what it costs when that is over is another question.
            self.after = After(self.after.since, Interval(LOSS), Interval(GAP))
        return new

    def inputs_moved(self, since: float | None) -> None:
        """Watch what the events from then on cost; None: what had moved is as it was."""
        if since is None:
            self.after = None
        elif self.after is None or self.after.since != since:
            self.after = After(since, Interval(LOSS), Interval(GAP))

    @property
    def shift(self) -> Shift:
        """Whether what has moved costs anything, by the intervals of what it may cost at most."""
        if self.after is None:
            return ""
        if BASELINE in self.references:
            within = self.after.loss.below(self.references[BASELINE] + self.limits.absolute_tolerance)
        else:
            within = self.after.gap.below(self.limits.tolerance)
        return "benign" if within else "open"

    @property
    def outcomes(self) -> Outcomes:
        """What share of the last events each model alone, and both, got wrong."""
        both = self.both.mean
        return Outcomes(max(0.0, self.baseline.mean - both), max(0.0, self.online.mean - both), both)

    def learn(self, baseline: float | None, online: float | None) -> None:
        """Take in what is said of the models' risks; what has a reference already keeps it."""
        named = {BASELINE: baseline, ONLINE: online}
        if all(risk is None or name in self.references for name, risk in named.items()):
            return
        made = judge(self.limits, baseline, online)
        for name in (BASELINE, ONLINE):
            if name in made.rot.detectors and name not in self.rot.detectors:
                self.rot.detectors[name] = made.rot.detectors[name]
                self.rot.off.pop(name)
                self.references[name] = made.references[name]

    def _beyond(self, name: str) -> bool:
        """Whether the decayed mean that a detector is about is not yet where its alarm ends."""
        if name in self.references:
            mean = self.baseline if name == BASELINE else self.online
            return mean.mean > self.references[name] + RELEASE * self.limits.absolute_tolerance
        return (self.gap if name == PAIRED else -self.gap) > RELEASE * self.limits.tolerance

    @property
    def gap(self) -> float:
        """How much more the baseline errs than the online model, of late."""
        return self.baseline.mean - self.online.mean

    def verdict(self, *, invalid: bool = False, blind: bool = False) -> str:
        """See stream/drift/verdict.py."""
        return verdict(self.held, self.rot.off, Seen(False, invalid, blind, self.shift))

    @property
    def reason(self) -> str:
        """The figures behind the verdict, in one sentence."""
        baseline, online, tolerated = (1000 * x for x in (self.baseline.mean, self.online.mean, self.limits.tolerance))
        known = [
            f"; where nothing had changed {'the baseline' if name == BASELINE else 'the online model'} made "
            f"{1000 * self.references[name]:.0f} at most"
            for name in (BASELINE, ONLINE)
            if name in self.references and self.held[name]
        ]
        if not self.baseline.events:
            return "no labelled event of it is judged yet"
        since = ""
        if self.began is not None and any(self.held.values()):
            since = f", since about {self.rot.events - self.began + 1:,} labelled events"
        few = self.baseline.events < HALF_LIFE
        of = f"of the {self.baseline.events:,} labelled events so far" if few else "of the last events"
        return (
            f"{of} the baseline gets {baseline:.0f} of 1,000 wrong and the online model {online:.0f}"
            f"{since}; {tolerated:g} more are tolerated{''.join(known)}"
        )


def judge(limits: Limits, baseline: float | None, online: float | None) -> Judgement:
    """Begin anew, with what is known of both models' risks; raises SettingError as ``rot.begin`` does."""
    rot = begin(limits, Reference(baseline), Reference(online))
    known = {BASELINE: baseline, ONLINE: online}
    references = {name: risk for name, risk in known.items() if risk is not None and name not in rot.off}
    held = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), False)
    return Judgement(limits, rot, references, Mean(), Mean(), Mean(), held, Interval(GAP))
