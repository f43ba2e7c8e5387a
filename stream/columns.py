"""The settings of a stream's columns: what both models see of an event, and what is kept of it."""

from collections.abc import Collection
from typing import Literal

import msgspec
from msgspec import Struct

from stream.duration import Duration, written
from stream.errors import SettingError

Statistic = Literal["count", "mean", "spread", "deviation", "since", "risk"]

OF_VALUES = ("mean", "spread", "deviation")
"""Statistics of a number that events carry; the others are of the events themselves, or of their labels."""

Moment = Literal["hour", "weekday", "night"]


class Entity(Struct, frozen=True, forbid_unknown_fields=True):
    """What is remembered of each customer, terminal or the like that events name, as columns that both models see.

    ``by``: the field with its id. ``value``: the number whose mean and the like is meant. ``horizons``: how far each
    statistic but ``since`` looks back; what is older fades, by a factor of e in each.

    >>> week = Entity("card", "amount", ["count", "mean", "since"], [Duration.parse("7d")])
    >>> week.columns
    ['card.count.7d', 'card.amount.mean.7d', 'card.since']
    """

    by: str = ""
    value: str = ""
    statistics: list[Statistic] = []
    horizons: list[Duration] = []

    @property
    def columns(self) -> list[str]:
        """The columns that it gives: by statistic, and of each by horizon."""
        return [name for statistic in self.statistics for name in self._columns(statistic)]

    def _columns(self, statistic: Statistic) -> list[str]:
        if statistic == "since":
            return [f"{self.by}.since"]
        what = f"{self.by}.{self.value}.{statistic}" if statistic in OF_VALUES else f"{self.by}.{statistic}"
        return [f"{what}.{written(horizon)}" for horizon in self.horizons]


class Features(Struct, frozen=True, forbid_unknown_fields=True):
    """The columns that both models see.

    ``categorical`` values are hashed; those of ``onehot`` are listed beforehand, and others count as unseen.
    ``hash_bits``: words and categories share spaces of 2**hash_bits. ``text_cap`` is in characters a field.
    ``redact``: a hook, ``module:function``, through which texts go. ``keep``: texts, or hashes of their words, made
    with the key in ``word_key_file``. ``unlogged`` columns are the online model's alone, and not in the training log.
    ``moments`` of the event's time (UTC): the hour, with fractions; the weekday, 0 is Monday; whether it is night,
    before six. ``entities``: what is remembered of customers and the like; ``entity_capacity`` of each at most, those
    seen last. ``partial_entities``: although their events are spread over partitions.
    """

    text: list[str] = []
    numeric: list[str] = []
    moments: list[Moment] = []
    entities: list[Entity] = []
    entity_capacity: int = 100_000
    partial_entities: bool = False
    categorical: list[str] = []
    onehot: dict[str, list[str]] = {}
    hash_bits: int = 18
    text_cap: int = 65_536
    redact: str = ""
    keep: Literal["text", "features"] = "text"
    word_key_file: str = ""
    unlogged: list[str] = []

    @property
    def columns(self) -> list[str]:
        """All columns, in the one order in which rows are made."""
        return [*self.text, *self.numbers, *self.categorical, *self.onehot]

    @property
    def given(self) -> list[str]:
        """The columns that are fields of the event."""
        return [*self.text, *self.numeric, *self.categorical, *self.onehot]

    @property
    def derived(self) -> list[str]:
        """The columns that are made of an event's time and of what is remembered: numbers all of them."""
        return [*(f"time.{moment}" for moment in self.moments), *(name for e in self.entities for name in e.columns)]

    @property
    def numbers(self) -> list[str]:
        """The columns that are numbers, fields or derived."""
        return [*self.numeric, *self.derived]

    @property
    def keys(self) -> list[str]:
        """The fields that name entities: no columns, but kept with the row until its label has come, and logged."""
        return list(dict.fromkeys(entity.by for entity in self.entities))

    @property
    def logged(self) -> "Features":
        """The features as the training log has them and every baseline is given them."""
        return msgspec.structs.replace(self.without(self.unlogged), unlogged=[], word_key_file="")

    @property
    def hashed(self) -> bool:
        """Whether the models and the log have hashes for the words of texts."""
        return self.keep == "features" and bool(self.text)

    def without(self, columns: Collection[str]) -> "Features":
        """The features less some columns."""
        lists = {
            name: [column for column in getattr(self, name) if column not in columns]
            for name in ("text", "numeric", "categorical", "unlogged")
        }
        onehot = {column: known for column, known in self.onehot.items() if column not in columns}
        return msgspec.structs.replace(self, **lists, onehot=onehot)


def check_features(key: str, features: Features, *, baseline: bool) -> None:
    """Check what a type cannot say of what is kept; ``baseline``: one is fitted. Raises SettingError."""
    other = [name for name in features.unlogged if name not in features.given]
    if other:
        raise SettingError(f"{key}.unlogged", other[0], f"one of the columns: {', '.join(features.given)}")
    _check_entities(key, features)
    if baseline and not features.logged.columns:
        wanted = 'fewer columns: a baseline is given logged ones only (or baseline = "none")'
        raise SettingError(f"{key}.unlogged", features.unlogged, wanted)
    if features.keep == "features" and not features.word_key_file:
        wanted = "a file with the key of the words, the same for all workers (openssl rand -hex 32 makes one)"
        raise SettingError(f"{key}.word_key_file", "", wanted)


def _check_entities(key: str, features: Features) -> None:
    if features.entity_capacity < 1:
        raise SettingError(f"{key}.entity_capacity", features.entity_capacity, "at least 1")
    for at, entity in enumerate(features.entities):
        _check_entity(f"{key}.entities.{at}", features, entity)


def _check_entity(where: str, features: Features, entity: Entity) -> None:
    _check_by(where, features, entity.by)
    if entity.value and entity.value in features.unlogged:
        wanted = "a logged column: what is made of it is logged, and is made of the log when state is rebuilt"
        raise SettingError(f"{where}.value", entity.value, wanted)
    if not entity.statistics:
        raise SettingError(f"{where}.statistics", [], "at least one of count, mean, spread, deviation, since, risk")
    needs_value = any(statistic in OF_VALUES for statistic in entity.statistics)
    if needs_value and entity.value not in features.numeric:
        wanted = f"one of features.numeric ({', '.join(features.numeric)}), as {', '.join(OF_VALUES)} are of a number"
        raise SettingError(f"{where}.value", entity.value, wanted)
    if entity.value and not needs_value:
        raise SettingError(f"{where}.value", entity.value, f"left out, as only {', '.join(OF_VALUES)} are of it")
    if entity.statistics != ["since"] and not entity.horizons:
        raise SettingError(f"{where}.horizons", [], 'how far back, such as ["1d", "7d", "30d"]')
    if any(not horizon for horizon in entity.horizons):
        raise SettingError(f"{where}.horizons", 0, "more than 0")


def _check_by(where: str, features: Features, by: str) -> None:
    if not by:
        raise SettingError(f"{where}.by", "", "the field with the entity's id")
    if by in features.unlogged:
        wanted = "a logged field: ids stay with events until their labels come (hash them before they are sent)"
        raise SettingError(f"{where}.by", by, wanted)
    if by in features.numbers:
        raise SettingError(f"{where}.by", by, "a field with ids: it is a number of features.numeric")
