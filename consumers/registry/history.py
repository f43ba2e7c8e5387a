"""Who was champion before: numbers in a tag. The alias tells who is, whatever is written behind it."""

REMEMBERED = 200
"""Champions that are written down."""


def champions(written: str, champion: int | None) -> list[int]:
    """The champions' numbers up to the present one.

    What is behind it was written for a promotion that did not come about; one that is not in it was made champion by
    somebody else's hand.

    >>> champions("3 4 5", 4), champions("3 4 5", 9), champions("3 4 5 4", 4)
    ([3, 4], [3, 4, 5, 9], [3, 4, 5, 4])
    """
    history = [int(part) for part in written.split() if part.isdecimal()]
    if champion is None:
        return history
    if champion not in history:
        return [*history, champion]
    return history[: len(history) - history[::-1].index(champion)]


def written(history: list[int]) -> str:
    """The tag's value."""
    return " ".join(map(str, history[-REMEMBERED:]))
