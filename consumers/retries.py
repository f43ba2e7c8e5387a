"""Which tasks wait to be tried again, and until when: with growing pauses, for as long as the worker bears it."""

import time

MOST_PAUSE = 30.0
"""Seconds between two tries at most."""


class Retries:
    """The tasks that failed. ``most`` failures in a row are borne; None: any number."""

    def __init__(self, most: int | None) -> None:
        self.most = most
        self.failures: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def failed(self, task: str, error: Exception) -> float:
        """A try failed; gives the seconds until the next. Raises the error that is one too many."""
        tries = self.failures[task] = self.failures.get(task, 0) + 1
        if self.most is not None and tries > self.most:
            raise error
        pause: float = min(MOST_PAUSE, 0.1 * 2 ** min(tries, 10))  # no float holds 2 to the power of a night's tries
        self._due[task] = time.monotonic() + pause
        return pause

    def due(self) -> list[str]:
        """The tasks that are to be tried again now."""
        return [task for task, at in self._due.items() if at <= time.monotonic()]

    def pause(self) -> float:
        """Seconds until the first is due; 1 at most."""
        first = min(self._due.values(), default=None)
        return 1.0 if first is None else min(1.0, max(0.0, first - time.monotonic()))

    def waits_no_more(self, task: str) -> None:
        """Nothing of the task is to be tried again; its next failure still counts on."""
        self._due.pop(task, None)

    def went_well(self, task: str) -> None:
        """The next failure is the first again."""
        self.failures.pop(task, None)
