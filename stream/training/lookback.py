"""How far back a recipe looks: chosen by the newest rows, after the recipe and apart from it.

What is learned from is judged by rows that come right behind it: a choice by older ones is a choice for what has been.
"""

from msgspec import Struct
from msgspec.structs import replace

from stream.training.card import ALL_ROWS
from stream.training.families import Candidate
from stream.training.scores import Array, probabilities
from stream.training.search import Budget
from stream.training.trials import Trial, Trials, newest
from stream.windows import NEWEST, WINDOWS, brier_scores, ranked

HALF_LIVES = (2_500, 10_000)
"""Rows after which a row counts half, where rows are weighted by their age."""


class Lookback(Struct, frozen=True):
    """The newest so many rows, or all, each counting half after so many rows (0: no such limit)."""

    name: str
    window: int = 0
    half_life: int = 0

    def of(self, candidate: Candidate) -> Candidate:
        """The candidate, looking back so far."""
        return replace(candidate, window=self.window, half_life=self.half_life)


ALL = Lookback(ALL_ROWS)


class Looks:
    """Chooses how far back a recipe looks from a row on.

    ``rows``: positions, oldest first. ``alarmed``: how many of these lie before the last alarm; None without one.
    """

    def __init__(self, trials: Trials, trial: Trial, rows: Array, budget: Budget, alarmed: int | None = None) -> None:
        self.trials = trials
        self.trial = trial
        self.rows = rows
        self.budget = budget
        self.alarmed = alarmed

    def offered(self, end: int) -> list[Lookback]:
        """What may be chosen from ``end`` on, the widest first; ALL alone where rows have no order, or are few."""
        if self.trials.plan.scheme == "k-fold" or end <= NEWEST:
            return [ALL]
        before = end - NEWEST
        found = [ALL]
        # Behind each other: what makes numbers of all rows is fitted once.
        found += [Lookback(f"half-life {life:,}", half_life=life) for life in reversed(HALF_LIVES) if life < before]
        found += [Lookback(f"newest {window:,}", window) for window in reversed(WINDOWS) if window < end]
        if self.alarmed is not None and 0 < self.alarmed < before:
            found.append(Lookback("since the last alarm", end - self.alarmed))
        return [way for way in found if way is ALL or self._fits(way, end)]

    def choose(self, end: int) -> list[tuple[Lookback, float]]:
        """The ways to look back from ``end`` on, first the one to take, with their Brier scores on the newest rows.

        These are the NEWEST before ``end``. Where there is only one way nothing is tried: its score is the recipe's.
        Where the budget is short the ways that fit on many rows are left out.
        """
        offered = self.offered(end)
        if len(offered) == 1:
            return [(ALL, self.trial.brier)]
        before, asked = self.rows[: end - NEWEST], self.rows[end - NEWEST : end]
        frame, labels = self.trials.data.frame.iloc[asked], self.trials.data.labels[asked]

        def losses(way: Lookback) -> Array:
            model = self.trials.fit(_judged(way).of(self.trial.candidate), before, self.trial.iterations)
            return brier_scores(labels, probabilities(model, frame))

        began = self.budget.spent()
        widest = losses(ALL)
        ways = self._paid(offered[1:], end, self.budget.spent() - began)
        return ranked((ALL, *ways), lambda way: widest if way is ALL else losses(way))

    def _paid(self, ways: list[Lookback], end: int, seconds: float) -> list[Lookback]:
        """Those that half of what is left pays for, the cheapest first, or what a fit on all rows has taken."""
        allowed = max(seconds, self.budget.left() / 2)
        paid = set()
        for way in sorted(ways, key=lambda way: way.window or end):
            allowed -= seconds * (way.window or end) / end
            if allowed >= 0:
                paid.add(way)
        return [way for way in ways if way in paid]

    def _fits(self, way: Lookback, end: int) -> bool:
        """Whether both fits, without the newest rows and with them, have enough of every class."""
        both = (_judged(way), self.rows[: end - NEWEST]), (way, self.rows[:end])
        return all(self.trials.enough(newest(one.of(self.trial.candidate), rows, 1.0)) for one, rows in both)


def _judged(way: Lookback) -> Lookback:
    """The same way without the newest rows, which judge it."""
    return replace(way, window=way.window - NEWEST) if way.window else way
