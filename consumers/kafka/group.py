"""A worker's membership in a consumer group: which partitions it has, since which generation, and their records.

A rebalance only marks what has changed; what follows from it is done behind ``poll``, since blocking calls are
forbidden in a listener. A partition that comes is paused where it is until somebody seeks: nothing is read from a
position that the state did not name, and the client's own reset policy never decides.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka import errors as kafka_errors
from kafka.coordinator.assignors.range import RangePartitionAssignor

from consumers.kafka.client import open_client, told
from consumers.kafka.deadline import Deadline, Overdue
from stream.errors import Unavailable

log = structlog.get_logger()

CALL = 30.0
"""Seconds that a call may take beyond its own timeout."""

MOST_POLLED = 8_192


class OneMember(RangePartitionAssignor):  # type: ignore[misc] # kafka-python has no types
    """All partitions to one member, the first by its id; the others stand by. For a task that needs them all."""

    name = "rotwatch-one-member"

    @classmethod
    def assign(cls, cluster: Any, members: Any) -> Any:
        """See AbstractPartitionAssignor; the range assignor's answer for the first member alone."""
        first = min(members, key=lambda member: member.member_id)
        given = super().assign(cluster, [first])
        nothing = super().assign(_NoPartitions(), members)
        return {**nothing, **given}


class _NoPartitions:
    """A cluster in which no topic has partitions."""

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set()


class Marks(ConsumerRebalanceListener):  # type: ignore[misc] # as above
    """Notes what a rebalance takes and gives; runs on the client's own thread, and must not wait there."""

    def __init__(self, rebalances: int = 0) -> None:
        self.consumer: KafkaConsumer | None = None
        self.taken: set[TopicPartition] = set()
        self.given: set[TopicPartition] = set()
        self.rebalances = rebalances

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """All partitions are taken at the beginning of a rebalance."""
        self.taken |= revoked
        self.given -= revoked

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """These are given at its end; they stay where they are until somebody seeks."""
        self.rebalances += 1
        self.given |= assigned
        assert self.consumer is not None  # noqa: S101 - set before it subscribes
        self.consumer.pause(*assigned)
        for tp in assigned:
            self.consumer.seek(tp, 0)


def _fetch(consumer: KafkaConsumer, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
    """The part of a poll behind the group's."""
    _free(consumer)
    fetched: dict[TopicPartition, list[Any]]
    fetched, idle = consumer._fetcher.fetch_records(MOST_POLLED, timeout_ms=timeout_ms)  # noqa: SLF001 - no public way
    if idle and not fetched:
        time.sleep(timeout_ms / 1000)  # nothing is asked for: all is paused, say
    return fetched


def _poll(consumer: KafkaConsumer, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
    """Poll; see _free."""
    _free(consumer)
    fetched: dict[TopicPartition, list[Any]] = consumer.poll(timeout_ms=timeout_ms)
    return fetched


def _free(consumer: KafkaConsumer) -> None:
    """See to it that what a pause has set aside comes back after the resume.

    kafka-python 3.0.12 takes it up again only while it has no partition in hand; one that it has read to its end stays
    in hand for ever, and the resumed partition is never fetched again.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - there is no public way
    if fetcher._next_partition_records is not None and not fetcher._next_partition_records:  # noqa: SLF001 - as above
        fetcher._next_partition_records = None  # noqa: SLF001 - as above


class Group:
    """A consumer that is a member of a group; raises Unavailable where the broker does not answer.

    ``member``: the group's metadata as it was when the partitions were given. Commits carry that, never the client's
    own of the moment: a member that the group has thrown out has none, and the broker lets offsets without a
    generation pass.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        group: str,
        topics: Sequence[str],
        *,
        session_timeout: float,
        poll_interval: float,
        one_member: bool,
    ) -> None:
        self.group = group
        self.topics = list(topics)
        self.member: Any = None
        self._settings = {
            **connection,
            "group_id": group,
            "isolation_level": "read_committed",
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "partition_assignment_strategy": [OneMember if one_member else RangePartitionAssignor],
            "session_timeout_ms": int(session_timeout * 1000),
            "heartbeat_interval_ms": int(session_timeout * 1000 / 4),
            "max_poll_interval_ms": int(poll_interval * 1000),
            "request_timeout_ms": max(15_000, int(poll_interval * 1000) + 5_000),  # a join may wait for as long
            "max_poll_records": MOST_POLLED,
            "max_partition_fetch_bytes": 4 * 1024 * 1024,
            "fetch_max_wait_ms": 250,
            "retry_backoff_ms": 50,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
            "bootstrap_timeout_ms": 5_000,
        }
        self._deadline = Deadline(f"consumer {group}")
        self._consumer: KafkaConsumer | None = None
        self._marks = Marks()

    @property
    def rebalances(self) -> int:
        """How many rebalances this client has seen to their end."""
        return self._marks.rebalances

    def poll(self, timeout: float) -> dict[TopicPartition, list[Any]]:
        """Records that have come, within ``timeout`` seconds."""
        consumer = self._open()
        fetched: dict[TopicPartition, list[Any]] = self._call(timeout, _poll, consumer, timeout_ms=int(timeout * 1000))
        return fetched

    def fetch(self, timeout: float) -> dict[TopicPartition, list[Any]]:
        """As poll, but without asking the group: nothing is taken or given by it."""
        fetched: dict[TopicPartition, list[Any]] = self._call(
            timeout, _fetch, self._open(), timeout_ms=int(timeout * 1000)
        )
        return fetched

    def changes(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        """What rebalances have taken and then given since this was last asked."""
        marks = self._marks
        if marks.given:
            self.member = self._call(0, self._open().group_metadata)
        taken, given = marks.taken, marks.given
        marks.taken, marks.given = set(), set()
        return taken, given

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, str] | None]:
        """The group's offset and metadata of each partition, None where there is none."""
        consumer = self._open()
        answer: dict[TopicPartition, tuple[int, str] | None] = {}
        for tp in partitions:
            known = self._call(CALL, consumer.committed, tp, metadata=True, timeout_ms=int(CALL * 1000))
            answer[tp] = None if known is None or known.offset < 0 else (known.offset, known.metadata or "")
        return answer

    def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from here, each partition."""
        consumer = self._open()
        for tp, offset in positions.items():
            self._call(0, consumer.seek, tp, offset)
        self.resume(list(positions))

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch no more of these for now; what has been fetched is kept."""
        if partitions:
            self._call(0, self._open().pause, *partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch these again."""
        if partitions:
            self._call(0, self._open().resume, *partitions)

    def position(self, tp: TopicPartition) -> int:
        """The next offset that will be fetched."""
        return int(self._call(0, self._open().position, tp, timeout_ms=1000) or 0)

    def ends(self, partitions: Sequence[TopicPartition], within: float) -> dict[TopicPartition, int]:
        """The offset behind the last committed record of each partition, if the broker says it in time (seconds)."""
        found: dict[TopicPartition, int] = self._call(
            within, self._open().end_offsets, list(partitions), timeout_ms=int(within * 1000)
        )
        return found

    def begins(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset that there is of each partition."""
        found: dict[TopicPartition, int] = self._call(
            CALL, self._open().beginning_offsets, list(partitions), timeout_ms=int(CALL * 1000)
        )
        return found

    def highwater(self, tp: TopicPartition) -> int | None:
        """The end of a partition when it was last fetched from, open transactions included; None before."""
        found: int | None = self._call(0, self._open().highwater, tp)
        return found

    def abandon(self, had: set[TopicPartition]) -> None:
        """Give the client up, and the partitions that it had; the next call is another client's, a new member."""
        self.close()
        self._deadline = Deadline(f"consumer {self.group}")
        self._marks = Marks(self._marks.rebalances)
        self._marks.taken = set(had)

    def close(self) -> None:
        """Leave the group: others have the partitions at once."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._let_go(consumer)
        self._deadline.close()

    def _let_go(self, consumer: KafkaConsumer) -> None:
        if self._deadline.overdue:
            return  # it answers no more
        try:
            self._deadline.call(5.0, consumer.close, autocommit=False, timeout_ms=3000)
        except Exception as error:  # noqa: BLE001 - it is given up in any case
            log.debug("consumer not closed in order", group=self.group, reason=repr(error))

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            consumer = self._call(CALL, open_client, KafkaConsumer, **self._settings)
            self._marks.consumer = consumer
            try:
                self._call(0, consumer.subscribe, self.topics, listener=self._marks)
                for topic in self.topics:
                    # A leader that joins before it knows the partitions gives none away, and has to join again.
                    self._call(CALL, consumer.partitions_for_topic, topic)
            except BaseException:
                self._let_go(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    def _call(self, seconds: float, function: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._deadline.call(seconds + CALL, function, *args, **kwargs)
        except kafka_errors.OffsetOutOfRangeError:
            raise
        except (Overdue, kafka_errors.KafkaError, AssertionError, KeyError) as error:
            raise Unavailable(f"group {self.group}: {told(error)}") from error
