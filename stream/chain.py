"""Scorer, monitor and scoreboard chained in one process, as a replay runs them: itself a task."""

import pickle
from collections.abc import Mapping, Sequence

from msgspec import Struct

from stream.digest import digest
from stream.drift.comparing import Comparing
from stream.history import History
from stream.monitoring import MonitoringTask, MonitoringTotals
from stream.records import Input, Outputs, Swap
from stream.refitting import PIECE, Refitting, pieces
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.snapshot import Snapshot
from stream.totals import ScoringTotals


class ChainTotals(Struct, frozen=True):
    """The totals of the chained tasks."""

    scoring: ScoringTotals
    monitoring: MonitoringTotals | None


class Chain:
    """What leaves the scorer goes to the monitor and the scoreboard at once, in order; either may be left out.

    So may ``refitting``, which hears of both and gives the scorer another baseline now and then, ``history``, of the
    monitor for a report, and ``comparing``.
    """

    def __init__(
        self,
        scoring: ScoringTask,
        monitoring: MonitoringTask | None,
        board: Scoreboard | None,
        refitting: Refitting | None = None,
        history: History | None = None,
        comparing: Comparing | None = None,
    ) -> None:
        self.scoring = scoring
        self.monitoring = monitoring
        self.board = board
        self.refitting = refitting
        self.history = history
        self.comparing = comparing
        self.fed = 0

    def feed(self, batch: Sequence[Input]) -> Outputs:
        """Take inputs in order and answer what is to be published; raises what the scorer raises."""
        if self.refitting is None:
            return self._feed(batch)
        whole, begin = Outputs([], [], [], []), 0
        for end in pieces(len(batch), self.fed):
            out = self._feed(batch[begin:end])
            self.fed += end - begin
            begin = end
            self.refitting.hear(out.labelled)
            parts = [out]
            if self.fed % PIECE == 0:
                parts += self._refit(self.refitting)
            for part in parts:
                for kind in Outputs.__struct_fields__:
                    getattr(whole, kind).extend(getattr(part, kind))
        return whole

    def _feed(self, batch: Sequence[Input]) -> Outputs:
        out = self.scoring.feed(batch)
        if self.board is not None:
            self.board.update(out.labelled, self.scoring.counted)
        if self.comparing is not None:
            self.comparing.hear(out.profiles, out.labelled)
        if self.monitoring is not None:
            self._monitor(self.monitoring, out)
        return out

    def _monitor(self, monitoring: MonitoringTask, out: Outputs) -> None:
        records, begin = self._as_said(out), 0
        if self.history is None:
            out.alarms.extend(monitoring.feed(records).alarms)
            return
        for end, due in self.history.pieces(records):
            out.alarms.extend(monitoring.feed(records[begin:end]).alarms)
            begin = end
            if due:
                self.history.look(monitoring)

    def _as_said(self, out: Outputs) -> list[Input]:
        """What the monitor reads of the scorer's outputs, in the order in which they were said."""
        records: list[Input] = []
        said = 0
        for profile, before in zip(out.profiles, self.scoring.before, strict=True):
            records += out.labelled[said:before]
            records.append(profile)
            said = before
        return records + out.labelled[said:]

    def _refit(self, refitting: Refitting) -> list[Outputs]:
        # Until the first label of a new baseline's event, the verdict is on the one before it.
        judged = self.monitoring
        current = judged is not None and judged.judging.version == self.scoring.models.baseline_version
        verdict = judged.verdict if judged is not None and current else None
        since = judged.judging.judgement.since if judged is not None and current else None
        if refitting.due(self.scoring.models.baseline, verdict, since):
            made = refitting.fit()
            if made is not None:
                return [self._feed([Swap(made)])]
        return []

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
        state = (scoring.body, monitoring, self.board, self.refitting, self.history, self.comparing, self.fed)
        return Snapshot(pickle.dumps(state, protocol=5), scoring.segments)

    def restore(self, body: bytes, segments: Mapping[str, bytes]) -> None:
        """Take up a snapshot's state; raises StateError where a part does not fit."""
        state = pickle.loads(body)  # noqa: S301 - authenticated by whoever stores it: consumers/seal.py
        scoring, monitoring, self.board, self.refitting, self.history, self.comparing, self.fed = state
        self.scoring.restore(scoring, segments)
        if self.monitoring is not None:
            self.monitoring.restore(monitoring, {})

    def digest(self) -> str:
        """The canonical digest of all states."""
        monitoring = None if self.monitoring is None else self.monitoring.digest()
        parts = [self.board, self.refitting, self.history, self.comparing, self.fed]
        return digest([self.scoring.digest(), monitoring, *parts])
