"""What a task costs: the same events through one worker with one partition, and with four, so one producer or four.

Events a second and CPU seconds on topics filled beforehand, latency at half of what one task can do, and the memory of
the process. A task has a model, a producer and a checkpoint of its own, and commits for itself.
"""

import os
import statistics
import tempfile
from pathlib import Path

from bench.kafka_load import Load, delays, hosted, quantile, throughput
from bench.report import Figure, publish
from tests.broker.cluster import Cluster

EVENTS = int(os.environ.get("TASKS_EVENTS", "100000"))
ROUNDS = int(os.environ.get("TASKS_ROUNDS", "3"))
SECONDS = 15.0
TASKS = (1, 4)


def measure(load: Load, folder: Path, rate: float | None) -> dict[str, float]:
    """The figures of one number of tasks; latency at the rate given, or at half of what this one can do."""
    options = ("--partitions", str(load.partitions))
    with hosted(load, "ours", folder, *options, filled=EVENTS) as (_, host, seen):
        figures = throughput(seen, host, EVENTS)
        status = Path(f"/proc/{host.process.pid}/status").read_text("ascii")
        figures["memory"] = int(status.split("VmRSS:")[1].split()[0]) / 1024
    rate = rate or figures["rate"] / 2
    with hosted(load, "ours", folder, *options) as (name, _, seen):
        took = delays(load, name, seen, rate, SECONDS)
    return {**figures, "p50": quantile(took, 0.5) * 1e3, "p99": quantile(took, 0.99) * 1e3, "half": rate}


def main() -> None:
    """Measure round by round, and publish the medians."""
    found: dict[int, list[dict[str, float]]] = {tasks: [] for tasks in TASKS}
    with tempfile.TemporaryDirectory() as folder, Cluster(jvm=("-Xms1g", "-Xmx1g")) as cluster:
        for _ in range(ROUNDS):
            rate = None
            for tasks in TASKS:
                found[tasks].append(measure(Load(cluster.bootstrap, tasks), Path(folder), rate))
                rate = rate or found[tasks][-1]["half"]
                print(tasks, {name: round(value, 2) for name, value in found[tasks][-1].items()}, flush=True)
    units = {"rate": "events/s", "cpu": "CPU s per 100,000 events", "memory": "resident, MiB"}
    units |= {"p50": "p50, ms", "p99": "p99, ms"}
    medians = {(tasks, unit): statistics.median(row[unit] for row in found[tasks]) for tasks in TASKS for unit in units}
    figures = [Figure(f"{tasks} a worker: {units[unit]}", medians[tasks, unit]) for unit in units for tasks in TASKS]
    figures.append(Figure("throughput, 4 tasks / 1", medians[4, "rate"] / medians[1, "rate"]))
    figures.append(Figure("CPU, 4 tasks / 1", medians[4, "cpu"] / medians[1, "cpu"]))
    publish("tasks", figures)


if __name__ == "__main__":
    main()
