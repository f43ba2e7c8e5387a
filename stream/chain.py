"""Scorer, monitor and scoreboard chained in one process, as a replay runs them: itself a task."""

import pickle
from collections.abc import Mapping, Sequence

from msgspec import Struct

from stream.digest import digest
from stream.monitoring import MonitoringTask, MonitoringTotals
from stream.records import Input, Outputs
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.snapshot import Snapshot
from stream.totals import ScoringTotals


class ChainTotals(Struct, frozen=True):
    """The totals of the chained tasks."""

    scoring: ScoringTotals
    monitoring: MonitoringTotals | None


class Chain:
    """What leaves the scorer goes to the monitor and the scoreboard at once, in order; either may be left out."""

    def __init__(self, scoring: ScoringTask, monitoring: MonitoringTask | None, board: Scoreboard | None) -> None:
        self.scoring = scoring
        self.monitoring = monitoring
        self.board = board

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order and answer what is to be published; raises what the scorer raises."""
        out = self.scoring.feed(batch)
        if self.board is not None:
            self.board.update(out.labelled, self.scoring.counted)
        if self.monitoring is not None:
            out.alarms.extend(self.monitoring.feed(out.labelled).alarms)
        return out

    def recent_skips(self) -> int:
        """Skips among the scorer's last inputs."""
        return self.scoring.recent_skips()

    def totals(self) -> ChainTotals:
        """An immutable copy of all counts."""
        return ChainTotals(self.scoring.totals(), None if self.monitoring is None else self.monitoring.totals())

    def snapshot(self) -> Snapshot:
        """All states in one; holds pickles, so whoever stores it must authenticate it."""
        scoring = self.scoring.snapshot()
        monitoring = None if self.monitoring is None else self.monitoring.snapshot().body
        return Snapshot(pickle.dumps((scoring.body, monitoring, self.board), protocol=5), scoring.segments)

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's state; raises StateError where a part does not fit."""
        scoring, monitoring, self.board = pickle.loads(body)  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py
        self.scoring.restore(scoring, segments)
        if self.monitoring is not None:
            self.monitoring.restore(monitoring, {})

    def digest(self) -> str:
        """The canonical digest of all states."""
        monitoring = None if self.monitoring is None else self.monitoring.digest()
        return digest([self.scoring.digest(), monitoring, self.board])
