"""What the guarantees cost: `rotwatch replay` beside bare loops that do the same model work, in the same run.

CPU seconds of the process, after the warm-up; the variants take turns, and the ratio of medians is given.
"""

import gzip
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from river import compose, feature_extraction, linear_model, optim, preprocessing

from bench.report import DATA, Figure, at_least, at_most, publish
from consumers.observer import Observer
from consumers.plans import Plan
from consumers.replay import replay
from consumers.settings import load
from consumers.sources import open_source, simulated
from stream.baseline import Baseline
from stream.features import FeatureExtractor
from stream.profiling import Profiling
from stream.warmup import WarmUp, warm_up

ROUNDS = 5
BATCH = 512  # as many as replay scores at once: half of its 1,024 inputs are labels
WARM_UP = 2_500
LONG = 3_000_000


def texts(name: str) -> tuple[Iterator[dict[str, Any]], str]:
    """Rows of a stream, and where they come from."""
    path = DATA / name
    with gzip.open(path) as file:
        rows = [msgspec.json.decode(line) for line in file]
    if name.startswith("sms"):
        long = [dict(row, body=row["text"]) for _ in range(6) for row in rows]
        return (
            {"event_id": f"m{i}", "body": r["body"], "label": r["label"]} for i, r in enumerate(long)
        ), "short texts"
    kept = [row for row in rows if not row["dup"]]
    return (
        {"event_id": f"m{i}", "subject": r["subject"], "body": r["body"], "label": r["label"]}
        for i, r in enumerate(kept)
    ), "Enron"


def bare(lines: list[bytes], made: WarmUp) -> int:
    """Decode, the same river model, the same vectorised baseline, and nothing else."""
    extractor = FeatureExtractor(made.stream.features)
    model = made.models.online.estimator  # type: ignore[union-attr] # the spam stream's is no given score
    baseline = made.models.baseline
    assert isinstance(baseline, Baseline)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    errors = 0
    other: Any
    for begin in range(0, len(lines), BATCH):
        events = [decode(line) for line in lines[begin : begin + BATCH]]
        rows = [extractor.row(event) for event in events]
        inputs = extractor.inputs(rows)
        frozen = baseline.score(extractor.frame(rows))
        for event, x, other in zip(events, inputs, frozen, strict=True):
            spam = event["label"] == "spam"
            p = model.predict_proba_one(x)[True]
            errors += ((p >= 0.5) != spam) + ((other >= 0.5) != spam)
            model.learn_one(x, spam)
    return errors


def idiomatic(lines: list[bytes], made: WarmUp) -> int:
    """The loop that river's guide shows: its own BagOfWords pipeline, and the same baseline a batch."""
    extractor = FeatureExtractor(made.stream.features)
    baseline = made.models.baseline
    assert isinstance(baseline, Baseline)
    model = (
        feature_extraction.BagOfWords(on="text")
        | preprocessing.Binarizer()
        | linear_model.LogisticRegression(optim.AdaGrad(0.1))
    )
    assert isinstance(model, compose.Pipeline)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    errors = 0
    other: Any
    for begin in range(0, len(lines), BATCH):
        events = [decode(line) for line in lines[begin : begin + BATCH]]
        frozen = baseline.score(extractor.frame([extractor.row(event) for event in events]))
        for event, other in zip(events, frozen, strict=True):
            spam = event["label"] == "spam"
            x = {"text": event.get("subject", "") + "\n" + event["body"]}
            p = model.predict_proba_one(x).get(True, 0.5)
            errors += ((p >= 0.5) != spam) + ((other >= 0.5) != spam)
            model.learn_one(x, spam)
    return errors


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of a piece of work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(name: str) -> list[Figure]:
    """The figures of one stream."""
    rows, title = texts(name)
    stream = load(None).streams["spam"]
    if title == "short texts":
        stream = msgspec.structs.replace(stream, features=msgspec.structs.replace(stream.features, text=["body"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
        lines = path.read_bytes().split(b"\n")
        first = [msgspec.json.decode(line) for line in lines[:WARM_UP]]
        rest = lines[WARM_UP:]

        def made() -> WarmUp:
            return warm_up("streams.spam", stream, [(row, row["label"]) for row in first])

        def run(*, monitor: bool, out: bool, number: int) -> float:
            where = Path(folder) / f"out{number}-{monitor}" if out else None
            results = replay(Plan("spam", open_source(str(path)), stream, monitor=monitor, out=where))
            assert results is not None
            return results.cpu_seconds

        times: dict[str, list[float]] = {}
        for number in range(ROUNDS):
            ready = made()
            times.setdefault("bare", []).append(cpu(lambda ready=ready: bare(rest, ready)))  # type: ignore[misc]
            times.setdefault("idiomatic", []).append(cpu(lambda ready=ready: idiomatic(rest, ready)))  # type: ignore[misc]
            times.setdefault("replay", []).append(run(monitor=False, out=False, number=number))
            times.setdefault("durable", []).append(run(monitor=False, out=True, number=number))
            times.setdefault("monitored", []).append(run(monitor=True, out=True, number=number))
        with timed_profiles() as spent:
            whole = run(monitor=False, out=False, number=ROUNDS)
    middle = {what: statistics.median(seconds) for what, seconds in times.items()}
    figures = [Figure(f"{title}: {what}, microseconds an event", middle[what] / len(rest) * 1e6) for what in middle]
    return [
        *figures,
        at_least(f"{title}: replay over bare loop, no monitor", middle["bare"] / middle["replay"], 0.75),
        at_least(f"{title}: the same with --out", middle["bare"] / middle["durable"], 0.75),
        at_least(f"{title}: replay over idiomatic loop, no monitor", middle["idiomatic"] / middle["replay"], 1.0),
        at_least(f"{title}: with monitor and --out over bare loop", middle["bare"] / middle["monitored"], 0.40),
        at_most(f"{title}: making profiles of inputs, of the replay's CPU", sum(spent) / whole, 0.05),
    ]


@contextmanager
def timed_profiles() -> Iterator[list[float]]:
    """CPU seconds of each profile that a scorer makes meanwhile."""
    plain, spent = Profiling.profile, list[float]()

    def timed(self: Profiling, *args: Any) -> Any:
        made = None

        def make() -> None:
            nonlocal made
            made = plain(self, *args)

        spent.append(cpu(make))
        return made

    with patch.object(Profiling, "profile", timed):
        yield spent


class Windows(Observer):
    """CPU seconds an event and mean resident bytes over some windows of events."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self.windows = windows
        self.seen: list[list[tuple[int, float, int]]] = [[] for _ in windows]

    def committed(self, task: str, totals: Any, inputs: int, seconds: dict[str, float]) -> None:
        """Note each commit that falls into a window."""
        events = totals.scoring.inputs.events
        for (begin, end), seen in zip(self.windows, self.seen, strict=True):
            if begin <= events <= end:
                resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
                seen.append((events, time.process_time(), resident))

    def figures(self) -> list[tuple[float, float]]:
        """(CPU seconds an event, mean resident bytes) a window."""
        return [
            ((seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]), statistics.fmean(row[2] for row in seen))
            for seen in self.seen
        ]


def long_run(connection: Connection) -> None:
    """Replay LONG short texts, in each a word that never comes again; sends the figures of two windows."""
    rows, _ = texts("sms_spam.jsonl.gz")
    bodies = [(row["body"], row["label"]) for row in rows][:5_574]

    def endless() -> Iterator[dict[str, Any]]:
        for number, (body, label) in enumerate(islice(cycle(bodies), LONG + WARM_UP)):
            yield {"event_id": f"m{number}", "body": f"{body} w{number * 7919}x", "label": label}

    stream = load(None).streams["spam"]
    stream = msgspec.structs.replace(stream, features=msgspec.structs.replace(stream.features, text=["body"]))
    windows = Windows([(500_000, 600_000), (LONG - 100_000, LONG)])
    with tempfile.TemporaryDirectory() as folder:
        replay(Plan("spam", simulated("endless", endless, LONG), stream, out=Path(folder)), [windows])
    connection.send(windows.figures())


def flat() -> list[Figure]:
    """Whether the last hundred thousand of LONG events are as fast and need no more memory than earlier ones."""
    runs = []
    for _ in range(3):
        ours, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(target=long_run, args=(theirs,))
        process.start()
        runs.append(ours.recv())
        process.join()
    early, before = (statistics.median(run[0][i] for run in runs) for i in range(2))
    late, after = (statistics.median(run[1][i] for run in runs) for i in range(2))
    return [
        Figure("3 million: events 500,000 to 600,000, microseconds an event", early * 1e6),
        Figure("3 million: last 100,000, microseconds an event", late * 1e6),
        at_least("3 million: speed of the last 100,000 over that of 500,000 to 600,000", early / late, 0.9),
        Figure("3 million: resident MiB in 500,000 to 600,000, mean", before / 2**20),
        Figure("3 million: resident MiB in the last 100,000, mean", after / 2**20),
        at_most("3 million: growth of resident memory between them", after / before - 1, 0.05),
    ]


if __name__ == "__main__":
    publish("overhead", [*measure("sms_spam.jsonl.gz"), *measure("enron_spam_stream.jsonl.gz"), *flat()])
