"""Free TCP ports that stay free while a broker is down."""

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """``count`` different ports of the loopback address that nobody listens on.

    Below the ports that the system gives to outgoing connections: a client that keeps on calling a dead broker
    could else be given the broker's own port, even connect to itself there, and keep the broker from coming back.
    """
    lowest = int(_EPHEMERAL.read_text("ascii").split()[0]) if _EPHEMERAL.exists() else 32_768
    found: list[int] = []
    for port in random.SystemRandom().sample(range(10_000, max(lowest, 20_000)), 1_000):
        if len(found) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
    return found
