"""What the registry names, looked at again and again beside a worker's loop, which it must never hold up."""

import time
from threading import Event, Thread

import structlog

from consumers.registry.choosing import chosen
from consumers.registry.registry import Registry
from consumers.restoring import said
from consumers.runtime import Runtime
from stream.config import Stream
from stream.errors import Refused, RegistryError
from stream.records import Chosen, Swap
from stream.registry import Registry as Settings

log = structlog.get_logger()

LOOK_EVERY = 3.0
"""Seconds between two looks; a change is to be noticed within 10."""

FIRST_LOOK = 10.0
"""Seconds for which a worker's start waits: a champion that broke its task may have been replaced."""

AGAIN = 30.0
"""Seconds after which a version that was refused is tried again: its file may have been mended."""

Numbers = tuple[int | None, int | None]
"""Those of champion and challenger."""


class Watcher:
    """Looks at a stream's champion and challenger; ``swap`` leads to them, None while the registry names nothing.

    Where a registry in a file is not there yet, nothing is amiss. Whatever goes wrong is counted in ``runtime`` and
    logged once; ``swap`` then stays as it is.
    """

    def __init__(self, settings: Settings, name: str, stream: Stream, runtime: Runtime) -> None:
        self.swap: Swap | None = None
        self._registry = Registry(settings)
        self._name = name
        self._stream = stream
        self._runtime = runtime
        self._known: dict[int, Chosen] = {}
        self._refused: dict[int, float] = {}
        self._seen = False
        self._told = ""
        self._over = Event()
        self._looked = Event()
        self._thread = Thread(target=self._run, name=f"registry {name}", daemon=True)

    def start(self) -> None:
        """Look from now on, in a thread of its own; the first look is waited for."""
        self._thread.start()
        self._looked.wait(FIRST_LOOK)

    def stop(self) -> None:
        """Look no more; a look that is under way is left to itself."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            self.look()
            self._over.wait(LOOK_EVERY)

    def look(self) -> None:
        """Look once."""
        try:
            self._seen = self._seen or self._registry.made
            if not self._seen:
                if not self._looked.is_set():
                    log.info("there is no registry yet; the baseline of the state serves", uri=self._registry.place.uri)
                return
            named = self._registry.numbers(self._name)
            self._take(named)
        except RegistryError as error:
            self._amiss(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, a thread that dies would follow no more, in silence
            self._amiss(said(error))
        else:
            self._runtime.registry_seen_at = time.time()
            if not self._refused and all(number is None or number in self._known for number in named):
                self._told = ""
        finally:
            self._looked.set()

    def _take(self, named: Numbers) -> None:
        """Have what is named in use, each for itself: one that is refused does not hold up the other."""
        self._known = {number: one for number, one in self._known.items() if number in named}
        self._refused = {number: at for number, at in self._refused.items() if number in named}
        champion, challenger = (None if number is None else self._one(number) for number in named)
        if challenger is not None and champion is not None and challenger.version == champion.version:
            challenger = None
        shadows = [] if challenger is None else [challenger]
        # None before the first version is there; from then on a challenger that is dropped is dropped.
        if (champion or challenger or self.swap) is None:
            return
        swap = Swap(champion, shadows)
        if swap != self.swap:
            self.swap = swap
            log.info(
                "the registry's baselines come into use",
                champion=None if champion is None else champion.version,
                challenger=None if challenger is None else challenger.version,
            )

    def _one(self, number: int) -> Chosen | None:
        if number not in self._known:
            if time.monotonic() - self._refused.get(number, float("-inf")) < AGAIN:
                return None
            try:
                registered = self._registry.version(self._name, number)
                self._known[number] = chosen(self._registry, registered, self._stream)
            except RegistryError as error:
                if isinstance(error, Refused):  # else the next look tries again
                    self._refused[number] = time.monotonic()
                self._amiss(str(error))
                return None
            self._refused.pop(number, None)
        return self._known[number]

    def _amiss(self, reason: str) -> None:
        self._runtime.registry_faults += 1
        if reason != self._told:
            self._told = reason
            log.error("the registry cannot be followed; what is in use serves on", reason=reason)
