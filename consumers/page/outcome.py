"""What a replay came to, as far as its page shows it."""

from typing import Any

from msgspec import Struct

from stream.chain import ChainTotals
from stream.config import Stream
from stream.history import History, Point
from stream.monitoring import MonitoringTotals
from stream.records import VERDICT, Alarm
from stream.refitting import Refitted


class Outcome(Struct, kw_only=True):
    """A replay's figures, all from after the warm-up; ``history`` is there where a monitor was listened to."""

    stream: str
    settings: Stream
    totals: ChainTotals
    models: dict[str, dict[str, Any]]
    alarms: list[Alarm]
    retrains: list[Refitted]
    segments: list[dict[str, Any]] = []
    history: History | None = None

    @property
    def raised(self) -> int:
        """Alarms, but for what says no more than that the verdict is another."""
        return sum(alarm.kind != VERDICT for alarm in self.alarms)

    @property
    def monitoring(self) -> MonitoringTotals | None:
        """What the monitor said last."""
        return self.totals.monitoring

    @property
    def points(self) -> list[Point]:
        """Those of the history."""
        return [] if self.history is None else self.history.points
