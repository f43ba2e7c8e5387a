"""Calls into the Kafka client that may never come back, each with a deadline.

kafka-python's transaction calls wait without one, and a client whose thread has died answers nothing. A call runs on a
thread that belongs to the client; when its time is up the client is given up, thread and all, and a new one is made.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from stream.errors import TransportError

T = TypeVar("T")

Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Overdue(TransportError):  # noqa: N818 - says what happened to the call
    """A call has not come back in time; its client must not be used any more."""


class Deadline:
    """Runs the calls of one client, one at a time, whoever makes them; ``overdue`` once a call has not come back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.overdue = False
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, seconds: float, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """What the function gives, or raises; Overdue when ``seconds`` have passed, and at every call after that."""
        what = getattr(function, "__name__", "call")
        if self.overdue:
            raise Overdue(f"{self.name}: {what} is not tried, an earlier call has never come back")
        result: Future[T] = Future()
        self._jobs.put((result, function, args, kwargs))
        if not wait([result], seconds).done:
            self.overdue = True
            raise Overdue(f"{self.name}: {what} has not come back within {seconds:g} s")
        return result.result()

    def close(self) -> None:
        """Let the thread end behind its last call."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            result, function, args, kwargs = job
            try:
                result.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - raised again where the call was made
                result.set_exception(error)
            del job, result, function, args, kwargs  # what they hold is not kept until the next call
