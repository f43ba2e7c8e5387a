"""The part on the data: rows, times, classes, what was left out, and which rows fit, choose and judge."""

from consumers.page.figures import count, percent, span
from consumers.page.markup import Content, Node
from consumers.page.spans import dates, scheme
from consumers.page.tables import facts, figure, grid, named, part, shares
from stream.training.card import Card
from stream.training.imported import IMPORTED
from stream.training.splits import LEAVE_ONE_OUT


def data(card: Card) -> Node:
    """What the baseline was trained on, and how it was judged."""
    told: dict[str, Content] = {"Rows": count(card.rows)}
    if card.first is not None and card.last is not None:
        told["Time"] = f"{dates(card)} ({span(card.last - card.first)})"
    fitted = "all of them, the judged rows included"
    if card.fitted != card.rows:
        fitted = f"the newest {count(card.fitted)}, the judged rows included"
        if card.kind == "anomaly":
            fitted = f"{count(card.fitted)} of them: a classifier needs labels, a detector may have to have clean rows"
    if card.fitted:
        told["The baseline has learned from"] = fitted
    told["Validation"] = _scheme(card)
    content: list[Content] = [facts(told)]
    figures = [figure(scheme(card), "Which rows fit, choose and judge")] if card.folds else []
    labelled = sum(card.classes.values())
    classes = named(card.classes)
    if card.kind == "anomaly" and labelled < card.rows:
        classes.append(("without a label", card.rows - labelled))
        labelled = card.rows
    figures.append(figure(shares(["class"], classes, labelled), "Classes"))
    out = sum(card.left_out.values())
    if out:
        caption = f"Left out: {count(out)} rows, {percent(out, out + card.rows)} of all that were read"
        figures.append(figure(shares(["reason"], named(card.left_out), out + card.rows), caption))
    return part("Data", *content, grid(figures))


def _scheme(card: Card) -> str:
    if card.scheme == IMPORTED:
        return "trained elsewhere, and judged by these rows, which it must not have been trained on"
    before = card.rows - card.judged_rows
    if card.scheme == "split":
        return "one split, in the order of time: rows fit, newer ones choose, and the newest judge"
    if card.scheme == "expanding":
        return (
            f"{len(card.folds)} folds, in the order of time: each is predicted by what lies before it, and the newest "
            "rows judge"
        )
    if card.scheme == "k-fold":
        how = (
            "one row at a time is left out"
            if before and card.rows < LEAVE_ONE_OUT and card.kind != "anomaly"
            else "a fold at a time is left out"
        )
        return (
            f"k-fold, without regard to time: {how} of {count(before)} rows drawn, and the other "
            f"{count(card.judged_rows)} judge"
        )
    return card.scheme
