"""What the monitor thinks of a stream's models: alarms, inputs and labels of the champion in use, together a verdict.

For each champion version everything begins anew. What it is measured against a scorer says in References; an absolute
detector, and the comparison of inputs, run from then on.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from stream.config import Stream
from stream.drift.account import Account, AccountState
from stream.drift.brier import brier
from stream.drift.evidence import Crossing
from stream.drift.guesses import DISAGREEMENT, Guesses, guesses
from stream.drift.interval import Interval
from stream.drift.judgement import Judgement, judge
from stream.drift.moves import Moves, MovesState
from stream.drift.rot import PAIRED, REVERSE, Limits
from stream.drift.sight import Sight
from stream.drift.value import LET_ONLINE_SERVE, Realised, realised
from stream.drift.verdict import NEXT
from stream.missed import Missed
from stream.profile import Profile
from stream.reasons import broken, guessed, moved, shifted
from stream.records import Labelled, References

MOST_PAST = 10
"""Former baselines whose late records are told from a new one's, and versions whose references are remembered."""

MOST_SUSPECT = 20
"""Times in which a field was broken that are remembered; then the two oldest become one."""

EACH = 100
"""Labelled events between two looks at what changes slowly."""


class JudgingState(Struct):
    """All that is remembered; JSON."""

    judgement: Judgement
    references: list[References]
    version: str | None
    past: list[str | None]
    former: Interval | None
    account: AccountState
    moves: MovesState
    guesses: Guesses
    sight: Sight
    suspect: list[tuple[float, float]]
    invalid: str
    verdict: str
    missed: tuple[Missed, Missed]
    taken: int


class Judging:
    """Judges labelled records in the order of their events, and profiles.

    ``verdict`` is what was thought last. ``suspect``: from when to when fields were broken, by the times of events,
    from which nothing follows. ``invalid``: why nothing follows from the labels of now. ``former``: the gap of the
    version before, where it was worth a retrain. ``missed``: which positives baseline and online model miss, where
    these are rare; ``taken``: labelled records of this version, whether they are judged by or not.
    """

    def __init__(self, name: str, stream: Stream) -> None:
        self.stream = stream
        self.limits = limits(stream)
        self._costs_key = f"streams.{name}.monitor.costs"
        self.references: list[References] = []
        self.version: str | None = None
        self.past: list[str | None] = []
        self.former: Interval | None = None
        self.suspect: list[tuple[float, float]] = []
        self.invalid = ""
        self.verdict = "blind"
        self.moves = Moves()
        self.guesses = guesses(float(self.limits.false_alarm_every))
        self.sight = Sight(float(stream.monitor.must_know_within), stream.fields.inspection_probability)
        self.missed = Missed(), Missed()
        self.taken = 0
        self._begin()

    def takes(self, record: Labelled) -> bool:
        """Whether a record counts; the first one of a version begins everything anew."""
        if record.correction:
            return False
        if not record.sampled:
            # It is a label all the same: of so many, so few count.
            self.taken += record.baseline_version == self.version
            return False
        self.sight.labelled(record)
        if not self._of_this_version(record) or self.invalid:
            return False
        return not any(begin < record.time <= end for begin, end in self.suspect)

    def labelled(self, record: Labelled) -> Iterator[Crossing | None]:
        """Judge a record that ``takes`` takes: the alarms that it raises; None where the verdict changes without."""
        judgement = self.judgement
        online = float(record.online_label != record.label)
        before = dict(judgement.held)
        crossings: list[Crossing] = []
        self.taken += 1
        if record.baseline_label is None:
            judgement.online.update(online)
        else:
            baseline = float(record.baseline_label != record.label)
            if self.moves.version == self.version:
                self.moves.label(record.label, record.time)
                self.guesses.labelled(record, self.stream.classes, baseline)
                judgement.inputs_moved(self.moves.moved)
            losses = self._missed(record) if self.limits.rare else (baseline, online)
            if losses is None:
                return
            crossings = judgement.update(record.time, *losses, self._briers(record))
            self.account.labelled(record, *losses)
            self.sight.ask(judgement, judgement.baseline.events / self.taken)
            if any(crossing.detector == PAIRED for crossing in crossings):
                self.account.alarmed()
        events = max(judgement.baseline.events, judgement.online.events)
        if crossings or before != judgement.held or events % EACH == 0 or events == 1:
            changed = self._think()
            yield from crossings
            if changed and not crossings:
                yield None

    def _missed(self, record: Labelled) -> tuple[float, float] | None:
        """Both models' losses on a positive; None of others, and while too few others are known."""
        positive = record.label == self.stream.classes[-1]
        baseline, online = (
            missed.update(score, positive=positive)  # type: ignore[arg-type] # anomaly scores are numbers
            for missed, score in zip(self.missed, (record.baseline, record.online), strict=True)
        )
        return None if baseline is None or online is None else (baseline, online)

    def _briers(self, record: Labelled) -> tuple[float | None, ...]:
        """Both models' Brier scores, where the evidence is of them too."""
        if self.limits.loss != "errors+brier":
            return ()
        place = self.stream.classes.index(record.label)
        return brier(record.baseline, place), brier(record.online, place)

    def profile(self, profile: Profile) -> Iterator[Crossing | None]:
        """Take in what was scored: the alarm that it raises; None where the verdict changes without."""
        self.sight.profile(profile)
        crossing = None
        version = profile.version or None
        if version == self.moves.version:
            whole = self.moves.profile(profile)
            if whole is not None:
                # What was seen meanwhile says nothing of the baseline; what is labelled later is left out.
                self._suspect(whole)
                self._begin()
            crossing = self.guesses.profile(profile)
        if version == self.version:
            self.account.profile(profile)
        if self.moves.version == self.version:
            self.judgement.inputs_moved(self.moves.moved)
        changed = self._think()
        if crossing is not None:
            yield crossing
        if changed:
            yield None

    def learn(self, said: References) -> None:
        """Take in what the models are measured against; what is known already stays."""
        version = said.baseline_version
        known = self._known(version)
        if known is not None and known.since > said.since:
            said = replace(said, since=known.since)  # of a task that goes on with what others have left
        self.references = [each for each in self.references if each.baseline_version != version][-MOST_PAST + 1 :]
        self.references.append(said)
        watched = self._known(self.moves.version)
        later = watched is None or said.since > watched.since or (known is None and said.since >= watched.since)
        if version != self.moves.version and later:
            if self.moves.open is not None:
                self._suspect(self.moves.open)
            self.guesses = guesses(float(self.limits.false_alarm_every))
            self.moves = Moves(version, said.expected)
        elif version == self.moves.version and self.moves.expected.inputs is None and said.expected.inputs is not None:
            self.moves = Moves(version, said.expected)
        if version == self.version:
            self.judgement.learn(said.expected.risk, said.online_risk)

    def _of_this_version(self, record: Labelled) -> bool:
        """Whether a record is of the baseline in use.

        A former version is in use again, as after a rollback, where a scorer says that it came into use later than the
        version in between. What else comes of a former version was only labelled late.
        """
        version = record.baseline_version
        if version != self.version:
            if version in self.past and not self._later(version):
                return False
            gap = self.judgement.alarmed or self.judgement.deployed
            self.former = gap if gap.events and gap.mean > self.limits.tolerance else None
            self.past = [*[one for one in self.past if one != version], self.version][-MOST_PAST:]
            self.version = version
            self._begin()
            self.sight.begin()
        # The gap compares the models on the same events: one that the baseline did not score is none of them.
        return version is None or record.baseline_label is not None

    def _known(self, version: str | None) -> References | None:
        return next((each for each in self.references if each.baseline_version == version), None)

    def _later(self, version: str | None) -> bool:
        """Whether a version came into use later than the one that is judged."""
        ours, others = self._known(self.version), self._known(version)
        return ours is not None and others is not None and others.since > ours.since

    def _suspect(self, span: tuple[float, float]) -> None:
        self.suspect.append(span)
        if len(self.suspect) > MOST_SUSPECT:
            (begin, _), (_, end), *rest = self.suspect
            self.suspect = [(begin, end), *rest]

    def _begin(self) -> None:
        known = self._known(self.version) or References(None)
        self.judgement = judge(self.limits, known.expected.risk, known.online_risk)
        self.missed, self.taken = (Missed(), self.missed[1]), 0
        inputs = known.expected.inputs
        self.account = Account(self._costs_key, self.stream, None if inputs is None else inputs.histograms)

    def _think(self) -> bool:
        """Form the verdict anew; whether it is another."""
        before, invalid = self.verdict, self.sight.invalid
        if bool(invalid) != bool(self.invalid):
            self._begin()  # of labels that were chosen nothing is kept
        self.invalid = invalid
        if self.moves.broke is not None or self.moves.lost:
            self.verdict = "data_quality"
        elif self.version is None:
            self.verdict = "no_baseline" if self.judgement.online.events else "blind"
        else:
            self.verdict = self.judgement.verdict(invalid=bool(invalid), blind=bool(self._blind))
        return self.verdict != before

    @property
    def _blind(self) -> str:
        return self.sight.blind(already=self.verdict == "blind")

    @property
    def reason(self) -> str:
        """Why it thinks so, and what to do next."""
        verdict, judgement, following = self.verdict, self.judgement, NEXT[self.verdict]
        if verdict == "healthy" and judgement.few:
            following = "too few to say that all is well"
        elif verdict == "healthy" and judgement.held[REVERSE] and self.stream.serving != "baseline":
            following = "the baseline is the better one: let it serve"
        findings = self.moves.findings
        what = moved(findings)
        retrained = self.retrained
        if retrained is not None and retrained.closed == "no" and verdict in ("baseline_rot", "outgrown"):
            following = LET_ONLINE_SERVE
        if verdict == "data_quality":
            why = broken(findings)
        elif verdict in ("blind", "no_baseline"):
            why = self.invalid or self._blind or ("" if self.sight.health.labels else "no label has come yet")
            said = f"{why}: {following}" if why else following
            return f"{said}; what has moved: {what}" if what else said
        elif verdict in ("shift_unconfirmed", "benign_shift") and judgement.after is not None:
            why = f"{what}; {shifted(verdict, judgement, judgement.after, float(self.stream.labels.maturity))}"
        else:
            why = f"{judgement.reason}; what has moved: {what}" if what else judgement.reason
            if verdict == "online_fault" and self.suspect:
                why += "; the online model has learned from a field that was broken"
        return f"{why}: {following}"

    def why(self, crossing: Crossing) -> str:
        """The reason of an alarm: its own figures, whatever the verdict is by."""
        if crossing.detector == DISAGREEMENT:
            return guessed(self.guesses.said)
        return f"{self.judgement.reason}; {self.reason}" if self.verdict in ("data_quality", "blind") else self.reason

    @property
    def retrained(self) -> Realised | None:
        """What the last retrain was expected to bring, and has brought; None where there was none, or no need of it."""
        deployed = self.judgement.deployed
        if self.former is None or not deployed.events:
            return None
        return realised(self.former, deployed, self.limits.tolerance)

    def snapshot(self) -> JudgingState:
        """All that it remembers; it goes on changing with this."""
        return JudgingState(
            self.judgement,
            self.references,
            self.version,
            self.past,
            self.former,
            self.account.snapshot(),
            self.moves.snapshot(),
            self.guesses,
            self.sight,
            self.suspect,
            self.invalid,
            self.verdict,
            self.missed,
            self.taken,
        )

    def restore(self, state: JudgingState) -> None:
        """Take up a snapshot; under other limits evidence begins anew, as what they claim does."""
        self.references, self.version, self.past = state.references, state.version, state.past
        self.former, self.suspect, self.verdict = state.former, state.suspect, state.verdict
        self.invalid = state.invalid
        self.moves, self.guesses = Moves(state.moves.version, state.moves.expected), state.guesses
        self.moves.restore(state.moves)
        self._begin()
        if state.judgement.limits == self.limits:
            self.judgement = state.judgement
        self.missed, self.taken = state.missed, state.taken
        self.account.restore(state.account)
        self.sight = replace(state.sight, within=self.sight.within, stated=self.sight.stated)


def limits(stream: Stream) -> Limits:
    """What a stream's settings tolerate."""
    monitor = stream.monitor
    return Limits(
        monitor.false_alarm_every,
        monitor.tolerate_extra_errors_per_1000 / 1000,
        monitor.tolerate_above_reference_per_1000 / 1000,
        "missed" if stream.kind == "anomaly" else monitor.loss,
    )
