"""Keys that producers put elsewhere than where they belong are counted, whatever the size of the fetches."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from consumers.kafka.backlog import Backlog
from consumers.kafka.placement import partition_of
from consumers.runtime import Runtime

PARTITIONS = 4
KEYS = [f"e{i}".encode() for i in range(4_000)]
HERE = [key for key in KEYS if partition_of(key, PARTITIONS) == 1]
ELSEWHERE = [key for key in KEYS if partition_of(key, PARTITIONS) != 1]


def misrouted(keys: list[Any], fetch: int, partitions: int = PARTITIONS) -> int:
    """How many are counted when so many are fetched at once."""
    runtime = Runtime()
    group: Any = None  # routes are looked at without it
    backlog = Backlog(group, runtime, partitions)
    records = [SimpleNamespace(key=key, offset=offset) for offset, key in enumerate(keys)]
    for at in range(0, len(records), fetch):
        backlog.check_routes(TopicPartition("s.events", 1), records[at : at + fetch])
    return runtime.misrouted


@pytest.mark.parametrize("fetch", [1, 3, 8, 1_000])
def test_one_in_eight_records_is_looked_at_however_many_come_at_once(fetch):
    assert misrouted(ELSEWHERE[:800], fetch) == 100
    assert misrouted(HERE[:800], fetch) == 0
    mixed = [key for pair in zip(HERE, ELSEWHERE, strict=False) for key in pair][:801]
    assert misrouted(mixed, fetch) + misrouted(mixed[1:], fetch) == 100  # every eighth is from one of the two


def test_a_record_without_a_key_is_nowhere_right():
    assert misrouted([None] * 80, 10) == 10


def test_with_one_partition_nothing_can_be_wrong():
    assert misrouted(ELSEWHERE, 10, partitions=1) == 0
