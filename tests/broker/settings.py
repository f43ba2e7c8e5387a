"""The brokers' properties: a small cluster that starts, fails over and cleans up quickly."""

from collections.abc import Mapping

from tests.broker.ports import HOST

LISTENERS = {"CLIENT": "PLAINTEXT", "INNER": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
"""Those of every node. INNER: between brokers, and past a proxy."""

QUICK = {
    "auto.create.topics.enable": "false",
    # A group forms at once, and a member may be missed after a second.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Each partition costs time at start and when a leader changes.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    # A dead broker is missed after 3 s instead of 9.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # What waits for minutes in production, tests see within seconds.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "1000",
}


def replication(nodes: int) -> dict[str, str]:
    """Copies of internal topics, and of others by default: of three copies two must have a record."""
    copies, in_sync = str(min(nodes, 3)), "2" if nodes >= 3 else "1"
    settings = {"default.replication.factor": copies, "min.insync.replicas": in_sync}
    for topic in ("transaction.state.log", "share.coordinator.state.topic"):
        settings |= {f"{topic}.replication.factor": copies, f"{topic}.min.isr": in_sync}
    return settings | {"offsets.topic.replication.factor": copies}


def properties(
    ports: Mapping[str, int], advertised: Mapping[str, int], more: Mapping[str, str], quorum: Mapping[int, int]
) -> dict[str, str]:
    """One node's properties but its id and folder.

    Parameters
    ----------
    ports, advertised
        Listener to the port it has, and to the port that clients are told.
    more
        Listeners beside ``LISTENERS``: name to security protocol.
    quorum
        Node to its controller's port.
    """
    protocols = LISTENERS | dict(more)
    return {
        "process.roles": "broker,controller",
        "controller.quorum.voters": ",".join(f"{number}@{HOST}:{port}" for number, port in quorum.items()),
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
        "advertised.listeners": ",".join(
            f"{name}://{HOST}:{port}" for name, port in advertised.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "inter.broker.listener.name": "INNER",
        "controller.listener.names": "CONTROLLER",
        **replication(len(quorum)),
        **QUICK,
    }
