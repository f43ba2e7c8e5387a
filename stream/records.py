"""The records: what goes into a task and what comes out of it.

Inputs are in-memory values, made by a decoder; outputs are what is published. All are
immutable, so that one can be kept, published and replayed without a copy.
"""

from typing import Any

from msgspec import Struct

from stream.profile import Profile
from stream.reference import Expected

Score = float | list[float] | None
"""What a model says of one event.

Binary: the probability of the positive class. Multiclass: one probability a class, in the order
of the stream's ``classes``. Anomaly detection: a score in [0, 1], higher is more anomalous.
None: the model was not there to score.
"""


class Event(Struct, frozen=True, gc=False):
    """Something that happened and wants a prediction.

    ``time`` is in seconds since the epoch, UTC. ``ahead`` says that ``time`` lies too far past the
    moment of receipt to be believed: the event is scored, but moves no clock. ``raw`` holds the
    record's bytes untouched, for a dead letter.
    """

    event_id: str
    time: float
    fields: dict[str, Any]
    offset: int = -1
    ahead: bool = False
    raw: bytes | None = None


class Label(Struct, frozen=True, gc=False):
    """What an event turned out to be; joined to it by ``event_id``.

    ``probability``: with which events like it get a label, as the label states; 1 where the stream states none.
    """

    event_id: str
    time: float
    label: str
    offset: int = -1
    ahead: bool = False
    raw: bytes | None = None
    probability: float = 1.0


class Undecodable(Struct, frozen=True, gc=False):
    """Bytes that are no record; ``source`` is ``events``, ``labels`` or, for a monitor, ``labelled``."""

    source: str
    reason: str
    field: str = ""
    offset: int = -1
    raw: bytes = b""


class Skip(Struct, frozen=True, gc=False):
    """A record that broke the code: the worker feeds this in its place, on every replay too.

    ``source`` is ``events``, ``labels``, ``labelled`` or ``ticks``.
    """

    source: str
    reason: str
    offset: int = -1
    raw: bytes = b""


class Tick(Struct, frozen=True, gc=False):
    """Time that passed without a record, in seconds since the epoch."""

    time: float


class Lost(Struct, frozen=True, gc=False):
    """Offsets ``first`` to ``last`` of a source were deleted by retention before they were read."""

    source: str
    first: int
    last: int

    @property
    def records(self) -> int:
        """How many offsets; at most so many records, as transactions' marks have offsets, too."""
        return self.last - self.first + 1

    def alarm(self, stream: str, time: float, verdict: str) -> "Alarm":
        """What to say of it: the kind names the source, the position is the first offset."""
        detail = {"first": float(self.first), "last": float(self.last), "records": float(self.records)}
        return Alarm(stream, self.first, "", time, f"inputs_lost:{self.source}", verdict, None, detail)


class Chosen(Struct, frozen=True):
    """A baseline that the registry names, and its skops file (which the journal leaves out: it has the digest).

    An event scored at ``threshold`` or above is called positive. ``trained_until`` is the time of the newest event that
    it has learned from, in seconds since the epoch; None: not known.
    """

    version: str
    sha256: str
    threshold: float
    trained_until: float | None = None
    artifact: bytes = b""
    expected: Expected = Expected()


class Swap(Struct, frozen=True):
    """Which baselines are in use from here on; a batch of its own.

    ``champion``: None leaves what there is. ``shadows`` are scored beside it: all of them, others are no longer.
    """

    champion: Chosen | None
    shadows: list[Chosen] = []


class Shadow(Struct, frozen=True, gc=False):
    """What a baseline that is not in use says of an event: its score, and the class that it calls."""

    score: Score
    label: str


class Prediction(Struct, frozen=True, gc=False):
    """The answer to an event, published before its label is known.

    ``score`` and ``label`` are what callers act on; ``serving`` says which model they came from. ``shadows``: what
    baselines that are not in use say, by their versions.
    ``repeated`` marks the first answer given again to a repeated event. ``label_wanted``: reviewers are asked for its
    label, and why ("random", "disagreement").
    """

    event_id: str
    time: float
    label: str
    score: Score
    serving: str
    online: Score
    baseline: Score
    online_version: str
    baseline_version: str | None
    repeated: bool = False
    shadows: dict[str, Shadow] = {}
    label_wanted: str = ""


class Labelled(Struct, frozen=True, gc=False):
    """An event with its features as they were when scored, every score, and its label.

    The training log is made of these. ``position`` is the event's place in its partition or file. ``implied``:
    nobody reported a label until maturity, and its absence means this one. ``late``: the label came
    after maturity. ``sampled`` is false for an event that was evicted from the waiting room, and for one
    that is not drawn where some are likelier to get a label (stream.sample): evidence leaves it out, so that
    what counts is a sample that depends neither on the label nor on what models say. ``correction``:
    a label that contradicts the one learned from; ``features`` is then null and the log takes this label. ``shadows``:
    what baselines that were not in use say, by their versions; one that came while the event waited has scored it then.
    ``hashed``: the words of its texts are hashes. ``partition``: the event's, 0 in a file.
    """

    event_id: str
    time: float
    position: int
    label: str
    label_time: float
    features: dict[str, Any] | None
    served: Score
    online: Score
    baseline: Score
    served_label: str
    online_label: str | None
    baseline_label: str | None
    online_version: str
    baseline_version: str | None
    implied: bool = False
    late: bool = False
    sampled: bool = True
    correction: bool = False
    shadows: dict[str, Shadow] = {}
    hashed: bool = False
    partition: int = 0


KEPT_OTHERWISE = "its texts were logged with another features.keep"
"""Why a record of the training log is of no use to a model that reads words where it has hashes, or the reverse."""


class DeadLetter(Struct, frozen=True, gc=False):
    """A record that could not be used: why, and its bytes untouched (base64 in JSON)."""

    source: str
    field: str
    reason: str
    offset: int
    payload: bytes


class References(Struct, frozen=True, tag="references", tag_field="record"):
    """What a baseline, and the online model beside it, are measured against.

    ``online_risk``: the upper end of the 95% interval of its share of errors on rows that it had not learned from,
    before the stream; None: not known. ``since``: the time, by events, when the baseline came into use: of two versions
    the one in use is that which came later.
    """

    baseline_version: str | None
    expected: Expected = Expected()
    online_risk: float | None = None
    since: float = 0.0


VERDICT = "verdict"
"""The kind of an alarm that says no more than that the verdict is another."""


class Alarm(Struct, frozen=True):
    """Something that a person or the retrainer should know.

    ``position`` and ``event_id`` name the event whose label raised it (without labels: the last event that was scored,
    and for lost inputs the first offset; then there is no id), ``kind`` the detector. ``evidence`` is the level of an
    e-detector, null for what states none; ``detail`` holds the detector's own figures, ``reason`` says what the verdict
    is by, and what to do next.
    """

    stream: str
    position: int
    event_id: str
    time: float
    kind: str
    verdict: str
    evidence: float | None
    detail: dict[str, float]
    reason: str = ""


Input = Event | Label | Labelled | References | Profile | Undecodable | Skip | Tick | Lost | Swap
"""Events, labels and swaps go to a scorer; labelled records, references and profiles to a monitor; the rest to both."""


class Outputs(Struct):
    """What one ``feed`` says, each kind in the order in which it was said."""

    predictions: list[Prediction]
    labelled: list[Labelled]
    alarms: list[Alarm]
    dead_letters: list[DeadLetter]
    profiles: list[References | Profile] = []


RECORDS: dict[str, type[Struct]] = {
    "event": Event,
    "label": Label,
    "prediction": Prediction,
    "labelled": Labelled,
    "profile": Profile,
    "references": References,
    "alarm": Alarm,
    "dead-letter": DeadLetter,
}
