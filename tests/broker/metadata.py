"""What one particular broker knows of its cluster, asked over a connection of its own.

Not with kafka-python's clients: they choose the broker themselves, which may be the dead one, and leave the sockets
of failed attempts unclosed.
"""

import socket
from typing import Any

from kafka.errors import KafkaError
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.parser import KafkaProtocol

_VERSION = 12


class Metadata:
    """One answer of a broker.

    Parameters
    ----------
    address
        The broker's host:port.
    topics
        Those to ask about.
    timeout
        Seconds to wait for each part of the answer.

    Raises
    ------
    OSError
        It cannot be reached, does not answer in time, or not in Kafka's protocol.
    """

    def __init__(self, address: str, topics: list[str], timeout: float) -> None:
        host, _, port = address.rpartition(":")
        wanted = [MetadataRequest.MetadataRequestTopic(name=name) for name in topics]
        protocol = KafkaProtocol(client_id="rotwatch-tests")
        protocol.send_request(MetadataRequest(topics=wanted, allow_auto_topic_creation=False, version=_VERSION))
        answers: list[tuple[int, Any]] = []
        with socket.create_connection((host, int(port)), timeout) as connection:
            connection.sendall(protocol.send_bytes())
            while not answers:
                data = connection.recv(65_536)
                if not data:
                    raise ConnectionError(f"{address} hung up")
                try:
                    answers = protocol.receive_bytes(data)
                except KafkaError as error:
                    raise ConnectionError(f"{address} does not speak Kafka's protocol: {error}") from error
        answer = answers[0][1]
        self.nodes = {int(broker.node_id) for broker in answer.brokers}
        """The nodes that it takes for alive."""
        self.leaders = {
            (str(topic.name), int(partition.partition_index)): int(partition.leader_id)
            for topic in answer.topics
            for partition in topic.partitions
        }
        """(topic, partition) to node; -1 where nobody leads."""
