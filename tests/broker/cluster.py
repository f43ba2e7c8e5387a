"""A real Kafka of one or more brokers on this machine, to be killed, paused and cut off.

::

    with Cluster(nodes=3) as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        kafka.kill(kafka.leader("spam.events", 0))

Each node is broker and controller. All brokers die and all data go with the process that made them, even if that is
killed with -9.
"""

import atexit
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.broker import settings
from tests.broker.errors import BrokerError
from tests.broker.metadata import Metadata
from tests.broker.node import Node
from tests.broker.ports import HOST, free_ports
from tests.broker.proxy import Proxy
from tests.broker.watchdog import Watchdog

# No second compiler: a node is up in 1.5 s instead of 2.1, three in 4.2 instead of 6, and in its first minutes the
# broker takes half the CPU from the tests beside it. A measurement of hours may want ("-Xms1g", "-Xmx1g").
JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Cluster:
    """Brokers that live as long as a ``with`` block, or until ``close``.

    Parameters
    ----------
    nodes
        How many. Topics have at most three copies; with three nodes or more, two must have a record before it counts.
    extra
        More of the brokers' properties, or others for those that ``settings`` gives.
    listeners
        More listeners beside the plain one: name to security protocol, as in ``{"SECURE": "SASL_SSL"}``. Their
        properties (``listener.name.secure...``) go into ``extra``, their addresses are ``addresses("SECURE")``.
    proxied
        Put a proxy before each node's plain listener: clients see only ``proxies``, which can cut them off.
        Brokers among themselves, ``wait_ready`` and ``leader`` go another way.
    jvm
        Options of the Java machine instead of ``JVM``.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        extra: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        proxied: bool = False,
        jvm: Sequence[str] = JVM,
    ) -> None:
        self._extra = dict(extra or {})
        self._listeners = dict(listeners or {})
        self._folder = Path(tempfile.mkdtemp(prefix="rotwatch-kafka-"))
        self._watchdog = Watchdog(self._folder)
        atexit.register(self.close)
        names = [*settings.LISTENERS, *self._listeners]
        ports = free_ports(nodes * len(names))
        self.nodes = [
            Node(
                number,
                self._folder / f"node-{number}",
                dict(zip(names, ports[number * len(names) :], strict=False)),
                jvm,
            )
            for number in range(nodes)
        ]
        self.proxies = [Proxy((HOST, node.ports["CLIENT"])) for node in self.nodes] if proxied else []
        self._configured = False

    @property
    def bootstrap(self) -> str:
        """host:port,host:port of the plain listeners, or of the proxies before them."""
        if self.proxies:
            return ",".join(f"{host}:{port}" for host, port in (proxy.address for proxy in self.proxies))
        return self.addresses("CLIENT")

    def addresses(self, listener: str) -> str:
        """host:port,host:port of a listener on all nodes; ``INNER`` is the one past the proxies."""
        return ",".join(node.address(listener) for node in self.nodes)

    def start(self, timeout: float = 60.0) -> Self:
        """Start the nodes that do not run, and wait until all answer: the first time, or again over the same data.

        Raises
        ------
        BrokerError
            There is no Java or no jars, or the brokers do not come up in ``timeout`` seconds.
        """
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            if not self._configured:
                list(pool.map(lambda node: node.configure(self._properties(node)), self.nodes))
                self._configured = True
        for node in self.nodes:
            if not node.running:
                node.start(archive=node is self.nodes[0])
        self._watch()
        self.wait_ready(timeout)
        return self

    def stop(self, timeout: float = 20.0) -> None:
        """Stop all nodes cleanly; who takes more than ``timeout`` seconds is killed. The data stay."""
        self._end([node for node in self.nodes if node.running], timeout)

    def kill(self, node: int = 0) -> None:
        """SIGKILL: gone at once, nothing is said to anybody."""
        self.nodes[node].signal(signal.SIGKILL)
        self._watch()

    def pause(self, node: int = 0) -> None:
        """SIGSTOP: connections stay open, nothing is answered."""
        self.nodes[node].signal(signal.SIGSTOP)

    def resume(self, node: int = 0) -> None:
        """SIGCONT."""
        self.nodes[node].signal(signal.SIGCONT)

    def restart(self, node: int = 0, timeout: float = 60.0) -> None:
        """Start a node again over the same data and ports, stopping it cleanly first if it runs; wait for all."""
        self._end([self.nodes[node]] if self.nodes[node].running else [], timeout)
        self.nodes[node].start()
        self._watch()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until each running node answers a client and has all running nodes registered, none fenced.

        Raises
        ------
        BrokerError
            Not in ``timeout`` seconds, or a node has died; the message ends with its log.
        """
        deadline = time.monotonic() + timeout
        wanted = {node.number for node in self.nodes if node.running}
        for node in self.nodes:
            if node.number not in wanted:
                continue
            while not wanted <= _known(node):
                dead = [other for other in self.nodes if other.number in wanted and not other.running]
                if dead or time.monotonic() > deadline:
                    what = "died while starting" if dead else f"does not answer after {timeout:g} s"
                    culprit = (dead or [node])[0]
                    raise BrokerError(f"Kafka's node {culprit.number} {what}.\n{culprit.last_words()}")
                time.sleep(0.05)

    def leader(self, topic: str, partition: int = 0) -> int:
        """The index of the node that leads a partition, as the first node knows it that answers; -1 if none leads.

        Raises
        ------
        BrokerError
            There is no such partition, or no node answers.
        """
        for node in self.nodes:
            try:
                known = Metadata(node.address("INNER"), [topic], timeout=2.0).leaders
            except OSError:  # killed or paused
                continue
            if (topic, partition) not in known:
                raise BrokerError(f"topic {topic} has no partition {partition}: create it before asking who leads it")
            return known[topic, partition]
        raise BrokerError(f"no node answers who leads partition {partition} of {topic}: start one")

    def close(self) -> None:
        """Kill what runs and remove all data. May be called twice."""
        atexit.unregister(self.close)
        for proxy in self.proxies:
            proxy.close()
        # Once for each machine and release a clean stop is worth its seconds: it halves all later starts.
        self._end([node for node in self.nodes if node.archives], 20.0)
        for node in self.nodes:
            if node.running:
                node.signal(signal.SIGKILL)
        self._watch()
        self._watchdog.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _properties(self, node: Node) -> dict[str, str]:
        advertised = dict(node.ports)
        if self.proxies:
            advertised["CLIENT"] = self.proxies[node.number].address[1]
        quorum = {other.number: other.ports["CONTROLLER"] for other in self.nodes}
        return settings.properties(node.ports, advertised, self._listeners, quorum) | self._extra

    def _end(self, nodes: Iterable[Node], timeout: float) -> None:
        ending = list(nodes)
        for node in ending:
            node.signal(signal.SIGCONT)  # a paused one cannot stop
            node.signal(signal.SIGTERM)
        deadline = time.monotonic() + timeout
        for node in ending:
            node.wait(max(0.0, deadline - time.monotonic()))
        self._watch()

    def _watch(self) -> None:
        self._watchdog.watch(node.pid for node in self.nodes if node.running)


def _known(node: Node) -> set[int]:
    """The nodes that a node takes for alive; none if it does not answer yet."""
    try:
        return Metadata(node.address("INNER"), [], timeout=2.0).nodes
    except OSError:
        return set()
