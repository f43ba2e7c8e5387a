"""Of the cards (or other entities) that a day's alerts can be about, how many were worth it: card precision.

An investigator calls a card's owner, not a transaction, and calls so many a day. So a day's alerts are the ``k`` cards
with the greatest scores of that day, and the day's figure is the share of them that did have a positive event. This is
card precision@k of Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, 2022, chapter 4.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from stream.prequential import MODELS
from stream.records import Labelled

DAY = 86_400.0
"""Seconds; days are those of UTC."""

OPEN = 4
"""Days that may get more records: the newest, and some as clocks may be wrong."""

CLOSED = 4_096
"""Days that are known to be closed: what comes for them is late."""

MOST_CARDS = 200_000
"""Of a day; those that come later that day are left out. So many compromised ones are remembered, those seen last."""


class Card(Struct, gc=False):
    """A card's day: whether it had a positive event, and its greatest score by each of MODELS; below 0: none."""

    positive: bool
    best: list[float]


class Day(Struct):
    """A day that may get more records; ``part`` is the stretch of the stream that it counts for."""

    part: int
    cards: dict[str, Card] = {}


class CardPrecision:
    """Card precision of each of MODELS, a day and on average over the days of a stretch, and of all stretches.

    Cards are told by the field ``by`` of what a record has as features; ``k`` of them get an alert a day. Those that
    are known to be compromised when a day begins, since the label of a positive event of theirs had come, get none.
    Ties at the last place count by what a fair draw among them is expected to bring. A day with fewer than k cards to
    choose from ranks nothing, and does not count.

    Records come in the order of their events, more or less. A day is closed when records of OPEN others have come
    since its own last one. Memory is bounded, to some 55 MiB an open day: ``late`` counts records of closed days,
    ``beyond`` those of cards that were more than MOST_CARDS that day.
    """

    def __init__(self, by: str, k: int) -> None:
        self.by = by
        self.k = k
        self.days: OrderedDict[int, Day] = OrderedDict()
        self.closed: OrderedDict[int, None] = OrderedDict()
        self.compromised: OrderedDict[str, float] = OrderedDict()
        self.found: dict[int, list[list[float]]] = {}
        self.late = 0
        self.beyond = 0

    def compromise(self, card: str, label_time: float) -> None:
        """Take in that a card had a positive event, the label of which came at that time (seconds since the epoch)."""
        self.compromised[card] = min(label_time, self.compromised.get(card, math.inf))
        self.compromised.move_to_end(card)
        if len(self.compromised) > MOST_CARDS:
            self.compromised.popitem(last=False)

    def update(self, records: Sequence[Labelled], parts: Sequence[int], positive: str) -> None:
        """Take in labelled records, each with the stretch that it belongs to; a day is its first record's stretch's."""
        for record, part in zip(records, parts, strict=True):
            card = (record.features or {}).get(self.by)
            if card is None:
                continue
            is_positive = record.label == positive
            if is_positive:
                self.compromise(card, record.label_time)
            day = self._day(math.floor(record.time / DAY), part)
            if day is None:
                continue
            scores = [
                score if isinstance(score, float | int) else -1.0  # None: lists are refused by stream/config.py
                for score in (record.online, record.baseline, record.served)
            ]
            known = day.cards.get(card)
            if known is not None:
                known.positive |= is_positive
                known.best = [max(pair) for pair in zip(known.best, scores, strict=True)]
            elif len(day.cards) < MOST_CARDS:
                day.cards[card] = Card(is_positive, scores)
            else:
                self.beyond += 1

    def _day(self, number: int, part: int) -> Day | None:
        """The day of that number, now the one that was heard of last; None if it is closed."""
        day = self.days.get(number)
        if day is None:
            if number in self.closed:
                self.late += 1
                return None
            day = self.days[number] = Day(part, {})
            if len(self.days) > OPEN:
                self._close()
        self.days.move_to_end(number)
        return day

    def _close(self) -> None:
        number, day = self.days.popitem(last=False)
        self.closed[number] = None
        if len(self.closed) > CLOSED:
            self.closed.popitem(last=False)
        shares = self.found.setdefault(day.part, [[0.0, 0.0] for _ in MODELS])
        for total, share in zip(shares, self._shares(number, day), strict=True):
            if share is not None:
                total[0] += share
                total[1] += 1.0

    def _shares(self, number: int, day: Day) -> list[float | None]:
        """Of each model's k cards of that day, the share that was positive; None where there are fewer."""
        begin = number * DAY
        cards = [card for name, card in day.cards.items() if self.compromised.get(name, math.inf) >= begin]
        best = np.array([card.best for card in cards]).reshape(-1, len(MODELS))
        positive = np.array([card.positive for card in cards], dtype=bool)
        return [_share(scores[scores >= 0], positive[scores >= 0], self.k) for scores in best.T]

    def figures(self, model: str, part: int | None = None) -> dict[str, Any]:
        """A model's mean over the days of a stretch, or of all, and how many days these are; None for no day.

        Days that may get more records count as they are.
        """
        place = MODELS.index(model)
        totals = [shares[place] for own, shares in sorted(self.found.items()) if part in (None, own)]
        still = [(number, day) for number, day in self.days.items() if part in (None, day.part)]
        totals += [[share, 1.0] for each in still if (share := self._shares(*each)[place]) is not None]
        days = round(sum(count for _, count in totals))
        mean = sum(share for share, _ in totals) / days if days else None
        return {"card_precision": mean, "card_days": days}


def _share(scores: "np.ndarray[Any, Any]", positive: "np.ndarray[Any, Any]", k: int) -> float | None:
    """The share of positives among the k greatest scores.

    >>> _share(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]), 2)
    0.75
    """
    if len(scores) < k:
        return None
    last = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, tied = scores > last, scores == last
    return float((positive[above].sum() + (k - above.sum()) * positive[tied].mean()) / k)
