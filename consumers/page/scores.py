"""The part on scores: whether they are probabilities, and from where on the positive class is answered."""

from collections.abc import Sequence

from consumers.page.curves import reliability
from consumers.page.figures import number, percent, score
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.tables import figure, grid, part, table
from stream.training.calibration import Bin
from stream.training.card import Card


def scores(card: Card) -> Node:
    """Threshold, aim and calibration."""
    return part("Scores and answers", tag("p", *_answer(card)), tag("p", *_aim(card)), *_calibration(card))


def positive(card: Card) -> Node:
    """The class whose score is held against the threshold: of two, the last."""
    return name(list(card.classes)[-1])


def _answer(card: Card) -> list[Content]:
    if len(card.classes) != 2:
        return ["The answer is the likeliest class."]
    return ["The answer is ", positive(card), f" where its score is {number(card.threshold)} or more."]


def _aim(card: Card) -> list[Content]:
    aim = card.aim
    if aim.plain:
        return ["Aim: few errors; each costs the same."]
    if aim.alert_budget is not None:
        return [
            "Aim: to find as many ",
            positive(card),
            f" as can be found while at most {percent(aim.alert_budget, 1)} of the rows are called so. ",
            Loss.of(card).told,
        ]
    return [
        "Aim: little cost. A miss, which is a ",
        positive(card),
        f" not called so, costs {number(aim.cost_of_miss)}, and a false alarm {number(aim.cost_of_false_alarm)}. ",
        Loss.of(card).told,
    ]


def _calibration(card: Card) -> list[Content]:
    made = card.calibration
    if made is None:
        return []
    used = (
        "The baseline answers with the calibrated scores."
        if made.used
        else "The baseline answers with the model's own scores: a sigmoid was not shown to better those of newer rows."
    )
    rows: list[list[Content]] = [
        ["as the model says", score(made.error_before), score(made.brier_before)],
        ["behind a sigmoid", score(made.error_after), score(made.brier_after)],
    ]
    rows[made.used][0] = tag("span", rows[made.used][0], tag("span", "used", class_="chip"))
    content: list[Content] = [
        tag("h3", "Calibration, on the judged rows"),
        tag("p", used),
        table(["scores", "expected calibration error", "Brier score"], rows),
    ]
    bins = [*made.bins_before, *made.bins_after]
    if bins:
        low = min(0.9, *(int(10 * min(each.confidence, each.right)) / 10 for each in bins))
        drawn = (("As the model says", made.bins_before), ("Behind a sigmoid", made.bins_after))
        content.append(grid(_reliability(title, of, low) for title, of in drawn if of))
    return content


def _reliability(title: str, bins: Sequence[Bin], low: float) -> Node:
    return figure(
        reliability(f"Reliability: {title}", bins, low),
        f"{title}: on the dashed line scores are probabilities; larger marks stand for more rows",
    )
