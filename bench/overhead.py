"""What the guarantees cost: `rotwatch replay` beside bare loops that do the same model work, in the same run.

CPU seconds of the process, after the warm-up; the variants take turns, and the ratio of medians is given.
"""

import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from river import compose, feature_extraction, linear_model, optim, preprocessing

from bench.report import DATA, Figure, at_least, publish
from consumers.plans import Plan
from consumers.replay import replay
from consumers.settings import load
from consumers.sources import open_source
from stream.baseline import Baseline
from stream.features import FeatureExtractor
from stream.warmup import WarmUp, warm_up

ROUNDS = 2
BATCH = 512
WARM_UP = 2_500


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
    middle = {what: statistics.median(seconds) for what, seconds in times.items()}
    figures = [Figure(f"{title}: {what}, microseconds an event", middle[what] / len(rest) * 1e6) for what in middle]
    return [
        *figures,
        at_least(f"{title}: replay over bare loop, no monitor", middle["bare"] / middle["replay"], 0.75),
        at_least(f"{title}: the same with --out", middle["bare"] / middle["durable"], 0.75),
        at_least(f"{title}: replay over idiomatic loop, no monitor", middle["idiomatic"] / middle["replay"], 1.0),
        Figure(f"{title}: with monitor and --out over bare loop", middle["bare"] / middle["monitored"]),
    ]


if __name__ == "__main__":
    publish("overhead", [*measure("sms_spam.jsonl.gz"), *measure("enron_spam_stream.jsonl.gz")])
