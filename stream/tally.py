"""What a scoring task counts beside the fates of its records: losses, label delays, dead letters' reasons."""

from collections.abc import Sequence

import numpy as np

from stream.prequential import MODELS, LossTotals, Scored, by_version, scored
from stream.records import Labelled
from stream.totals import DELAY_EDGES, MOST_REASONS, Losses

MOST_VERSIONS = 8
"""Baselines whose losses are told apart, those seen last: one in use, shadows, and who was before."""


class Tally:
    """Counts of one task; all of it is state. ``versions``: the losses of each baseline that scored, served or not."""

    def __init__(self) -> None:
        self.losses = {model: LossTotals() for model in MODELS}
        self.versions: dict[str, LossTotals] = {}
        self.delays = np.zeros(len(DELAY_EDGES) + 1, dtype=np.int64)
        self.delay_sum = 0.0
        self.reasons: dict[str, int] = {}

    def labelled(self, records: Sequence[Labelled], classes: dict[str, int], kind: str) -> dict[str, Scored]:
        """Count losses and delays of what leaves, but for corrections and unfair samples; gives the answers counted."""
        counted = [record for record in records if record.sampled and not record.correction]
        answers = scored(counted, classes)
        if counted:
            for model, batch in answers.items():
                self.losses[model].update(batch.losses(kind))
            for version, batch in self._of_versions(counted, answers, classes).items():
                self.versions[version] = self.versions.pop(version, LossTotals())  # the one seen last comes last
                self.versions[version].update(batch.losses(kind))
                if len(self.versions) > MOST_VERSIONS:
                    del self.versions[next(iter(self.versions))]
            # A time ahead is not believed, so that a delay is never negative; an implied label took no time to come.
            delays = np.array([max(0.0, record.label_time - record.time) for record in counted if not record.implied])
            self.delay_sum += float(delays.sum())
            self.delays += np.bincount(np.searchsorted(DELAY_EDGES, delays), minlength=len(self.delays))
        return answers

    def _of_versions(
        self, counted: Sequence[Labelled], answers: dict[str, Scored], classes: dict[str, int]
    ) -> dict[str, Scored]:
        version = counted[0].baseline_version
        if version is None or any(r.baseline_version != version or r.shadows for r in counted):
            return by_version(counted, classes)
        return {version: answers["baseline"]}  # one baseline for all, as it mostly is: counted already

    def shown(self, version: str | None) -> tuple[dict[str, Losses], dict[str, Losses]]:
        """The losses of each model and of each baseline's version, as a copy; ``version``: of the one in use.

        The baseline's means are those of the one in use alone; its sums have what the ones before did, too.
        """
        models = {model: total.shown() for model, total in self.losses.items()}
        versions = {name: total.shown() for name, total in self.versions.items()}
        events, sums, _ = models["baseline"]
        models["baseline"] = events, sums, versions[version][2] if version in versions else {}
        return models, versions

    def buried(self, reason: str) -> None:
        """Count a dead letter by its reason, among the first MOST_REASONS different ones."""
        if reason in self.reasons or len(self.reasons) < MOST_REASONS:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
