"""How many of a task's last inputs broke it: part of its state, so that restarts do not forget them."""

WINDOW = 1_000


class Skips:
    """Counts skips among the last WINDOW inputs.

    >>> skips = Skips()
    >>> skips.fed(3)
    >>> skips.skipped()
    >>> skips.recent()
    1
    >>> skips.fed(WINDOW)
    >>> skips.recent()
    0
    """

    def __init__(self) -> None:
        self.inputs = 0
        self.places: list[int] = []

    def fed(self, inputs: int) -> None:
        """Note that so many inputs have come, before any of them is called skipped."""
        self.inputs += inputs

    def skipped(self) -> None:
        """Note that one of the inputs fed last was skipped."""
        self.places = [place for place in self.places if place > self.inputs - WINDOW] + [self.inputs]

    def recent(self) -> int:
        """Skips among the last WINDOW inputs."""
        return sum(place > self.inputs - WINDOW for place in self.places)
