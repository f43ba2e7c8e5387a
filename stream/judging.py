"""What the monitor thinks of a stream's models: alarms and inputs of the champion in use, together a verdict.

For each champion version everything begins anew. What it is measured against a scorer says in References; an absolute
detector, and the comparison of inputs, run from then on.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct

from stream.config import Stream
from stream.drift.evidence import Crossing
from stream.drift.findings import Finding
from stream.drift.judgement import After, Judgement, judge
from stream.drift.moves import Moves, MovesState, restored
from stream.drift.rot import Limits
from stream.drift.verdict import NEXT
from stream.profile import Profile
from stream.records import Labelled, References

MOST_PAST = 10
"""Former baselines whose late records are told from a new one's, and versions whose references are remembered."""

NAMED = 2
"""Findings that a reason names."""

EACH = 100
"""Labelled events between two looks at what changes slowly."""


class JudgingState(Struct):
    """All that is remembered; JSON."""

    judgement: Judgement
    references: list[References]
    version: str | None
    past: list[str | None]
    last: float
    moves: MovesState
    suspect: tuple[float, float] | None
    verdict: str


class Judging:
    """Judges labelled records in the order of their events, and profiles.

    ``verdict`` is what was thought last. ``suspect``: the times of events between which a field was broken, from which
    nothing follows.
    """

    def __init__(self, stream: Stream) -> None:
        monitor = stream.monitor
        self.limits = Limits(
            monitor.false_alarm_every,
            monitor.tolerate_extra_errors_per_1000 / 1000,
            monitor.tolerate_above_reference_per_1000 / 1000,
        )
        self._maturity = float(stream.labels.maturity)
        self.judgement = judge(self.limits, None, None)
        self.references: list[References] = []
        self.version: str | None = None
        self.past: list[str | None] = []
        self.last = 0.0
        self.moves = Moves()
        self.suspect: tuple[float, float] | None = None
        self.verdict = "blind"

    def takes(self, record: Labelled) -> bool:
        """Whether a record counts; the first one of a version begins everything anew."""
        if record.correction or not record.sampled or not self._of_this_version(record):
            return False
        return self.suspect is None or not self.suspect[0] < record.time <= self.suspect[1]

    def labelled(self, record: Labelled) -> Iterator[Crossing | None]:
        """Judge a record that ``takes`` takes: the alarms that it raises; None where the verdict changes without."""
        judgement = self.judgement
        online = float(record.online_label != record.label)
        before = dict(judgement.held)
        if record.baseline_label is None:
            judgement.online.update(online)
            crossings: list[Crossing] = []
        else:
            if self.moves.version == self.version:
                self.moves.label(record.label, record.time)
                judgement.inputs_moved(self.moves.moved)
            crossings = judgement.update(record.time, float(record.baseline_label != record.label), online)
        if crossings or before != judgement.held or judgement.baseline.events % EACH == 0 or self.verdict == "blind":
            changed = self._think()
            yield from crossings
            if changed and not crossings:
                yield None

    def profile(self, profile: Profile) -> bool:
        """Take in what the baseline was given; whether the verdict changes."""
        whole = self.moves.profile(profile)
        if whole is not None:
            # What was seen meanwhile says nothing of the baseline; what is labelled later is left out.
            self.suspect = whole
            self._begin()
        if self.moves.version == self.version:
            self.judgement.inputs_moved(self.moves.moved)
        return self._think()

    def learn(self, said: References) -> None:
        """Take in what the models are measured against; what is known already stays."""
        version = said.baseline_version
        self.references = [each for each in self.references if each.baseline_version != version][-MOST_PAST + 1 :]
        self.references.append(said)
        if version != self.moves.version or (self.moves.expected.inputs is None and said.expected.inputs is not None):
            self.moves = Moves(version, said.expected)
        if version == self.version:
            self.judgement.learn(said.expected.risk, said.online_risk)

    def _of_this_version(self, record: Labelled) -> bool:
        """Whether a record is of the baseline in use.

        A former version is in use again, as after a rollback, by an event that is later than the last one of the
        version in between. What else comes of a former version was only labelled late.
        """
        version = record.baseline_version
        if version != self.version:
            if version in self.past and record.time <= self.last:
                return False
            self.past = [*[one for one in self.past if one != version], self.version][-MOST_PAST:]
            self.version, self.suspect = version, None
            self._begin()
        self.last = record.time
        # The gap compares the models on the same events: one that the baseline did not score is none of them.
        return version is None or record.baseline_label is not None

    def _begin(self) -> None:
        known = next((each for each in self.references if each.baseline_version == self.version), References(None))
        self.judgement = judge(self.limits, known.expected.risk, known.online_risk)

    def _think(self) -> bool:
        """Form the verdict anew; whether it is another."""
        before = self.verdict
        if self.moves.broke is not None:
            self.verdict = "data_quality"
        elif self.version is None:
            self.verdict = "no_baseline" if self.judgement.online.events else "blind"
        else:
            self.verdict = self.judgement.verdict()
        return self.verdict != before

    @property
    def reason(self) -> str:
        """Why it thinks so, and what to do next."""
        verdict, judgement, nxt = self.verdict, self.judgement, NEXT[self.verdict]
        findings = self.moves.findings
        if verdict == "data_quality":
            return f"{told([each for each in findings if each.schema])}: {nxt}"
        moved = told([each for each in findings if not each.schema])
        if verdict in ("blind", "no_baseline"):
            return f"{nxt}; moved have {moved}" if moved else nxt
        if judgement.after is not None and verdict in ("shift_unconfirmed", "benign_shift"):
            return f"{moved}; {self._costs(verdict, judgement.after)}: {nxt}"
        return f"{judgement.reason}{f'; moved have {moved}' if moved else ''}: {nxt}"

    def _costs(self, verdict: str, after: After) -> str:
        events, loss = after.loss.events, 1000 * after.loss.mean
        if verdict == "benign_shift":
            return (
                f"of {events:,} labelled events since the baseline gets {loss:.0f} of 1,000 wrong, which is tolerated"
            )
        if events:
            return f"the labels of {events:,} events since do not tell yet what it costs"
        if not self._maturity:
            return "no event since has its label yet"
        due = datetime.fromtimestamp(after.since + self._maturity, UTC).isoformat(timespec="seconds")
        return f"no event since has its label yet; the first are final by {due}"

    def snapshot(self) -> JudgingState:
        """All that it remembers; it goes on changing with this."""
        return JudgingState(
            self.judgement,
            self.references,
            self.version,
            self.past,
            self.last,
            self.moves.snapshot(),
            self.suspect,
            self.verdict,
        )

    def restore(self, state: JudgingState) -> None:
        """Take up a snapshot."""
        self.judgement, self.references, self.version = state.judgement, state.references, state.version
        self.past, self.last, self.suspect, self.verdict = state.past, state.last, state.suspect, state.verdict
        self.moves = restored(state.moves)


def told(findings: list[Finding]) -> str:
    """The first findings in one line."""
    more = len(findings) - NAMED
    return "; ".join(each.sentence for each in findings[:NAMED]) + (f"; and {more} more" if more > 0 else "")
