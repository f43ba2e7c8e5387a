"""What a card says for its baseline and against it, in sentences."""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from consumers.page.figures import count, per_thousand, percent
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, names, tag
from stream.risk import LEAST_JUDGED, LEAST_POSITIVES
from stream.training.card import Card
from stream.training.rankings import LEAST_CHOOSING

Mark = Literal["against", "weigh", "note", "for"]

MARKS: dict[Mark, str] = {"against": "against it", "weigh": "to weigh", "note": "note", "for": "for it"}

LEAK = "Leak"


class Verdict(Struct):
    """A finding: whether it speaks for the baseline or against it, what of, and the sentences."""

    mark: Mark
    title: str
    said: list[Content]


def verdicts(card: Card) -> list[Verdict]:
    """The findings, a leak first."""
    loss = Loss.of(card)
    found = [_risk(card, loss), *_choice(card), *_alerts(card), *_plain(card, loss), *_fit(card), _absolute(card)]
    if card.cut_short:
        found.append(Verdict("note", "Search", ["Its budget of time ended it before all candidates had been tried."]))
    if not card.leaks:
        return found
    # Nothing speaks for a baseline that has been told the answer.
    return [_leak(card), *(replace(verdict, mark="note") if verdict.mark == "for" else verdict for verdict in found)]


def listed(found: list[Verdict]) -> list[Content]:
    """The findings with the sum of them, leaks in a box of their own."""
    sums = [(mark, sum(verdict.mark == mark for verdict in found)) for mark in MARKS if mark != "note"]
    sum_ = "; ".join(f"{MARKS[mark]}: {findings}" for mark, findings in sums)
    return [
        tag("h2", "Verdicts"),
        tag("p", sum_.capitalize() + ".", class_="sum"),
        *(tag("p", *_said(verdict), class_="alarm") for verdict in found if verdict.title == LEAK),
        tag("ul", *(_item(verdict) for verdict in found if verdict.title != LEAK), class_="verdicts"),
    ]


def _item(verdict: Verdict) -> Node:
    mark = tag("span", MARKS[verdict.mark], class_="mark")
    return tag("li", mark, tag("div", *_said(verdict)), class_=verdict.mark)


def _said(verdict: Verdict) -> list[Content]:
    return [tag("strong", f"{verdict.title}."), " ", *verdict.said]


def _leak(card: Card) -> Verdict:
    start = "The column " if len(card.leaks) == 1 else "Each of the columns "
    more = (
        " alone gives the label away: a tree of eight leaves on it makes next to no errors. It is probably known only "
        "after the label is, and the risk below is then far too good. Leave it out, and train again."
    )
    return Verdict("against", LEAK, [start, *names(card.leaks), more])


def _risk(card: Card, loss: Loss) -> Verdict:
    risk, judged = card.risk, count(card.judged_rows)
    rows = f"{judged} rows drawn at random" if card.scheme == "k-fold" else f"the newest {judged} rows"
    if card.kind == "anomaly":
        if not risk.rows:
            said = f"Not known: {rows}, by which nothing was chosen, hold no positive, or too few others."
            return Verdict("weigh", "Risk", [said])
        rows = f"{count(risk.rows)} positives among {rows}"
    ends = _interval(risk.low, risk.high)
    said = f"On {rows}, by which nothing was chosen, the risk is {loss.said(risk.mean)} ({ends})."
    trivial = f"The best answer that is the same for all rows has {loss.said(card.trivial_risk)}"
    mark: Mark = "for"
    if not card.trivial_risk:
        mark, more = "weigh", ": on these rows no model can be told to be better."
    elif risk.high < card.trivial_risk:
        more = ": the whole interval lies below that."
    elif risk.mean < card.trivial_risk:
        mark, more = "weigh", ", which the interval reaches: the baseline is not told to be better."
    else:
        mark, more = "against", ": the baseline is no better."
    return Verdict(mark, "Risk", [" ".join(part for part in (said, loss.told, trivial + more) if part)])


def _choice(card: Card) -> list[Verdict]:
    if card.kind != "anomaly":
        return []
    if card.chosen_by == "stability":
        said = (
            "By stability, how alike fits on different halves of the rows rank newer ones: the rows that choose hold "
            f"fewer than {LEAST_CHOOSING} positives. That a detector is stable does not say that it finds any."
        )
        return [Verdict("weigh", "Choice", [said])]
    return [Verdict("note", "Choice", ["By average precision on the rows that choose."])]


def _alerts(card: Card) -> list[Verdict]:
    flagged, budget = card.flagged, card.aim.alert_budget
    if flagged is None or budget is None:
        return []
    mark: Mark = "against" if flagged.low > budget else "weigh" if flagged.mean > budget else "for"
    said = (
        f"Of the judged rows {percent(flagged.mean, 1)} were flagged (95% interval {percent(flagged.low, 1)} to "
        f"{percent(flagged.high, 1)}), by a threshold that older rows had set; the budget is {percent(budget, 1)}."
    )
    return [Verdict(mark, "Alerts", [said])]


def _plain(card: Card, loss: Loss) -> list[Verdict]:
    title = "Beside the plain candidate"
    if card.against_plain is None:
        return []
    if card.chosen == card.plain:
        others = len(card.tried) - 1
        more = (
            f"none of the others tried ({count(others)}) was told to be better" if others > 0 else "no other was tried"
        )
        return [Verdict("note", title, [f"This is the plain candidate: {more}."])]
    mean, low, high = card.against_plain
    if low == high == 0:
        return [Verdict("weigh", title, ["Not told apart from it: each judged row costs the same with either."])]
    if low <= 0 <= high:
        ends = f"the difference may be anything from {_signed(low)} to {_signed(high)} (95% interval)"
        return [Verdict("weigh", title, [f"Not told apart from it on the judged rows: of {loss.unit}, {ends}."])]
    if low > 0:
        return [Verdict("for", title, [f"Told to be better, by {loss.said(mean)} ({_interval(low, high)})."])]
    said = f"Told to be worse, by {loss.said(-mean)} ({_interval(-high, -low)})."
    return [Verdict("against", title, [said])]


def _fit(card: Card) -> list[Verdict]:
    if card.reading is None:
        return []
    fit, reason = card.reading.fit, card.reading.reason
    return [Verdict("for" if fit == "balanced" else "weigh", "Fit", [f"{fit.capitalize()}: {reason}."])]


def _absolute(card: Card) -> Verdict:
    of_what, least = ("positives", LEAST_POSITIVES) if card.kind == "anomaly" else ("rows", LEAST_JUDGED)
    rows = f"{count(card.risk.rows)} {of_what} were judged"
    if card.absolute:
        said = f"{rows}: enough for absolute rot to be measured against this risk."
        return Verdict("for", "Absolute rot", [said])
    said = f"Only {rows}, and it takes {count(least)}: absolute rot will not be measured against this risk."
    return Verdict("weigh", "Absolute rot", [said])


def _interval(low: float, high: float) -> str:
    return f"95% interval {per_thousand(low)} to {per_thousand(high)}"


def _signed(share: float) -> str:
    return f"{per_thousand(abs(share))} {'less' if share > 0 else 'more'}"
