"""The part on inputs: what each column and the score looked like in training, for drift to be compared with."""

from collections.abc import Mapping

from consumers.page.figures import count, percent
from consumers.page.histograms import FEW, Spread, drawn, lines
from consumers.page.markup import Content, Node, name, names, seen, tag
from consumers.page.tables import figure, folded, grid, named, part, shares
from stream.features import TEXT
from stream.reference import Histogram
from stream.training.card import Card

SHOWN = 24
"""Columns that are shown at once; the others are folded away."""

CATEGORIES = 12
"""Categories of a column that are shown at once."""


def inputs(card: Card) -> Node:
    """Columns kept and dropped, and the reference of each."""
    columns = card.features.columns
    kept = set(card.kept)
    dropped = [column for column in columns if column not in kept]
    content: list[Content] = []
    if dropped:
        used = [column for column in columns if column in kept]
        content.append(
            tag(
                "p",
                f"{count(len(used))} of {count(len(columns))} columns are used: ",
                *names(used),
                ". Dropped: ",
                *names(dropped),
                ".",
            )
        )
    elif columns:
        content.append(tag("p", "All of the columns are used: ", *names(columns), "."))
    content.append(
        tag(
            "p",
            f"What {count(card.reference.rows)} rows looked like in training; drift is measured against it. Histograms "
            "are drawn from counts between about twenty quantiles: inside a bin rows are spread evenly.",
        )
    )
    figures = [_scores(card)]
    figures += [_histogram(card, column, histogram) for column, histogram in card.reference.histograms.items()]
    figures += [_categories(card, column, counts) for column, counts in card.reference.categories.items()]
    content.append(grid(figures[:SHOWN], small=True))
    if figures[SHOWN:]:
        content.append(folded(f"{count(len(figures) - SHOWN)} more", grid(figures[SHOWN:], small=True)))
    return part("Reference", *content)


def _scores(card: Card) -> Node:
    binary = len(card.classes) == 2
    title = "Score of the positive class" if binary else "Score of the likeliest class"
    return _drawn(title, "score", [title], card.reference.scores, card.threshold if binary else None)


def _histogram(card: Card, column: str, histogram: Histogram) -> Node:
    if column == TEXT and card.features.text:
        return _drawn("Length of the text", "characters", ["Length of the text"], histogram)
    missing = card.reference.missing.get(column, 0)
    return _drawn(seen(column), "value", [name(column), _missing(missing, card.reference.rows)], histogram)


def _drawn(title: str, unit: str, caption: list[Content], histogram: Histogram, threshold: float | None = None) -> Node:
    if len(histogram.edges) < FEW:
        counts: list[tuple[Content, int]] = [*lines(histogram)]
        if not counts:
            return figure(tag("p", "No values."), tag("span", *caption))
        return figure(shares(["value"], counts, sum(histogram.counts)), tag("span", *caption))
    beyond = Spread(histogram).beyond()
    note = tag("p", f"Not drawn: {beyond}.", class_="small-print") if beyond else None
    return figure(drawn(title, unit, histogram, threshold), tag("span", *caption), note)


def _categories(card: Card, column: str, counts: Mapping[str, int]) -> Node:
    rows = card.reference.rows
    caption = tag("span", name(column), _missing(card.reference.missing.get(column, 0), rows))
    others = counts.get("", 0)
    told: list[tuple[Content, int]] = named({key: number for key, number in counts.items() if key})
    rest = [("all others", others)] if others else []
    first = shares(["category"], [*told[:CATEGORIES], *([] if told[CATEGORIES:] else rest)], rows)
    if not told[CATEGORIES:]:
        return figure(first, caption)
    more = shares(["category"], [*told[CATEGORIES:], *rest], rows)
    return figure(first, caption, folded(f"{count(len(told) - CATEGORIES)} more", more))


def _missing(missing: int, rows: int) -> str | None:
    return f", missing in {percent(missing, rows)}" if missing else None
