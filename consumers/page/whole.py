"""The page of a model card as a whole."""

from consumers.page.data import data
from consumers.page.document import document
from consumers.page.figures import count, span
from consumers.page.inputs import inputs
from consumers.page.loss import Loss
from consumers.page.markup import Content, Node, name, tag
from consumers.page.recipe import words
from consumers.page.scores import scores
from consumers.page.search import candidates, curve_part, how_far_back
from consumers.page.spans import dates, standing
from consumers.page.tables import facts, figure, part
from consumers.page.verdicts import listed, verdicts
from stream.training.card import Card


def page(card: Card) -> str:
    """The card as one HTML file to read: no script, nothing to fetch."""
    title = f"{card.stream}, baseline {card.version}: model card"
    parts = (
        data(card),
        candidates(card),
        how_far_back(card),
        curve_part(card),
        scores(card),
        inputs(card),
        _made(card),
    )
    return document(title, *_first(card), *parts)


def _first(card: Card) -> list[Content]:
    """What it is, and the verdicts."""
    of_risk = "Risk on the judged rows, with its 95% interval"
    trained = f"Trained on {count(card.rows)} rows" + (f", {dates(card)}" if dates(card) else "") + "."
    return [
        tag(
            "header",
            tag("p", "Model card", class_="kind"),
            tag("h1", name(card.stream), " ", tag("small", "baseline ", tag("code", card.version))),
            tag("p", f"{words(card.recipe)}.", class_="recipe"),
            tag("p", trained, class_="small-print"),
        ),
        *listed(verdicts(card)),
        *([figure(standing(card, Loss.of(card).unit), of_risk)] if card.risk.rows else []),
    ]


def _made(card: Card) -> Node:
    """How to make it again."""
    told: dict[str, Content] = {
        "Recipe": tag("code", card.recipe),
        "Kind of stream": card.kind,
        "Seed": str(card.seed),
        "Took": span(card.seconds),
        "Fingerprint of the data": tag("code", card.fingerprint),
        "Interval of the risk": (
            f"{card.risk.method}. It holds for rows drawn independently from what the stream is now, and says nothing "
            "of what the stream will be. It is the recipe's, fitted on rows before those that it answers; the baseline "
            "itself has then learned from the judged rows too."
        ),
    }
    if card.packages:
        told["Packages"] = ", ".join(f"{package} {version}" for package, version in card.packages.items())
    return part("How it was made", facts(told))
