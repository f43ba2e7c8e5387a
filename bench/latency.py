"""From an event to its answer as a reader of committed data sees it, at half of our greatest rate, checkpoints on.

Beside ours: an echo, which copies events in transactions and does nothing else, and our per-event work in a plain
at-least-once loop, whose reader waits for no transaction.
"""

import os
import statistics
import tempfile
from pathlib import Path

from bench.kafka_load import Load, delays, hosted, quantile, throughput
from bench.report import Figure, at_most, publish
from tests.broker.cluster import Cluster

EVENTS = int(os.environ.get("LATENCY_EVENTS", "60000"))
ROUNDS = int(os.environ.get("LATENCY_ROUNDS", "3"))
SECONDS = 20.0
WAYS = ("echo", "ours", "plain")


def main() -> None:
    """Measure round by round, and publish the medians."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, Cluster(jvm=("-Xms1g", "-Xmx1g")) as cluster:
        load, at = Load(cluster.bootstrap), Path(folder)
        with hosted(load, "ours", at, filled=EVENTS) as (_, host, seen):
            greatest = throughput(seen, host, EVENTS)["rate"]
        for _ in range(ROUNDS):
            for way in WAYS:
                with hosted(load, way, at) as (name, _, seen):
                    took = delays(load, name, seen, greatest / 2, SECONDS)
                found[way].append((quantile(took, 0.5) * 1e3, quantile(took, 0.99) * 1e3))
                print(way, [round(value, 1) for value in found[way][-1]], flush=True)
    figures = [Figure("our greatest rate, events/s", greatest)]
    middle = {way: [statistics.median(values) for values in zip(*rows, strict=True)] for way, rows in found.items()}
    figures += [Figure(f"{way}: {name}, ms", middle[way][i]) for i, name in enumerate(("p50", "p99")) for way in WAYS]
    figures.append(at_most("p50, ours - echo, ms", middle["ours"][0] - middle["echo"][0], 15.0))
    figures.append(at_most("p99, ours / echo", middle["ours"][1] / middle["echo"][1], 3.0))
    publish("latency", figures)


if __name__ == "__main__":
    main()
