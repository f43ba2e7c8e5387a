"""What a partition costs: Enron split by the hash of the event's id over 1, 4 and 16 scoring tasks.

Every task begins with the same baseline and with an online model that has learned the whole warm-up; from then on it
sees its own share alone. Labels come at once. All tasks report to one scoreboard. The text of the result is
docs/partitions.md.
"""

import pickle
import time
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from sklearn.utils import murmurhash3_32

from bench.online_models import BATCH, SEGMENTS, WARM_UP, rows
from bench.report import Figure
from consumers.settings import load
from stream.prequential import MODELS
from stream.records import Event, Input, Label
from stream.scoreboard import Scoreboard
from stream.models import Models
from stream.scoring import ScoringTask
from stream.warmup import WarmUp, warm_up

SPLITS = [(1, 0), (4, 0), (4, 1), (4, 2), (16, 0), (16, 1), (16, 2)]
"""Number of tasks, and the seed of the hash that shares the events out: a task's luck is part of the answer."""


def home(event_id: str, tasks: int, seed: int) -> int:
    """The task that an event belongs to."""
    return int(murmurhash3_32(event_id, seed=seed, positive=True)) % tasks


def split(made: WarmUp, mails: list[dict[str, Any]], tasks: int, seed: int) -> Scoreboard:
    """The figures of all tasks together, each mail at its place in the whole stream."""
    board = Scoreboard(made.stream, WARM_UP, SEGMENTS)
    learned = pickle.dumps(made.models.online)
    workers = [
        ScoringTask(made.stream, Models(pickle.loads(learned), made.models.online_version, made.models.baseline))  # noqa: S301 - dumped just above
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
    table = Table(box=box.MARKDOWN)
    table.add_column("model")
    for column in ("tasks", "hash seed", "errors", *map(str, SEGMENTS), "log loss"):
        table.add_column(column, justify="right")
    figures: list[Figure] = []
    found: dict[tuple[str, int], list[int]] = {}
    lines: dict[str, list[list[str]]] = {model: [] for model in MODELS}
    for tasks, seed in SPLITS:
        began = time.process_time()
        board = split(made, mails, tasks, seed)
        seconds = time.process_time() - began
        parts = board.segments()
        for model in MODELS:
            whole = board.models()[model]
            found.setdefault((model, tasks), []).append(whole["errors"])
            errors = [str(part[model]["errors"]) for part in parts]
            lines[model].append([str(tasks), str(seed), str(whole["errors"]), *errors, f"{whole['log_loss']:.4f}"[1:]])
            figures.append(Figure(f"{tasks} tasks, hash seed {seed}: {model}: errors", whole["errors"]))
            for part in parts:
                what = f"{tasks} tasks, hash seed {seed}: {model}: errors from row {part['first']}"
                figures.append(Figure(what, part[model]["errors"]))
        figures.append(Figure(f"{tasks} tasks, hash seed {seed}: CPU seconds", seconds))
    for model in MODELS:
        for line in lines[model]:
            table.add_row(model, *line)
    Console(width=140).print("Enron: errors, overall and in the segment from that row on", table)


if __name__ == "__main__":
    main()
