"""Choosing among candidates by successive halving (Jamieson and Talwalkar 2016), within a budget of seconds.

All candidates on a small newest share of the rows, the better third of them on more, and so on up to all rows. The rows
that judge are never looked at.
"""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct

from stream.errors import TrainingError
from stream.risk import difference
from stream.training.families import Candidate
from stream.training.trials import Trial, Trials

KEEPS = 3
"""One in so many candidates goes on to the next round."""

LEAST_ROUND = 1_000
"""A round on fewer rows than this says too little."""

RECIPES = 0.7
"""The share of the budget after which no further recipe is tried: the rest is for how far back to look."""

SLICE = 0.25
"""The share of the budget that a trial of several folds may take, as far as the first of them foretell it."""

BLOCK = 9
"""Candidates that are put in order of their numbers at a time: of a whole round one kind would be left to the end."""

KINDS = ("", "words", "chars", "both")


class Budget(Struct, frozen=True):
    """Seconds that a search may take, and what says how many it has taken; a fit under way is finished."""

    seconds: float
    spent: Callable[[], float]

    def left(self, share: float = 1.0) -> float:
        """Seconds that are left, of a share of it; less than 0 where it is overrun."""
        return self.seconds * share - self.spent()


Told = Callable[[int, int, Trial], None]


def unheard(_number: int, _total: int, _trial: Trial) -> None:
    """Hears of trials, and does nothing."""


class Searched(Struct):
    """What was tried, the choice, and whether the budget ended it before all had been tried.

    ``trials`` holds the last, so the fullest, trial of each candidate.
    """

    chosen: Trial
    plain: Trial
    trials: list[Trial]
    cut_short: bool


def search(trials: Trials, found: Sequence[Candidate], budget: Budget, told: Told = unheard) -> Searched:
    """Search; the first candidate is the plain one, tried in any case.

    ``told`` hears of each trial: its number, how many there will be in all, the trial. Raises TrainingError where not
    even the plain candidate can be fitted.
    """
    rows = len(trials.plan.folds[-1].fit)
    shares = rounds(rows) if trials.plan.scheme == "split" else [1.0]
    counts = [max(1, math.ceil(len(found) / KEEPS**number)) for number in range(len(shares))]
    at_work = _Search(trials, budget, told, sum(counts))
    plain = found[0]
    at_work.attempt(plain, 1.0)
    if plain not in at_work.done:
        if trials.refused:
            raise TrainingError(f"{plain} cannot be fitted on these rows: {trials.refused.splitlines()[0]}")
        raise TrainingError(
            f"the {rows} labelled rows that fit hold too few of one of the {trials.data.classes} classes: "
            "take more rows"
        )
    left = list(found[1:])
    for number, (share, count) in enumerate(zip(shares, counts, strict=True), 1):
        # Each round has its part of the budget: one that is cut short must not leave the fuller ones without any.
        left = at_work.go(sorted(left, key=at_work.rank)[:count], share, RECIPES * number / len(shares))
    return Searched(
        choose(at_work.full(), at_work.done[plain]), at_work.done[plain], list(at_work.done.values()), at_work.cut_short
    )


class _Search:
    """A search under way."""

    def __init__(self, trials: Trials, budget: Budget, told: Told, total: int) -> None:
        self.trials = trials
        self.budget = budget
        self.told = told
        self.total = total
        self.number = 0
        self.done: dict[Candidate, Trial] = {}
        self.took: dict[Candidate, float] = {}
        self.cut_short = False

    def attempt(self, candidate: Candidate, share: float, on: Callable[[float], bool] | None = None) -> bool:
        """Whether it could be fitted, and in time."""
        self.number += 1
        began = self.budget.spent()
        trial = self.trials.attempt(candidate, share, on)
        if trial is None:
            return False
        self.took[candidate] = self.budget.spent() - began
        self.done[candidate] = trial
        self.told(self.number, self.total, trial)
        return True

    def go(self, candidates: Sequence[Candidate], share: float, until: float) -> list[Candidate]:
        """Try these while there is some left of a share of the budget; gives those that could be fitted."""
        fitted = []
        # In the order drawn, but within a block those that share their numbers come one after the other.
        blocks = {candidate: at // BLOCK for at, candidate in enumerate(candidates)}
        for candidate in sorted(candidates, key=lambda c: (blocks[c], KINDS.index(c.text))):
            if self.budget.left(until) <= 0:
                self.cut_short = True
                break
            if self.budget.left(RECIPES) < self._expected(candidate, share):
                self.cut_short = True
            elif self.attempt(candidate, share, self._going()):
                fitted.append(candidate)
        return fitted

    def _expected(self, candidate: Candidate, share: float) -> float:
        """Seconds that a trial takes, by the candidate's trial on fewer rows; 0 without one."""
        return self.took[candidate] * share / self.done[candidate].share if candidate in self.done else 0.0

    def _going(self) -> Callable[[float], bool]:
        """Whether a trial that begins now goes on, given the share of it that is done."""
        began = self.budget.spent()

        def on(done: float) -> bool:
            taken = self.budget.spent() - began
            going = taken / done <= self.budget.seconds * SLICE and taken / done - taken < self.budget.left(RECIPES)
            self.cut_short |= not going
            return going

        return on

    def rank(self, candidate: Candidate) -> tuple[float, float]:
        """The better the sooner; those not tried yet keep the order in which they were drawn."""
        trial = self.done.get(candidate)
        return (0.0, 0.0) if trial is None else (trial.risk, trial.brier)

    def full(self) -> list[Trial]:
        """The trials on all rows."""
        return [trial for trial in self.done.values() if trial.share == 1.0]


def rounds(rows: int) -> list[float]:
    """The shares of the rows that successive rounds see.

    >>> rounds(9_000), rounds(1_500)
    ([0.1111111111111111, 0.3333333333333333, 1.0], [1.0])
    """
    count = max(0, int(math.log(max(1.0, rows / LEAST_ROUND), KEEPS) + 1e-9))
    return [float(KEEPS) ** -number for number in range(count, -1, -1)]


def choose(trials: Sequence[Trial], plain: Trial) -> Trial:
    """The plain candidate unless something is told to be better; then, of the best, that with the least Brier score.

    By paired losses, row by row: told to be better is a difference whose 95% interval is above 0, and among the best
    are those within one standard error of the very best (Breiman et al. 1984). On Enron's first mails a dozen recipes
    cannot be told apart: docs/baselines.md.
    """
    trials = [trial for trial in trials if len(trial.losses) == len(plain.losses)]  # some folds lacked a class
    best = min(trials, key=lambda trial: (trial.risk, trial.brier))
    # As many intervals as candidates are looked at: each is as much wider (Bonferroni).
    level = [t for t in trials if not _worse(t, best) and difference(plain.losses, t.losses, len(trials))[1] > 0]
    if not level:
        return plain
    return min(level, key=lambda trial: (trial.brier, trial.risk))


def _worse(trial: Trial, best: Trial) -> bool:
    gap = trial.losses - best.losses
    error = float(gap.std()) / math.sqrt(len(gap))
    return float(gap.mean()) > error
