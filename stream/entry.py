"""One event between its prediction and the end of its wait for a label."""

import msgspec
from msgspec import Struct

from stream.features import ModelInput, Row
from stream.records import Prediction

WAITING, JOINED, IMPLIED, EXPIRED, EVICTED = range(5)

UNSCORED = Prediction("", 0.0, "", None, "", None, None, "", None)
"""Stands for an event's prediction until the models have scored it."""


class Entry(Struct, gc=False):
    """One event as the tables keep it; ``row`` and the model's input are dropped once nobody needs them.

    ``x`` is the online model's input while the batch that brought the event lasts, ``packed`` the same at rest: a
    dict of words is ten times larger. ``arrived`` is the task's clock when the event came. ``label`` is the first
    label, which is learned from, ``last`` the last that contradicted what was known. ``number`` counts admissions.
    ``ours``, ``theirs``: the indices of the classes that the online model and the baseline called. ``fair``: whether
    the first label is in the sample that is judged by (stream.sample).
    """

    prediction: Prediction
    position: int
    arrived: float
    row: Row | None = None
    x: ModelInput | None = None
    packed: bytes | None = None
    state: int = WAITING
    label: int = -1
    label_time: float = 0.0
    last: int = -1
    last_time: float = 0.0
    number: int = -1
    ours: int = -1
    theirs: int = -1
    fair: bool = True

    def pack(self) -> None:
        """Put the model's input to rest; the same numbers come back, bit for bit."""
        if self.x is not None:
            self.packed = msgspec.msgpack.encode(self.x)
            self.x = None

    @property
    def gone(self) -> bool:
        """Whether nobody waits for its label any more, and none has come."""
        return self.state in (EXPIRED, EVICTED)

    def unpacked(self) -> ModelInput:
        """The online model's input."""
        if self.x is not None:
            return self.x
        return msgspec.msgpack.decode(self.packed or b"\x80", type=ModelInput)

    def drop(self) -> None:
        """Forget what only the waiting needed."""
        self.row = self.x = self.packed = None
