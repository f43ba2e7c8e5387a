"""Every error that rotwatch raises on purpose.

::

    RotwatchError
    ├── SettingError      a setting is wrong: its key, its value, what is allowed
    ├── RecordError       one record cannot be used: its field and why (it becomes a dead letter)
    ├── ModelError        a model answered with something that is no score
    ├── TrainingError     a model cannot be trained on these rows
    ├── StateError        a snapshot or a store cannot be read, or belongs to something else
    ├── RegistryError     the registry cannot be used now, or does not do what was asked; what is in use stays
    │   └── Refused       a registered version cannot be used: damaged, or made for something else
    ├── SourceError       an input file or data set cannot be read
    └── TransportError    records could not be moved
        ├── Fenced        somebody newer owns this task; stop at once, publish nothing
        ├── CommitFailed  the batch is durable as a whole or not at all; recover the task and go on
        └── Unavailable   the broker or the disk does not answer now; try again

A message says what was wrong, where, and what to do.
"""


class RotwatchError(Exception):
    """The root: catching it catches everything that rotwatch raises on purpose."""


class SettingError(RotwatchError):
    """A setting is wrong.

    >>> str(SettingError("streams.spam.seed", "x", "a whole number"))
    "setting streams.spam.seed = 'x': must be a whole number"
    """

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"setting {key} = {value!r}: must be {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


class RecordError(RotwatchError):
    """One record cannot be used; ``field`` names the field, or is empty for the whole record."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"field {field!r}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class ModelError(RotwatchError):
    """A model answered with something that is no score."""


class TrainingError(RotwatchError):
    """A model cannot be trained on these rows."""


class StateError(RotwatchError):
    """A snapshot or a store cannot be read, or belongs to something else."""


class RegistryError(RotwatchError):
    """The registry cannot be used now, or does not do what was asked. Nothing was changed by half."""


class Refused(RegistryError):  # noqa: N818 - says what happened, as the worker reads it
    """A registered version cannot be used, and asking again will not help; whoever is in use stays."""


class SourceError(RotwatchError):
    """An input file or data set cannot be read."""


class TransportError(RotwatchError):
    """Records could not be moved."""


class Fenced(TransportError):  # noqa: N818 - the broker's own word for it
    """Somebody newer owns this task; stop at once, publish nothing."""


class CommitFailed(TransportError):  # noqa: N818 - says what happened, as the worker reads it
    """The batch was made durable as a whole or not at all: recovering the task tells. Then go on."""


class Unavailable(TransportError):  # noqa: N818 - says what happened, as the worker reads it
    """The broker or the disk does not answer now; try again."""
