"""What a transport can tell of its process beside its tasks: by the wall clock, in no checkpoint, in no digest."""

from collections.abc import Mapping

from msgspec import Struct


class Runtime(Struct):
    """Counts that only grow, and how things stand now; the worker's thread writes it, the scraping thread reads it.

    ``away`` is why the broker cannot be reached now, empty while it answers. ``standing_by``: this process is a member
    of its group, and all partitions are others'. ``lag``: records that lie ahead in each (topic, partition) that is
    this worker's; it is replaced as a whole, never changed.
    """

    rebalances: int = 0
    fenced: int = 0
    aborted: int = 0
    refused_checkpoints: int = 0
    misrouted: int = 0
    unavailable: int = 0
    away: str = ""
    standing_by: bool = False
    lag: Mapping[tuple[str, int], int] = {}
