"""What can be guessed of a baseline without labels, from the profiles of its events: estimates, and no more."""

from msgspec import Struct

from stream.drift.evidence import Crossing
from stream.drift.unlabelled import DisagreementEstimate, OnlineAsJudgeEstimate, disagreed
from stream.drift.verdict import LATCH
from stream.profile import UNIT, Profile
from stream.records import Labelled

DISAGREEMENT = "disagreement"
"""The kind of the alarm that the models part: it is an estimate, and the verdict is not by it."""


class Guessed(Struct, frozen=True):
    """Estimates: the baseline's share of errors, as the online model has it and less what labels show it to be off by.

    ``off_by``: how far the latter was from the truth on average. ``disagreement`` is the share so far of the version.
    All None while not known. Blind where both models are wrong together: stream/drift/unlabelled.py.
    """

    estimate: float | None
    corrected: float | None
    off_by: float | None
    disagreement: float | None
    bound: float | None


class Guesses(Struct):
    """Takes the profiles and labelled records of one version."""

    disagreement: DisagreementEstimate
    judge: OnlineAsJudgeEstimate

    def profile(self, profile: Profile) -> Crossing | None:
        """Take in what both models said; the alarm that they part."""
        answers = profile.answers
        if answers is None:
            return None
        if answers.judged is not None:
            self.judge.scored(answers.judged / UNIT, profile.events)
        parted = self.disagreement
        before = parted.detector.last_alarm if parted.detector is not None else None
        crossing = parted.update(*disagreed(answers.pairs))
        # One an episode: more evidence prolongs it and says nothing.
        return crossing if crossing is None or before is None or crossing.event - before >= LATCH else None

    def labelled(self, record: Labelled, classes: list[str], baseline: float) -> None:
        """Take in a labelled event and the baseline's loss; scores that are no probabilities do not count."""
        if record.baseline_label is None or record.online is None or self.judge.doubt.weight == 0:
            return
        online = record.online
        place = classes.index(record.baseline_label)
        shares = online if isinstance(online, list) else [1.0 - online, online]
        self.judge.labelled(min(1.0, max(0.0, 1.0 - shares[place])), baseline)

    @property
    def said(self) -> Guessed:
        """All of it."""
        judge, parted = self.judge, self.disagreement
        share = parted.disagreements / parted.events if parted.events else None
        return Guessed(judge.estimate, judge.corrected, judge.corrected_off_by, share, parted.bound)


def guesses(every: float) -> Guesses:
    """Begin; ``every``: events in which there is at most one alarm on average while the models part no more."""
    return Guesses(DisagreementEstimate(every), OnlineAsJudgeEstimate())
