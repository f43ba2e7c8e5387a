"""All that is known of one champion version: its evidence, its means, what it costs beside the online model."""

from collections.abc import Sequence

from msgspec import Struct

from stream.drift.bounded import Bounded
from stream.drift.evidence import Crossing
from stream.drift.interval import Interval
from stream.drift.outcomes import Outcomes
from stream.drift.rot import BASELINE, ONLINE, PAIRED, REVERSE, Limits, Reference, Rot, begin
from stream.drift.verdict import LATCH, RELEASE, WAITED, Seen, Shift, verdict
from stream.wording import plural

HALF_LIFE = 500
"""Labelled events after which a loss weighs half in the means."""

KEEP = 0.5 ** (1.0 / HALF_LIFE)

RECENT = 2_000
"""Labelled events of which it is known what each model got wrong, so that figures can be told of a change and later."""

FEW = 100
"""Labelled events that tell nothing yet, where no alarm counts."""

OPPOSITE = {PAIRED: REVERSE, REVERSE: PAIRED}
"""Whose alarm is over when the other one begins."""

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
    ``began``: the event with which by each detector's newest alarm the change began. ``recent``: of the newest events
    what each model got wrong, 2 for the baseline, 1 for the online model, 3 for both; RECENT of them at least.
    ``counted``: the event since which the baseline's own alarm has counted. ``ended``: the event
    with which an alarm of another has ended what each was about. ``briers``: both models' Brier scores.
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
    began: dict[str, int] = {}
    recent: list[int] = []
    counted: int | None = None
    ended: dict[str, int] = {}
    briers: tuple[Mean, Mean] | None = None

    def update(
        self, time: float, baseline: float, online: float, briers: Sequence[float | None] = ()
    ) -> list[Crossing]:
        """Take in one labelled event of that time: both models' losses, 0 or 1; gives the alarms that it raises.

        ``briers``: both models' Brier scores, where the evidence is of them too.

        One an episode: while an alarm counts, the detector prolongs it and says nothing.
        """
        crossings = self.rot.update(baseline, online, *briers)
        if briers:
            self.briers = self.briers or (Mean(), Mean())
            for mean, score in zip(self.briers, briers, strict=True):
                mean.update(score or 0.0)
        self.recent.append(2 * int(baseline) + int(online))
        if len(self.recent) == 2 * RECENT:
            del self.recent[:RECENT]
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
        for crossing in new:
            self._end(crossing)
        self._hold()
        if self.after is not None and (self.held[PAIRED] or self.held[BASELINE]):
            # It cost something: what it costs when that is over is another question.
            self.after = After(self.after.since, Interval(LOSS), Interval(GAP))
        return new

    def _end(self, crossing: Crossing) -> None:
        """Note when what a new alarm says began, and that older ones of what is over count no more."""
        name, now = crossing.detector, self.rot.events
        # A detector whose reference came later has counted fewer events.
        self.began[name] = now if crossing.change is None else now - (crossing.event - crossing.change)
        if name in OPPOSITE:
            self.ended[OPPOSITE[name]] = now
        if name == REVERSE and BASELINE in self.references:
            newest = self.recent[self.began[name] - now - 1 :]
            tolerated = self.references[BASELINE] + self.limits.absolute_tolerance
            if sum(code > 1 for code in newest) <= len(newest) * tolerated:
                self.ended[BASELINE] = now

    def _hold(self) -> None:
        """See which alarms still count."""
        since = self.rot.since_alarms()
        for name, ago in since.items():
            over = self.rot.events - ago < self.ended.get(name, 0)
            self.held[name] = not over and (ago < LATCH or (self.held[name] and self._beyond(name)))
        if not self.held[BASELINE]:
            self.counted = None
        elif self.counted is None:
            self.counted = self.rot.events

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
            elif name in self.rot.off and named[name] is not None:
                self.rot.off[name] = made.rot.off[name]

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
        waited = self.counted is not None and self.rot.events - self.counted >= WAITED
        waited = waited and self._beyond(BASELINE) and self.gap <= self.limits.tolerance
        return verdict(self.held, self.rot.off, Seen(False, invalid, blind, self.shift, waited, self.limits.rare))

    @property
    def since(self) -> int | None:
        """Events since the estimated change that is behind the newest alarm that counts; None: none counts."""
        began = [self.began[name] for name, held in self.held.items() if held]
        return self.rot.events - max(began) + 1 if began else None

    @property
    def one(self) -> str:
        """What is counted."""
        return "labelled positive" if self.limits.rare else "labelled event"

    def loses(self, share: float) -> str:
        """So many of 1,000 that a model is wrong on, as a sentence goes on."""
        return f"misses {share:.0f} of 1,000" if self.limits.rare else f"gets {share:.0f} of 1,000 wrong"

    @property
    def few(self) -> bool:
        """Whether too few events are judged to say that all is well."""
        return self.baseline.events < FEW and not any(self.held.values())

    @property
    def reason(self) -> str:
        """The figures behind the verdict, in one sentence."""
        events = self.baseline.events
        if not events:
            return f"no {self.one} is judged yet"
        one = self.one
        of = f"of the last {one}s" if events >= HALF_LIFE else f"of the {plural(events, one)} so far"
        baseline, online = self.baseline.mean, self.online.mean
        ago = self.since
        if ago is not None:
            since = f"since about {plural(ago, one)}"
            if ago <= len(self.recent):
                of, newest = since, self.recent[-ago:]
                baseline, online = sum(code > 1 for code in newest) / ago, sum(code % 2 for code in newest) / ago
            else:
                of = f"{since}, and of the last of them"
        said = (
            f"{of} the baseline {self.loses(1000 * baseline)} and the online model {1000 * online:.0f}; "
            f"{1000 * self.limits.tolerance:g} more than the other are tolerated"
        )
        if self.briers is not None and any(self.held.values()):
            said += f"; their Brier scores are of late {self.briers[0].mean:.3f} and {self.briers[1].mean:.3f}"
        got = "missed" if self.limits.rare else "got"
        for name, whose in ((BASELINE, "the baseline"), (ONLINE, "the online model")):
            if name in self.references and self.held[name]:
                said += (
                    f"; where nothing had changed {whose} {got} {1000 * self.references[name]:.0f} at most, and "
                    f"{1000 * self.limits.absolute_tolerance:g} more than that are tolerated"
                )
        return said


def judge(limits: Limits, baseline: float | None, online: float | None) -> Judgement:
    """Begin anew, with what is known of both models' risks; raises SettingError as ``rot.begin`` does."""
    rot = begin(limits, Reference(baseline), Reference(online))
    known = {BASELINE: baseline, ONLINE: online}
    references = {name: risk for name, risk in known.items() if risk is not None and name not in rot.off}
    held = dict.fromkeys((PAIRED, REVERSE, BASELINE, ONLINE), False)
    return Judgement(limits, rot, references, Mean(), Mean(), Mean(), held, Interval(GAP))
