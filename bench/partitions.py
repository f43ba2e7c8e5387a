"""What a partition costs: Enron split by the hash of the event's id over 1, 4 and 16 scoring tasks.

Every task begins with the same baseline and with an online model that has learned the whole warm-up; from then on it
sees its own share alone. Labels come at once. All tasks report to one scoreboard. The text of the result is
docs/partitions.md.
"""

import copy
import statistics
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.utils import murmurhash3_32

from bench.online_models import BATCH, SEGMENTS, WARM_UP, rows
from bench.report import Figure, at_most, publish
from consumers.settings import load
from stream.prequential import MODELS
from stream.records import Event, Input, Label
from stream.scoreboard import Scoreboard
from stream.scoring import ScoringTask
from stream.warmup import WarmUp, warm_up

SPLITS = [(1, 0), (4, 0), (4, 1), (4, 2), (16, 0), (16, 1), (16, 2)]
"""Number of tasks, and the seed of the hash that shares the events out: a task's luck is part of the answer."""

STUDY = {1: 420, 4: 738, 16: 1_365}
"""The online model's errors in the study made before the code: another model, other features, another split."""


def home(event_id: str, tasks: int, seed: int) -> int:
    """The task that an event belongs to."""
    return int(murmurhash3_32(event_id, seed=seed, positive=True)) % tasks


def split(made: WarmUp, mails: list[dict[str, Any]], tasks: int, seed: int) -> Scoreboard:
    """The figures of all tasks together, each mail at its place in the whole stream."""
    board = Scoreboard(made.stream, WARM_UP, SEGMENTS)
    workers = [
        ScoringTask("spam", made.stream, msgspec.structs.replace(made.models, online=copy.deepcopy(made.models.online)))
        for _ in range(tasks)
    ]
    for begin in range(WARM_UP, len(mails), BATCH):
        shares: list[list[Input]] = [[] for _ in workers]
        for place, mail in enumerate(mails[begin : begin + BATCH], begin):
            event_id = f"row-{place}"
            share = shares[home(event_id, tasks, seed)]
            share.append(Event(event_id, float(place), mail, place))
            share.append(Label(event_id, float(place), mail["label"], place))
        for worker, share in zip(workers, shares, strict=True):
            board.update(worker.feed(share).labelled)
    return board


def main() -> None:
    """Measure, show and publish."""
    mails = rows("enron_spam_stream.jsonl.gz")
    stream = load(None).streams["spam"]
    made = warm_up("streams.spam", stream, [(mail, mail["label"]) for mail in mails[:WARM_UP]])
    figures: list[Figure] = []
    online: dict[int, list[int]] = {tasks: [] for tasks in STUDY}
    lines: dict[str, list[list[str]]] = {model: [] for model in MODELS}
    for tasks, seed in SPLITS:
        board = split(made, mails, tasks, seed)
        online[tasks].append(board.models()["online"]["errors"])
        for model, overall in board.models().items():
            parts = {part["first"]: part[model]["errors"] for part in board.segments()}
            loss = f"{overall['log_loss']:.4f}"[1:]
            lines[model].append([model, str(tasks), str(seed), str(overall["errors"]), *map(str, parts.values()), loss])
            what = f"P = {tasks}, seed {seed}: {model}: errors"
            figures.append(Figure(what, overall["errors"]))
            if seed == 0:
                figures.extend(Figure(f"{what} from row {first}", errors) for first, errors in parts.items())
    for tasks, errors in online.items():
        figures.append(
            at_most(f"P = {tasks}: online: errors, mean of the seeds", statistics.mean(errors), STUDY[tasks])
        )
    table = Table(box=box.MARKDOWN)
    table.add_column("model")
    for column in ("P", "seed", "errors", *map(str, SEGMENTS), "log loss"):
        table.add_column(column, justify="right")
    for model in MODELS:
        for line in lines[model]:
            table.add_row(*line)
    Console(width=120).print("Enron: errors, overall and in the segment from that row on", table)
    publish("partitions", figures)


if __name__ == "__main__":
    main()
