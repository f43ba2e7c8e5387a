"""Whether labels were chosen by what the models said, as a review queue's are: evidence from them is then not valid.

Labelled events are held against all that were scored in the same stretch of the stream (strata, as N. Mantel and W.
Haenszel did in 1959), once its labels have come: neither a change of the classes' shares nor a delay that depends on
the class passes for a choice.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal

import numpy as np
from msgspec import Struct, field

from stream.drift.findings import percent
from stream.drift.measures import more_than
from stream.drift.quantiles import Quantiles

Pairs = dict[str, dict[str, int]]
"""Counts of events by the class that the baseline called and the one that the online model called."""

By = Literal["baseline", "online", "disagreement"]

REMEMBERED = 2_000
"""Labelled events after which counts weigh 1/e."""

WAIT = 2_000
"""Events of all partitions for which a stretch's labels are waited for at least; more, where labels take longer."""

STRETCHES = 64
"""Stretches that wait at most; then two at a time become one."""

EARLY = 1_000
"""Labelled events that wait for the profile of their stretch at most; the oldest ones are left out then."""

EXPECTED = 10.0
"""Labels that an answer, and all others, should have had by chance before anything is said."""

EFFECT = 1.5
"""How many times as often some events must be labelled as others."""

AGREE = {True: "agree", False: "disagree"}

ALPHA = 1e-6
"""The p-value below which that is not chance; so small because it is looked at with every stretch."""


class Stretch(Struct):
    """Events ``first``..``last``: all that were scored, and those that are labelled."""

    first: int
    last: int
    scored: Pairs
    labelled: Pairs


class Cell(Struct):
    """Of the events with one answer: how many there are, and labelled ones; the rest is of where that tells something.

    ``got`` and ``expected``: labels that these events have, and should have by chance, of ``of`` in all.
    """

    events: float = 0.0
    labels: float = 0.0
    got: float = 0.0
    expected: float = 0.0
    of: float = 0.0

    def add(self, events: int, labels: int, n: int, of: int) -> None:
        """Add those of a stretch with ``n`` events, ``of`` of them labelled."""
        self.events += events
        self.labels += labels
        if 0 < events < n and 0 < of < n:
            self.got += labels
            self.expected += of * events / n
            self.of += of

    def decay(self, keep: float) -> None:
        """Let all that was counted weigh less."""
        self.events *= keep
        self.labels *= keep
        self.got *= keep
        self.expected *= keep
        self.of *= keep

    @property
    def ratio(self) -> float:
        """How many times as often these events are labelled as the others, or the others as these; not below 1."""
        a, b = self.got * (self.of - self.expected), (self.of - self.got) * self.expected
        return max(a, b) / max(min(a, b), 1e-300)

    @property
    def p(self) -> float:
        """Of the binomial test against the share expected, two-sided; above the true one, as strata vary less."""
        if not self.of:
            return 1.0
        share = self.expected / self.of
        got = np.array([self.got, self.of - self.got])
        return min(1.0, 2 * float(more_than(got, np.full(2, self.of), np.array([share, 1 - share])).min()))

    def chosen(self, tests: int) -> bool:
        """Whether, of so many tests, this one shows more than chance and more than little."""
        enough = min(self.expected, self.of - self.expected) >= EXPECTED
        return enough and self.ratio >= EFFECT and self.p < ALPHA / tests


class Chosen(Struct, frozen=True):
    """Labels were chosen by what ``by`` said: by the class that it called, or by the models' disagreement alone.

    Of the latter the paired evidence could be saved, since events on which the models agree have no gap. But an online
    model that learns from disagreements is another one than that which learns from all labels, and a weaker judge
    (stream/drift/requests.py).
    """

    by: By
    sentence: str


class Lane(Struct):
    """Of one partition, in which positions grow: stretches that wait for labels, and labels that wait for theirs."""

    waiting: list[Stretch] = []
    early: list[tuple[int, str, str]] = []
    newest: int = -1

    def scored(self, first: int, last: int, pairs: Pairs, wait: float) -> list[Stretch]:
        """Take in a stretch; those whose labels were waited for during ``wait`` events. One that overlaps is left."""
        if first <= self.newest:
            return []
        stretch = Stretch(first, last, {ours: dict(others) for ours, others in pairs.items()}, {})
        self.newest = last
        for _, ours, online in [each for each in self.early if first <= each[0] <= last]:
            _add(stretch.labelled, ours, online, 1)
        self.early = [each for each in self.early if each[0] > last]
        self.waiting.append(stretch)
        done = 0
        while done < len(self.waiting) and last - self.waiting[done].last >= wait:
            done += 1
        over, self.waiting = self.waiting[:done], self.waiting[done:]
        if len(self.waiting) > STRETCHES:
            self.waiting = [_joined(*pair) for pair in zip(self.waiting[::2], self.waiting[1::2], strict=False)] + (
                self.waiting[-1:] if len(self.waiting) % 2 else []
            )
        return over

    def labelled(self, position: int, baseline: str, online: str) -> None:
        """Take in what the models had said of an event that is labelled now."""
        if position > self.newest:
            self.early.append((position, baseline, online))
            del self.early[:-EARLY]
            return
        at = bisect_right(self.waiting, position, key=lambda stretch: stretch.first) - 1
        if at >= 0 and position <= self.waiting[at].last:
            _add(self.waiting[at].labelled, baseline, online, 1)


class Selection(Struct):
    """Takes what was scored and what was labelled, of all partitions; a stretch of any of them is a stratum.

    What it cannot see: a choice by anything that the models' answers do not tell.
    """

    lanes: dict[int, Lane] = {}
    lags: Quantiles = field(default_factory=lambda: Quantiles(REMEMBERED))
    baseline: dict[str, Cell] = {}
    online: dict[str, Cell] = {}
    agreement: dict[str, Cell] = {}

    def scored(self, partition: int, first: int, last: int, pairs: Pairs) -> None:
        """Take in what both models said of the events ``first``..``last`` of a partition."""
        for stretch in self._lane(partition).scored(first, last, pairs, self.wait):
            self._judge(stretch)

    def labelled(self, partition: int, position: int, baseline: str, online: str) -> None:
        """Take in what the models had said of an event that is labelled now."""
        lane = self._lane(partition)
        self.lags.update(float(max(0, lane.newest - position)))
        lane.labelled(position, baseline, online)

    def _lane(self, partition: int) -> Lane:
        lane = self.lanes.get(partition)
        if lane is None:
            lane = self.lanes[partition] = Lane()
        return lane

    @property
    def wait(self) -> float:
        """Events of its partition after which a stretch is judged."""
        return max(WAIT / max(1, len(self.lanes)), 1.5 * (self.lags.quantile(0.99) or 0.0))

    @property
    def events(self) -> float:
        """Events whose labels were waited for, of late."""
        return sum(cell.events for cell in self.agreement.values())

    @property
    def share(self) -> float | None:
        """The share of them that got a label; None before any."""
        return sum(cell.labels for cell in self.agreement.values()) / self.events if self.events else None

    def chosen(self) -> Chosen | None:
        """How labels were chosen, if they were.

        The answers of the baseline and of the online model are compared among events on which the models agree, and
        among those on which they disagree, so that labels for disagreements do not pass for labels for what is flagged.
        """
        tests = len(self.baseline) + len(self.online) + len(self.agreement)
        disagree = self.agreement.get("disagree", Cell())
        called = [*self.baseline.values(), *self.online.values()]
        if any(cell.chosen(tests) for cell in called):
            surest = min(called, key=lambda cell: cell.p)
            by: By = "baseline" if any(cell is surest for cell in self.baseline.values()) else "online"
            cells, model = (self.baseline, "baseline") if by == "baseline" else (self.online, "online model")
            answer = next(answer for answer, cell in cells.items() if cell is surest)
            return Chosen(
                by,
                f"labels were chosen by what the {model} called, "
                + _compared(cells, answer, f"of what it called {answer!r}"),
            )
        if disagree.chosen(tests):
            return Chosen(
                "disagreement",
                "labels were chosen by whether the models disagree, "
                + _compared(self.agreement, "disagree", "of the disagreements"),
            )
        return None

    def _judge(self, stretch: Stretch) -> None:
        scored, labelled = list(_each(stretch.scored)), list(_each(stretch.labelled))
        keep = (1 - 1 / REMEMBERED) ** sum(count for _, _, count in labelled)
        for cells in (self.baseline, self.online, self.agreement):
            for cell in cells.values():
                cell.decay(keep)
        _compare(self.agreement, *([(AGREE[a == b], n) for a, b, n in each] for each in (scored, labelled)))
        for agreed in (True, False):
            parts = [[each for each in all_ if (each[0] == each[1]) == agreed] for all_ in (scored, labelled)]
            _compare(self.baseline, *([(ours, count) for ours, _, count in part] for part in parts))
            _compare(self.online, *([(online, count) for _, online, count in part] for part in parts))


def _compare(cells: dict[str, Cell], scored: list[tuple[str, int]], labelled: list[tuple[str, int]]) -> None:
    """Add a stratum: events and labelled ones by answer."""
    events, labels = _sums(scored), _sums(labelled)
    n, of = sum(events.values()), sum(labels.values())
    for answer, count in events.items():
        cells.setdefault(answer, Cell()).add(count, labels.get(answer, 0), n, of)


def _compared(cells: dict[str, Cell], answer: str, of: str) -> str:
    cell = cells[answer]
    others = [each for name, each in cells.items() if name != answer]
    rest = sum(each.labels for each in others) / max(sum(each.events for each in others), 1e-300)
    return f"{percent(cell.labels / max(cell.events, 1e-300))} {of} have one and {percent(rest)} of the rest"


def _add(pairs: Pairs, ours: str, online: str, count: int) -> None:
    of = pairs.setdefault(ours, {})
    of[online] = of.get(online, 0) + count


def _each(pairs: Pairs) -> Iterator[tuple[str, str, int]]:
    return ((ours, online, count) for ours, others in pairs.items() for online, count in others.items())


def _joined(a: Stretch, b: Stretch) -> Stretch:
    made = Stretch(a.first, b.last, {}, {})
    for part in (a, b):
        for to, pairs in ((made.scored, part.scored), (made.labelled, part.labelled)):
            for ours, online, count in _each(pairs):
                _add(to, ours, online, count)
    return made


def _sums(counts: list[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for answer, count in counts:
        sums[answer] = sums.get(answer, 0) + count
    return sums
