"""From kill -9 to work again, at half of our greatest rate: as shipped, and with 10 s of events behind the checkpoint.

The worker says how long it took from when it was given the task to when it could be fed: reading offsets, the
checkpoint and the journal, and feeding what had been committed since. Before that the group waits for the session of
the one that was killed, 6 s.
"""

import os
import re
import statistics
import tempfile
import time
from pathlib import Path

from bench.kafka_load import Host, Load, hosted, throughput
from bench.report import Figure, at_most, publish
from tests.broker.cluster import Cluster

EVENTS = int(os.environ.get("RECOVERY_EVENTS", "60000"))
ROUNDS = int(os.environ.get("RECOVERY_ROUNDS", "3"))
WAYS = {"as shipped": (), "10 s to replay": ("--most-replay", "1e9", "--checkpoint-every", "3600")}


def killed(load: Load, folder: Path, options: tuple[str, ...], rate: float) -> tuple[float, float]:
    """Seconds that a recovery took behind 10 s of events, and the batches that were fed again."""
    with hosted(load, "ours", folder, *options) as (name, host, seen):
        load.send(name, 100)
        assert seen.wait(50, 60.0), "no answers come"
        load.send(name, int(rate * 10), rate)
        host.kill()
        again = Host("ours", load.bootstrap, name, folder)
        until = time.monotonic() + 120
        while (told := re.search(r"task recovered.*batches=(\d+) seconds=([\d.]+)", again.log.read_text())) is None:
            assert time.monotonic() < until, again.log.read_text()
            time.sleep(0.1)
        again.stop()
    return float(told[2]), float(told[1])


def main() -> None:
    """Measure round by round, and publish the medians."""
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, Cluster(jvm=("-Xms1g", "-Xmx1g")) as cluster:
        load, at = Load(cluster.bootstrap), Path(folder)
        with hosted(load, "ours", at, filled=EVENTS) as (_, host, seen):
            greatest = throughput(seen, host, EVENTS)["rate"]
        for _ in range(ROUNDS):
            for way, options in WAYS.items():
                found[way].append(killed(load, at, options, greatest / 2))
                print(way, found[way][-1], flush=True)
    figures = [Figure("our greatest rate, events/s", greatest)]
    for way, rows in found.items():
        figures.append(at_most(f"{way}: recovery, s", statistics.median(seconds for seconds, _ in rows), 3.0))
        figures.append(Figure(f"{way}: batches fed again", statistics.median(batches for _, batches in rows)))
    publish("recovery", figures)


if __name__ == "__main__":
    main()
