"""Calls into the Kafka client that may never come back, each with a deadline.

kafka-python's transaction calls wait without one, and a client whose thread has died answers nothing. A call runs on a
thread that belongs to the client; when its time is up the client is given up, thread and all, and a new one is made.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from stream.errors import TransportError

T = TypeVar("T")

Job = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Overdue(TransportError):  # noqa: N818 - says what happened to the call
    """A call has not come back in time; its client must not be used any more."""


class Deadline:
    """Runs the calls of one client, one at a time; ``overdue`` once a call has not come back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.overdue = False
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, seconds: float, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """What the function gives, or raises; Overdue when ``seconds`` have passed, and at every call after that."""
        what = getattr(function, "__name__", "call")
        if self.overdue:
            raise Overdue(f"{self.name}: {what} is not tried, an earlier call has never come back")
        self._jobs.put((function, args, kwargs))
        try:
            result, error = self._results.get(timeout=seconds)
        except Empty:
            self.overdue = True
            raise Overdue(f"{self.name}: {what} has not come back within {seconds:g} s") from None
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return] # what the function gave

    def close(self) -> None:
        """Let the thread end behind its last call."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, args, kwargs = job
            try:
                self._results.put((function(*args, **kwargs), None))
            except BaseException as error:  # noqa: BLE001 - raised again where the call was made
                self._results.put((None, error))
            del job, function, args, kwargs  # what they hold is not kept until the next call
