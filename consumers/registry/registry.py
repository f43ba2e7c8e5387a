"""The registry: versions of each stream's baseline, and which of them are champion and challenger.

A version is made last, in one transaction with its tags, when all its files are there: what is half-written has none.
Nothing here deletes a version or a file: a journal may name it.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import msgspec
from msgspec import Struct

from consumers.registry import database
from consumers.registry.client import NOT_THERE, code_of, connect
from consumers.registry.errors import guarded
from consumers.registry.filing import fetch, file, unless_there
from consumers.registry.history import champions, written
from consumers.registry.place import place_of
from consumers.registry.registered import Registered, read_tags, tags_of
from consumers.restoring import said
from stream.baseline import Baseline, load
from stream.config import TOPIC, Stream, dump, undump
from stream.errors import Refused, RegistryError, SettingError
from stream.fitness import unfit
from stream.registry import Registry as Settings
from stream.training.card import Card
from stream.warmup import name_classes

ARTIFACT, CARD, PAGE = "baseline.skops", "card.json", "card.html"

CHAMPION, CHALLENGER = "champion", "challenger"

MOST_VERSIONS = 2**31 - 1
"""MLflow's databases number versions with 32 bits."""

HISTORY = "champions"
"""The tag of a stream's registered model that holds its champions' numbers, the newest last."""


class InUse(Struct, frozen=True):
    """Who is champion and who challenger, at one moment."""

    champion: Registered | None
    challenger: Registered | None


class Loaded(Struct, frozen=True):
    """A version that can score: its baseline, the skops file that this came out of, and its card."""

    baseline: Baseline
    artifact: bytes
    card: Card


class _Aliases(Struct, frozen=True):
    """The numbers of champion and challenger, and those of all champions up to the present one."""

    champion: int | None
    challenger: int | None
    history: list[int]


class Registry:
    """The registry at a place.

    Making one costs nothing; the first use imports MLflow, which takes seconds. Every method raises RegistryError where
    the registry cannot be used; nothing is then changed by half. May be used from several threads.
    """

    def __init__(self, settings: Settings) -> None:
        self.place = place_of(settings)
        self._connected: Any = None

    # --------------------------------------------------------------------------------------- looking

    @property
    def made(self) -> bool:
        """Whether there is one; that of a server or of another database is taken to be there."""
        return self.place.database is None or self.place.database.exists()

    def versions(self, stream: str) -> list[Registered]:
        """All versions of a stream, the oldest first; those that somebody else has registered are left out."""
        client, name = self._client(), _model(stream)
        with self._guarded(f"the versions of {stream} cannot be listed"):
            page = client.search_model_versions(f"name='{name}'")
            found = list(page)
            while page.token:
                page = client.search_model_versions(f"name='{name}'", page_token=page.token)
                found += page
        known = [registered for one in found if (registered := read_tags(stream, one)) is not None]
        return sorted(known, key=lambda registered: registered.number)

    def version(self, stream: str, number: int) -> Registered:
        """One version; raises Refused where there is none of this number, or rotwatch has not made it."""
        client = self._client()
        none = f"{stream} has no version {number}: rotwatch models list shows those there are"
        if number > MOST_VERSIONS:
            raise self._refused(none)
        with self._guarded(f"{stream} version {number} cannot be looked up"):
            try:
                found = client.get_model_version(_model(stream), str(number))
            except Exception as error:
                if code_of(error) != NOT_THERE:
                    raise
                raise self._refused(none) from None
        return self._known(stream, found)

    def numbers(self, stream: str) -> tuple[int | None, int | None]:
        """Those of champion and challenger, to be asked every few seconds; one that is champion by now is none."""
        now = self._look(stream)
        return now.champion, None if now.challenger == now.champion else now.challenger

    def in_use(self, stream: str) -> InUse:
        """Champion and challenger; a challenger that is champion by now is none."""
        champion, challenger = (
            None if number is None else self.version(stream, number) for number in self.numbers(stream)
        )
        return InUse(champion, challenger)

    def artifact(self, registered: Registered) -> bytes:
        """A version's skops file; raises Refused where it is damaged."""
        return self._file(registered, ARTIFACT, registered.sha256)

    def card(self, registered: Registered) -> Card:
        """A version's model card; raises Refused where it is damaged or cannot be read by this code."""
        data = self._file(registered, CARD, registered.card_sha256)
        try:
            card: Card = undump(data, Card)
        except msgspec.MsgspecError as error:
            why = f"the card of {registered.name} cannot be read by this code ({error}): train it anew"
            raise self._refused(why) from error
        return card

    def load(self, registered: Registered, stream: Stream) -> Loaded:
        """A version, ready to score a stream with these settings; raises Refused with the reason where it cannot."""
        card = self.card(registered)
        named = name_classes("stream", stream, []) if stream.classes else stream
        why = unfit(card.made_for, named)
        if why:
            raise self._refused(
                f"{registered.name} was made for something else: {why}: train one for the stream as it is"
            )
        data = self.artifact(registered)
        try:
            return Loaded(load(data, stream.kind, registered.version), data, card)
        except Exception as error:  # another version of a library may raise whatever it likes
            why = f"{registered.name} cannot be loaded by this code ({said(error)}): train it anew"
            raise self._refused(why) from error

    # --------------------------------------------------------------------------------------- writing

    def prepare(self, stream: str) -> None:
        """See that a version can be added, before work that would be lost; makes the registry where there is none."""
        self._make()
        folder = self.place.folder
        with self._alone(f"no version of {stream} can be added"):
            self._look(stream)
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass

    def add(self, stream: str, artifact: bytes, card: Card, page: str | None = None) -> Registered:
        """Register a trained baseline with its card, and with the card as a page; makes the registry where none is.

        1. a run with parameters and metrics
        2. the files, and each of them read back
        3. the version with its tags
        """
        files = {ARTIFACT: artifact, CARD: msgspec.json.format(dump(card))}
        sums = [hashlib.sha256(data).hexdigest() for data in files.values()]
        if page is not None:
            files[PAGE] = page.encode()
        name, place = _model(stream), self.place
        folder = None if place.artifacts is None else f"{place.artifacts.rstrip('/')}/{stream}"
        self._make()
        with self._alone(f"{card.version} of {stream} cannot be added, there is no new version"):
            client = self._client()
            run, source = file(client, name, folder, card, files)
            unless_there(lambda: client.create_registered_model(name))
            tags = tags_of(card, sums[0], sums[1], self._look(stream).champion)
            return self._known(stream, client.create_model_version(name, source, run, tags=tags))

    def challenge(self, stream: str, number: int) -> Registered:
        """Make a version the challenger."""
        with self._alone(f"{stream} version {number} cannot be made the challenger"):
            registered = self.version(stream, number)
            self.artifact(registered)
            self._client().set_registered_model_alias(_model(stream), CHALLENGER, str(number))
            return registered

    def drop(self, stream: str) -> None:
        """Have no challenger any more; the version stays."""
        with self._alone(f"the challenger of {stream} cannot be dropped"):
            if self._look(stream).challenger is not None:
                self._drop(stream)

    def promote(self, stream: str, number: int, over: int | None) -> Registered:
        """Make a version the champion.

        ``over`` is the champion's number as the decision was made, None where there was none: if another is champion by
        now, RegistryError is raised and nothing changed.
        """
        with self._alone(f"{stream} version {number} cannot be made the champion"):
            self._undisturbed(stream, over)
            registered = self.version(stream, number)
            self.artifact(registered)
            now = self._look(stream)
            if number != over:
                self._crown(stream, number, [*now.history, number])
            if now.challenger in (number, over) and now.challenger is not None:
                with suppress(
                    Exception
                ):  # it is the champion: whoever asks sees no challenger, and the next one tidies up
                    self._drop(stream)
            return registered

    def former(self, stream: str, over: int) -> Registered:
        """The champion before the present one, ``over``, of those that have not been deleted; Refused without one."""
        self._undisturbed(stream, over)
        return self._former(stream, over)[0]

    def rollback(self, stream: str, over: int) -> Registered:
        """Make the former champion the champion again; ``over`` as in ``promote``."""
        with self._alone(f"{stream} cannot be rolled back"):
            self._undisturbed(stream, over)
            registered, history = self._former(stream, over)
            self.artifact(registered)
            self._crown(stream, registered.number, history)
            return registered

    # --------------------------------------------------------------------------------------- parts

    def _former(self, stream: str, over: int) -> tuple[Registered, list[int]]:
        """The former champion, and all champions up to it."""
        history = self._look(stream).history[:-1]
        while history:
            try:
                return self.version(stream, history[-1]), history
            except Refused:  # somebody has deleted it
                history = history[:-1]
        raise self._refused(
            f"{stream} has had no champion before version {over} that is still there: promote the one you want"
        )

    def _client(self) -> Any:
        """MLflow's client; a database that is not there or not sound is refused each time before MLflow sees it."""
        if self.place.database is not None:
            database.look(self.place.database)
        if self._connected is None:
            with self._guarded("cannot be opened"):
                self._connected = connect(self.place.uri)
        return self._connected

    def _guarded(self, what: str) -> AbstractContextManager[None]:
        return guarded(self.place.uri, what)

    @contextmanager
    def _alone(self, why_not: str) -> Iterator[None]:
        """Has the registry to itself where it is a SQLite file; ``why_not`` says what then cannot be done."""
        self._client()
        held = nullcontext() if self.place.database is None else database.alone(self.place.database)
        with self._guarded(why_not), held:
            yield

    def _make(self) -> None:
        """Make the SQLite file where there is none."""
        path = self.place.database
        if path is not None and not path.exists():
            with self._guarded("cannot be made"):
                path.parent.mkdir(parents=True, exist_ok=True)
                with database.alone(path):
                    database.make(path, connect)

    def _file(self, registered: Registered, one: str, sha256: str) -> bytes:
        try:
            with self._guarded(f"{one} of {registered.name} cannot be fetched"):
                data = fetch(self._client(), registered.run, one)
        except RegistryError as error:
            if code_of(error.__cause__) == NOT_THERE:
                # MLflow says the same where the disk is full on which it copies them.
                ways = "make room where temporary files go, put the files back in their place, or train it anew"
                raise Refused(f"{error}; {ways}") from error
            raise
        if hashlib.sha256(data).hexdigest() != sha256:
            raise self._refused(
                f"{one} of {registered.name} is not what was registered (sha256): it was damaged or exchanged; put it "
                "back from a copy, or train it anew"
            )
        return data

    def _look(self, stream: str) -> _Aliases:
        """The stream's aliases, and its history."""
        client = self._client()
        with self._guarded(f"champion and challenger of {stream} cannot be looked up"):
            try:
                found = client.get_registered_model(_model(stream))
            except Exception as error:
                if code_of(error) == NOT_THERE:
                    return _Aliases(None, None, [])
                raise
            numbers = {alias: int(number) for alias, number in found.aliases.items() if alias in (CHAMPION, CHALLENGER)}
            champion = numbers.get(CHAMPION)
            history = champions(found.tags.get(HISTORY, ""), champion)
            return _Aliases(champion, numbers.get(CHALLENGER), history)

    def _known(self, stream: str, found: Any) -> Registered:
        registered = read_tags(stream, found)
        if registered is None:
            raise self._refused(f"{stream} version {found.version} was not registered by rotwatch: it lacks the tags")
        return registered

    def _refused(self, why: str) -> Refused:
        return Refused(f"registry {self.place.uri}: {why}")

    def _undisturbed(self, stream: str, over: int | None) -> None:
        champion = self._look(stream).champion
        if champion != over:
            was = "no champion" if over is None else f"version {over} as champion"
            now = "there is none" if champion is None else f"version {champion} is"
            raise RegistryError(
                f"registry {self.place.uri}: this was decided with {was} of {stream}, and now {now}: another process "
                "changed it; nothing was done: look again (rotwatch models list)"
            )

    def _crown(self, stream: str, number: int, history: list[int]) -> None:
        """Set the alias, which is what counts; the history is written before, and read up to the alias's champion."""
        client, name = self._client(), _model(stream)
        client.set_registered_model_tag(name, HISTORY, written(history))
        client.set_registered_model_alias(name, CHAMPION, str(number))
        champion = self._look(stream).champion
        if champion != number:
            raise RegistryError(
                f"registry {self.place.uri}: version {champion} was made champion of {stream} by another process at "
                f"the same time, over version {number}: look again (rotwatch models list)"
            )

    def _drop(self, stream: str) -> None:
        self._client().delete_registered_model_alias(_model(stream), CHALLENGER)


def _model(stream: str) -> str:
    """MLflow's name of a stream's registered model."""
    if not TOPIC.fullmatch(stream):
        raise SettingError("--stream", stream, "letters of A-Z, digits, dots, underscores and dashes, to be registered")
    return f"rotwatch.{stream}"
