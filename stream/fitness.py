"""Whether what was made for a stream is for the stream as its settings are now: a baseline, or a task's whole state."""

from typing import Self

from msgspec import Struct

from stream.config import Features, Kind, Stream


class MadeFor(Struct, frozen=True):
    """What something was made for; of a binary stream the positive class is the last."""

    kind: Kind
    classes: list[str]
    features: Features

    @classmethod
    def of(cls, stream: Stream) -> Self:
        """What is made for a stream."""
        return cls(stream.kind, stream.classes, stream.features)


def unfit(made: MadeFor, stream: Stream) -> str:
    """Why a baseline cannot score the stream, empty where it can.

    Columns are compared as the baseline is given them, so without those that are not logged: texts joined in their
    order, numbers and categories by name.
    """
    return _other(made, stream, made.features.logged, stream.features.logged)


def unlike(made: MadeFor, stream: Stream) -> str:
    """Why a task's state is not for the stream, empty where it is: its online model sees the unlogged columns too."""
    if made.features.hash_bits != stream.features.hash_bits:
        return f"it is for features.hash_bits = {made.features.hash_bits}, the stream has {stream.features.hash_bits}"
    if sorted(made.features.unlogged) != sorted(stream.features.unlogged):
        return _differs("unlogged columns", made.features.unlogged, stream.features.unlogged)
    other = _other(made, stream, made.features, stream.features)
    if not other and _layout(made.features) != _layout(stream.features):
        return (
            "its features.entities are in another order: entries, statistics and horizons have to stay where they are"
        )
    return other


def _other(made: MadeFor, stream: Stream, theirs: Features, ours: Features) -> str:
    if made.kind != stream.kind:
        return f"it is for kind = {made.kind!r}, the stream has {stream.kind!r}"
    had, has = _columns(theirs), _columns(ours)
    if had["texts"] and theirs.keep != ours.keep:
        return f"it is for features.keep = {theirs.keep!r}, the stream has {ours.keep!r}"
    for what in had:
        if had[what] != has[what]:
            return _differs(what, had[what], has[what])
    if stream.classes and stream.kind != "anomaly" and made.classes != stream.classes:
        return _differs("classes", made.classes, stream.classes, ", in this order")
    return ""


def _layout(features: Features) -> list[tuple[str, str, list[str], list[float]]]:
    """By which a table keeps its numbers."""
    return [(each.by, each.value, list(each.statistics), list(each.horizons)) for each in features.entities]


def _columns(features: Features) -> dict[str, list[str]]:
    return {
        "texts": features.text,
        "numbers": sorted(features.numbers),
        "categories": sorted([*features.categorical, *features.onehot]),
    }


def _differs(what: str, theirs: list[str], ours: list[str], how: str = "") -> str:
    return f"its {what} are {', '.join(theirs) or 'none'}{how}, the stream has {', '.join(ours) or 'none'}"
