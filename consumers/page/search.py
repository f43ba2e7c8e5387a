"""The parts on the search: the candidates, how far back to look, and the curves of the chosen one."""

from collections.abc import Sequence

from consumers.page.curves import Curve, curves
from consumers.page.figures import count, per_thousand, score
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.recipe import words
from consumers.page.tables import figure, folded, grid, part, table
from stream.training.card import Card, Tried

SHOWN = 25
"""Candidates that are shown at once; the others are folded away."""


def candidates(card: Card) -> Node | None:
    """All that was tried, the best first."""
    if not card.tried:
        return None
    unit = Loss.of(card).unit
    ranked = list(enumerate(card.tried, 1))
    ours = {card.chosen, card.plain}
    first = [each for each in ranked if each[0] <= SHOWN or each[1].candidate in ours]
    others = [each for each in ranked if each[0] > SHOWN and each[1].candidate not in ours]
    most = max(tried.rows for tried in card.tried)
    content: list[Content] = [
        tag(
            "p",
            f"Tried: {count(len(card.tried))}, those on most rows first and of these the best first. The plain "
            f"candidate is taken unless another is told to be better (95%); then, {_of_the_best(card)}.",
        )
    ]
    scale = f"Train and validation risk are in {unit}; the Brier score is from 0, the best, to 1."
    if card.kind == "anomaly":
        scale = "Average precision and stability, Spearman's rank correlation, are at most 1, the best."
    content.append(tag("p", scale))
    if any(tried.rows < most for tried in card.tried):
        content.append(
            tag("p", "What did badly on few rows was not tried on more: compare those on equally many rows only.")
        )
    content.append(_table(first, card))
    if others:
        content.append(folded(f"{count(len(others))} more", _table(others, card)))
    return part("Candidates", *content)


def how_far_back(card: Card) -> Node | None:
    """The ways to look back, the one that was taken first; nothing where there was no choice."""
    if card.lookbacks is None:
        return None
    newest = count(card.lookbacks.newest)
    taken = [block.name for block in card.lookbacks.judged]
    rows: list[list[Content]] = [[way.name, count(way.rows), score(way.brier)] for way in card.lookbacks.tried]
    return part(
        "How far back",
        tag(
            "p",
            f"The chosen recipe, fitted on what lies before the newest {newest} rows and asked about these. All rows "
            "are taken unless another way is told to be better (95%); then it is the one with the least Brier score. "
            "The first line is what the baseline has; it is then fitted on the newest rows too.",
        ),
        table(["looks back to", "fitted on", "Brier"], rows),
        tag("p", f"Before each block of the judged rows the same was asked anew; taken were: {', '.join(taken)}."),
    )


def curve_part(card: Card) -> Node | None:
    """The learning curve, and those of early stopping and of elimination where there are some."""
    drawn = [each for each in (_learning(card), _stopping(card), _elimination(card)) if each is not None]
    return part("Curves", grid(drawn)) if drawn else None


def _of_the_best(card: Card) -> str:
    if card.kind == "anomaly":
        return f"by {card.chosen_by}, the best of them"
    return "of those that cannot be told from the best, that with the least Brier score"


def _table(ranked: Sequence[tuple[int, Tried]], card: Card) -> Node:
    if card.kind == "anomaly":
        return _rankings(ranked, card)
    rows: list[list[Content]] = [
        [
            _named(tried, card),
            count(at),
            count(tried.rows),
            "" if tried.train_risk is None else per_thousand(tried.train_risk),
            per_thousand(tried.validation_risk),
            score(tried.brier),
        ]
        for at, tried in ranked
    ]
    made = table(["candidate", "rank", "fitted on", "train", "validation", "Brier"], rows)
    made.set("class", "wide candidates")
    return made


def _rankings(ranked: Sequence[tuple[int, Tried]], card: Card) -> Node:
    """Of a stream of anomalies: what candidates were chosen by, and average precision wherever it is known."""
    stable = card.chosen_by == "stability"
    rows: list[list[Content]] = []
    for at, tried in ranked:
        precision = "" if tried.average_precision is None else score(tried.average_precision)
        chose = [score(1 - tried.validation_risk)] if stable else []
        rows.append([_named(tried, card), count(at), count(tried.rows), *chose, precision])
    made = table(["candidate", "rank", "fitted on", *(["stability"] if stable else []), "average precision"], rows)
    made.set("class", "wide candidates")
    return made


def _named(tried: Tried, card: Card) -> Node:
    marks = [mark for mark, of in (("chosen", card.chosen), ("plain", card.plain)) if tried.candidate == of]
    made = tag("span", name(tried.candidate), title=words(tried.candidate))
    for mark in marks:
        made.append(tag("span", mark, class_="chip"))
    return made


def _learning(card: Card) -> Node | None:
    points = card.learning_curve
    if len(points) < 2:
        return None
    drawn = [
        Curve("validation", [1000 * point.validation_risk for point in points]),
        Curve("train", [1000 * point.train_risk for point in points], "second"),
    ]
    made = curves("Learning curve", [point.rows for point in points], drawn, "rows fitted on", Loss.of(card).unit)
    return figure(made, "Learning curve: the chosen candidate on ever more of the rows that fit")


def _stopping(card: Card) -> Node | None:
    ys = card.stopping_curve
    if len(ys) < 2:
        return None
    least = ys.index(min(ys)) + 1
    made = curves(
        "Early stopping", range(1, len(ys) + 1), [Curve("validation", ys)], "trees", "log loss, nats a row", least=None
    )
    caption = f"Early stopping: log loss of the rows that choose, tree by tree; least at {count(least)} trees"
    if len(card.folds) > 1 or card.scheme == "k-fold":
        caption += " in the last fold; the baseline has the folds' mean"
    return figure(made, caption)


def _elimination(card: Card) -> Node | None:
    steps = card.elimination_curve
    if len(steps) < 2:
        return None
    made = curves(
        "Elimination",
        [step.kept for step in steps],
        [Curve("logistic regression", [1000 * step.error for step in steps])],
        "columns kept",
        "errors per 1,000 rows",
    )
    rows: list[list[Content]] = [[name(step.column), count(step.kept), per_thousand(step.error)] for step in steps]
    order = table(["column that goes next", "columns kept", "errors per 1,000"], rows)
    caption = (
        "Elimination: a logistic regression loses its weakest column, again and again; errors on the newest quarter of "
        "the rows that fit"
    )
    return figure(made, caption, folded("Which column went when", order))
