"""What a scoring task counts beside the fates of its records: losses, label delays, dead letters' reasons, skips."""

from collections.abc import Sequence

import numpy as np

from stream.prequential import MODELS, LossTotals, Scored, scored
from stream.records import Labelled
from stream.skips import Skips
from stream.totals import DELAY_EDGES, MOST_REASONS


class Tally:
    """Counts of one task; all of it is state."""

    def __init__(self) -> None:
        self.losses = {model: LossTotals() for model in MODELS}
        self.delays = np.zeros(len(DELAY_EDGES) + 1, dtype=np.int64)
        self.delay_sum = 0.0
        self.reasons: dict[str, int] = {}
        self.skips = Skips()

    def labelled(self, records: Sequence[Labelled], classes: dict[str, int], kind: str) -> dict[str, Scored]:
        """Count losses and delays of what leaves, but for corrections and unfair samples; gives the answers counted."""
        counted = [record for record in records if record.sampled and not record.correction]
        answers = scored(counted, classes)
        if counted:
            for model, batch in answers.items():
                self.losses[model].update(batch.losses(kind))
            # A time ahead is not believed, so that a delay is never negative; an implied label took no time to come.
            delays = np.array([max(0.0, record.label_time - record.time) for record in counted if not record.implied])
            self.delay_sum += float(delays.sum())
            self.delays += np.bincount(np.searchsorted(DELAY_EDGES, delays), minlength=len(self.delays))
        return answers

    def buried(self, reason: str) -> None:
        """Count a dead letter by its reason, among the first MOST_REASONS different ones."""
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
