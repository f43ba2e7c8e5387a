"""What a scoring task has counted, as an immutable copy that a process publishes at each commit."""

from msgspec import Struct

from stream.labels import LabelCounts

DELAY_EDGES = [1.0, 10.0, 60.0, 600.0, 3600.0, 21600.0, 86400.0, 259200.0, 604800.0, 1209600.0, 2592000.0]
"""Upper edges, in seconds, of the label-delay histogram; one more bucket is above them all."""


MOST_REASONS = 20

Losses = tuple[int, dict[str, float], dict[str, float]]
"""Events, the sum of each loss, and its decayed mean."""


class InputCounts(Struct, gc=False):
    """How many inputs met each fate that does not depend on the waiting room; these only grow.

    ``lost`` counts offsets that were deleted before they were read, ``swaps`` changes of baselines: no equation has
    them.
    """

    predicted: int = 0
    repeated: int = 0
    events_dead: int = 0
    labels: int = 0
    labels_dead: int = 0
    ahead: int = 0
    skipped: int = 0
    lost: int = 0
    swaps: int = 0

    @property
    def events(self) -> int:
        """Events read."""
        return self.predicted + self.repeated + self.events_dead


class ScoringTotals(Struct, frozen=True):
    """All totals of one scoring task at one moment.

    ``losses`` has, a model, the labelled events counted, the sum of each loss and its decayed mean, and the same of
    what alerts found where positives are rare (stream/prequential.py, ALERTS); ``versions`` the same of each baseline
    that has scored some of the last, shadows too. ``delays`` counts
    label delays per bucket of DELAY_EDGES; times are seconds. ``reasons`` counts dead letters by the first
    MOST_REASONS different reasons. ``entities``, by field: those remembered, those that gave way, and labels that came
    for such.
    """

    inputs: InputCounts
    labels: LabelCounts
    waiting: int
    held: int
    early: int
    oldest_age: float
    clock: float
    losses: dict[str, Losses]
    versions: dict[str, Losses]
    delays: list[int]
    delay_sum: float
    online_version: str
    baseline_version: str | None
    shadow_versions: list[str]
    blend_weight: float | None
    reasons: dict[str, int]
    entities: dict[str, tuple[int, int, int]] = {}

    def unbalanced(self) -> str | None:
        """The equation that does not hold, written out, or None: every record is accounted for."""
        i, j = self.inputs, self.labels
        events = j.joined + j.implied + self.waiting + j.expired + j.evicted
        if i.predicted != events:
            return f"predicted {i.predicted} != joined + implied + waiting + expired + evicted = {events}"
        labels = j.joined + self.early + j.orphaned + j.duplicate + j.conflicting + i.labels_dead
        if i.labels != labels:
            return f"labels {i.labels} != joined + early + orphaned + duplicate + conflicting + dead = {labels}"
        return None
