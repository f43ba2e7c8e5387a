"""Keeps records within the size that a broker takes."""

from msgspec.structs import replace

from stream.records import Labelled

MOST = 65_536


def cap(labelled: Labelled, most: int = MOST) -> Labelled:
    """The record with at most ``most`` characters in its features' texts; the longest of them are cut to one length.

    >>> row = {"s": "hi", "b": "hello you"}
    >>> cap(Labelled("a", 0.0, 0, "ham", 0.0, row, None, None, None, "", None, None, "", None), 8).features
    {'s': 'hi', 'b': 'hello '}
    """
    features = labelled.features
    if features is None:
        return labelled
    lengths = sorted(len(value) for value in features.values() if type(value) is str)
    if sum(lengths) <= most:
        return labelled
    left = most
    while lengths and lengths[0] * len(lengths) <= left:  # those that are shorter than an even share stay whole
        left -= lengths.pop(0)
    share = left // len(lengths)
    cut = {name: value[:share] if type(value) is str else value for name, value in features.items()}
    return replace(labelled, features=cut)
