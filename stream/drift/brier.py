"""The Brier score of one event, in [0, 1]."""

from stream.records import Score


def brier(score: Score, place: int) -> float | None:
    """Of a model's score where the class at ``place`` is the true one; None without a score.

    Of several classes it is the sum of squares over all of them, halved (G. W. Brier 1950 does not halve it).

    >>> brier(0.9, 1), brier([0.5, 0.25, 0.25], 0)
    (0.009999999999999995, 0.1875)
    """
    if score is None:
        return None
    if isinstance(score, list):
        return min(1.0, sum((share - (at == place)) ** 2 for at, share in enumerate(score)) / 2)
    return (score - (place == 1)) ** 2
