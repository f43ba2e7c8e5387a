"""The same work on a real broker, hosted by us, by Quix Streams, and by a plain at-least-once loop, in one run.

CPU seconds and events a second on topics filled beforehand; latency at half of our greatest rate, as a reader of
committed data sees it (of the plain loop: any reader); and from kill -9 to the first answer again.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.kafka_load import Host, Load, delays, hosted, quantile, throughput
from bench.report import Figure, at_least, at_most, publish
from tests.broker.cluster import Cluster

EVENTS = int(os.environ.get("PEERS_EVENTS", "100000"))
ROUNDS = int(os.environ.get("PEERS_ROUNDS", "3"))
SECONDS = 15.0
QUIX = os.environ.get("PEERS_PYTHON", "")
"""The interpreter of an environment that has Quix Streams 3.28 and our requirements."""


def measure(load: Load, kind: str, folder: Path, rate: float | None) -> dict[str, Any]:
    """One way's figures; at the rate given, or at half of what it can do."""
    python = QUIX if kind == "quix" else sys.executable
    with hosted(load, kind, folder, python=python, gather=256, filled=EVENTS) as (_, host, seen):
        figures = throughput(seen, host, EVENTS)
    rate = rate or figures["rate"] / 2
    gather = 128  # of the two, a batch costs less than waiting for its last event
    with hosted(load, kind, folder, python=python, gather=gather) as (name, host, seen):
        took = delays(load, name, seen, rate, SECONDS)
        figures |= {"p50": quantile(took, 0.5) * 1e3, "p99": quantile(took, 0.99) * 1e3}
        host.kill()
        killed, before = time.monotonic(), seen.count
        again = Host(kind, load.bootstrap, name, folder, python, gather)
        while seen.count < before + 32 and time.monotonic() < killed + 120:
            load.send(name, 50, 500)
        figures["recovery"] = seen.last - killed
        again.stop()
    return {**figures, "half": rate}


def main() -> None:
    """Measure all ways, round by round, and publish the medians."""
    ways = ["ours", "plain", *(["quix"] if QUIX else [])]
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder, Cluster(jvm=("-Xms1g", "-Xmx1g")) as cluster:
        load = Load(cluster.bootstrap)
        for _ in range(ROUNDS):
            rate = None
            for way in ways:
                found[way].append(measure(load, way, Path(folder), rate))
                rate = rate or found[way][-1]["half"]
                print(way, {name: round(value, 2) for name, value in found[way][-1].items()}, flush=True)
    medians = {way: {n: statistics.median(f[n] for f in rows) for n in rows[0]} for way, rows in found.items()}
    units = {"rate": "events/s", "cpu": "CPU s per 100,000 events", "p50": "p50, ms", "p99": "p99, ms"}
    units["recovery"] = "kill -9 to the first answer, s"
    figures = [Figure(f"{way}: {unit}", medians[way][name]) for name, unit in units.items() for way in ways]
    figures.append(at_least("throughput, ours / plain", medians["ours"]["rate"] / medians["plain"]["rate"], 0.85))
    if QUIX:
        figures += [
            at_most(f"{units[name]}: ours / Quix", medians["ours"][name] / medians["quix"][name], 1.0)
            for name in ("cpu", "p50", "p99", "recovery")
        ]
    publish("peers", figures)


if __name__ == "__main__":
    main()
