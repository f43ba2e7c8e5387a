"""What a card's risks, or a monitor's evidence, count, in words: errors, misses, or costs."""

from typing import NamedTuple, Self

from consumers.page.figures import number, per_thousand, percent
from stream.config import Kind
from stream.missed import BUDGET
from stream.training.card import Card


class Loss(NamedTuple):
    """What one of the loss is called, and several; what it is, where that has to be said; and what it is of."""

    one: str
    many: str
    told: str = ""
    of_what: str = "rows"

    @classmethod
    def of(cls, card: Card) -> Self:
        """What the card's aim counts."""
        aim = card.aim
        if card.kind == "anomaly":
            return cls.judged(card.kind)
        if aim.plain:
            return cls("error", "errors")
        if aim.alert_budget is not None:
            return cls(
                "miss", "misses", "What counts are misses alone; the share of rows that it flags is told beside it."
            )
        dear, cheap = "miss", "false alarm"
        if aim.cost_of_miss < aim.cost_of_false_alarm:
            dear, cheap = cheap, dear
        costs = (aim.cost_of_miss, aim.cost_of_false_alarm)
        return cls(
            "cost",
            "cost",
            f"What counts is cost: a {dear} counts 1, a {cheap} {number(min(costs) / max(costs))}.",
        )

    @classmethod
    def judged(cls, kind: Kind) -> Self:
        """What a monitor counts on a stream of this kind."""
        if kind == "anomaly":
            told = f"What counts are positives: one is missed where {percent(BUDGET, 1)} of the others score as high."
            return cls("miss", "misses", told, "positives")
        return cls("error", "errors", of_what="labelled events")

    @property
    def verb(self) -> str:
        """What a model does with one."""
        return {"error": "errs", "miss": "misses"}[self.one]

    @property
    def unit(self) -> str:
        """The unit of an axis or a column."""
        return f"{self.many} per 1,000 {self.of_what}"

    def said(self, share: float) -> str:
        """A risk with its unit."""
        text = per_thousand(share)
        if self.one == self.many:
            return f"a {self.one} of {text} per 1,000 {self.of_what}"
        return f"{text} {self.one if text == '1' else self.many} per 1,000 {self.of_what}"
