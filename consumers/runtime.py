"""What a transport can tell of its process beside its tasks: by the wall clock, in no checkpoint, in no digest."""

from collections.abc import Mapping

from msgspec import Struct


class Runtime(Struct):
    """Counts that only grow, and how things stand now; the scraping thread reads it.

    The worker's thread writes it, but for what is of the registry: the thread that looks there does.

    ``away`` is why the broker cannot be reached now, empty while it answers. ``standing_by``: this process is a member
    of its group, and all partitions are others'. ``lag``: records that lie ahead in each (topic, partition) that is
    this worker's; it is replaced as a whole, never changed. ``registry_seen_at``: when the registry answered last, by
    the wall clock; 0: never.
    """

    rebalances: int = 0
    fenced: int = 0
    aborted: int = 0
    refused_checkpoints: int = 0
    misrouted: int = 0
    unavailable: int = 0
    away: str = ""
    standing_by: bool = False
    registry_faults: int = 0
    registry_seen_at: float = 0.0
    refused_swaps: int = 0
    lag: Mapping[tuple[str, int], int] = {}
