"""Counts in words."""


def plural(count: int, noun: str) -> str:
    """How many of something.

    >>> plural(1, "event"), plural(1_200, "labelled event")
    ('1 event', '1,200 labelled events')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
