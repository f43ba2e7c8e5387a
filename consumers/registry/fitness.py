"""Whether a registered baseline is for the stream as its settings are now."""

from stream.config import Features, Stream
from stream.training.card import Card
from stream.warmup import name_classes


def unfit(card: Card, stream: Stream) -> str:
    """Why a baseline with this card cannot score the stream, empty where it can.

    Columns are compared as the baseline is given them, so without those that are not logged: texts joined in their
    order, numbers and categories by name.
    """
    if card.kind != stream.kind:
        return f"it is for kind = {card.kind!r}, the stream has {stream.kind!r}"
    made, asked = _columns(card.features.logged), _columns(stream.features.logged)
    if made["texts"] and card.features.keep != stream.features.keep:
        return f"it is for features.keep = {card.features.keep!r}, the stream has {stream.features.keep!r}"
    for what in made:
        if made[what] != asked[what]:
            return f"its {what} are {_listed(made[what])}, the stream has {_listed(asked[what])}"
    if stream.classes and stream.kind != "anomaly":
        classes = name_classes("stream", stream, []).classes
        if list(card.classes) != classes:
            return f"its classes are {_listed(list(card.classes))}, in this order, the stream has {_listed(classes)}"
    return ""


def _columns(features: Features) -> dict[str, list[str]]:
    return {
        "texts": features.text,
        "numbers": sorted(features.numeric),
        "categories": sorted([*features.categorical, *features.onehot]),
    }


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"
