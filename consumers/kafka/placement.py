"""Which tasks a stream's role has, what each reads, and the names under which the broker knows them."""

from kafka import TopicPartition
from kafka.partitioner.default import murmur2
from msgspec import Struct

from consumers.kafka.roles import Role
from consumers.kafka.state import StateKeys
from stream.config import Stream, topic

ALL = "all"
"""The one task of a role that takes a stream as a whole."""


class Placement(Struct, frozen=True):
    """One task: its inputs, the kind of each, its part of the state topic, and how many partitions the stream has."""

    task: str
    inputs: list[TopicPartition]
    sources: list[str]
    state: TopicPartition
    partitions: int


def placement(role: Role, name: str, stream: Stream, partition: int) -> Placement:
    """The task of a partition; of a role that takes the stream as a whole, the task of all."""
    topics = [topic(name, stream, kind) for kind in role.reads]
    state = topic(name, stream, "state")
    if role.whole:
        inputs = [TopicPartition(own, p) for own in topics for p in range(stream.partitions)]
        sources = [kind for kind in role.reads for _ in range(stream.partitions)]
        return Placement(ALL, inputs, sources, TopicPartition(state, 0), stream.partitions)
    inputs = [TopicPartition(own, partition) for own in topics]
    return Placement(str(partition), inputs, list(role.reads), TopicPartition(state, partition), stream.partitions)


def placements(role: Role, name: str, stream: Stream) -> list[Placement]:
    """All tasks of a role."""
    count = 1 if role.whole else stream.partitions
    return [placement(role, name, stream, partition) for partition in range(count)]


def group_id(role: Role, name: str) -> str:
    """The consumer group of a role."""
    return f"rotwatch.{name}.{role.name}"


def transactional_id(role: Role, name: str, placed: Placement) -> str:
    """The transactional id of a task: whoever starts one fences off whoever had it before."""
    return f"rotwatch.{name}.{role.name}.{placed.state.partition}"


def state_keys(role: Role, name: str, placed: Placement, keys: list[bytes]) -> StateKeys:
    """What seals and opens a task's state; bound to the task."""
    return StateKeys(f"{name}/{role.name}/{placed.state.partition}", role.name, keys)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, by Java's default partitioner.

    >>> [partition_of(key, 4) for key in (b"a", b"b", b"c")]
    [0, 0, 2]
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)
