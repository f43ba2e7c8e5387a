"""The settings of a stream's columns: what both models see of an event, and what is kept of it."""

from collections.abc import Collection
from typing import Literal

import msgspec
from msgspec import Struct

from stream.errors import SettingError


class Features(Struct, frozen=True, forbid_unknown_fields=True):
    """The columns that both models see.

    ``categorical`` values are hashed; those of ``onehot`` are listed beforehand, and others count as unseen.
    ``hash_bits``: words and categories share spaces of 2**hash_bits. ``text_cap`` is in characters a field.
    ``redact``: a hook, ``module:function``, through which texts go. ``keep``: texts, or hashes of their words, made
    with the key in ``word_key_file``. ``unlogged`` columns are the online model's alone, and not in the training log.
    """

    text: list[str] = []
    numeric: list[str] = []
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
        return [*self.text, *self.numeric, *self.categorical, *self.onehot]

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
    other = [name for name in features.unlogged if name not in features.columns]
    if other:
        raise SettingError(f"{key}.unlogged", other[0], f"one of the columns: {', '.join(features.columns)}")
    if baseline and not features.logged.columns:
        wanted = 'fewer columns: a baseline is given logged ones only (or baseline = "none")'
        raise SettingError(f"{key}.unlogged", features.unlogged, wanted)
    if features.keep == "features" and not features.word_key_file:
        wanted = "a file with the key of the words, the same for all workers (openssl rand -hex 32 makes one)"
        raise SettingError(f"{key}.word_key_file", "", wanted)
