"""What a replay leaves behind: a table for the terminal, files for the next program."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.table import Table

from consumers.page.figures import moment
from consumers.page.outcome import Outcome
from consumers.page.replayed import replayed
from consumers.store import Store
from stream.drift.comparing import Compared
from stream.errors import SettingError, StateError
from stream.monitoring import MonitoringTotals
from stream.prequential import MODELS
from stream.records import RECORDS

FILES = {"predictions": "predictions", "alarms": "alarms", "dead_letters": "dead-letters"}

DAY = 86_400.0

RESULTS = [
    "summary.json",
    "report.html",
    *[f"{name}.{form}" for name in FILES.values() for form in ("jsonl", "parquet")],
]
"""Every file that a finished replay may leave."""


class Results(Outcome, kw_only=True):
    """A replay's results: what its page shows, and more."""

    cards_left_out: dict[str, int] | None
    compared: list[Compared]
    unused: dict[str, int]
    left_out: dict[str, str]
    seconds: float
    cpu_seconds: float
    events_per_second: float
    peak_rss_bytes: int
    digest: str

    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``."""
        scoring = self.totals.scoring
        monitoring = self.totals.monitoring
        inputs, labels = scoring.inputs, scoring.labels
        return {
            "stream": self.stream,
            "events": inputs.events,
            "labels": inputs.labels,
            "joined": labels.joined,
            "predictions": inputs.predicted,
            "dead_letters": inputs.events_dead + inputs.labels_dead,
            "events_per_second": self.events_per_second,
            "peak_rss_bytes": self.peak_rss_bytes,
            "digest": self.digest,
            "models": self.models,
            "alarms": [
                {name: getattr(alarm, name) for name in ("position", "event_id", "time", "kind", "verdict", "evidence")}
                for alarm in self.alarms
            ],
            "retrains": self.retrains,
            "segments": self.segments,
            "verdict": None if monitoring is None else monitoring.verdict,
            "monitor": None if monitoring is None else _monitor(monitoring),
            "fates": {
                **msgspec.structs.asdict(inputs),
                **msgspec.structs.asdict(labels),
                "waiting": scoring.waiting,
                "early": scoring.early,
            },
            "warm_up_unused": self.unused,
            "versions": {"online": scoring.online_version, "baseline": scoring.baseline_version},
            "cpu_seconds": self.cpu_seconds,
            "detectors": {} if monitoring is None else monitoring.watched,
            "compared": self.compared,
            "cards_left_out": self.cards_left_out,
            "entities": {
                by: {"remembered": remembered, "evicted": evicted, "forgotten_labels": forgotten}
                for by, (remembered, evicted, forgotten) in scoring.entities.items()
            },
        }

    def report(self) -> str:
        """The content of ``report.html``."""
        return replayed(self)


def _monitor(seen: MonitoringTotals) -> dict[str, Any]:
    """What the monitor says beside its verdict, losses and gaps in errors an event."""
    return {
        "reason": seen.reason,
        "judged": seen.judged,
        "off": seen.off,
        "excess_errors_vs_online": seen.excess,
        "account": seen.account,
        "retrained": seen.retrained,
        "estimates": seen.guesses,
        "labels": seen.labels,
        "findings": seen.findings,
    }


def write_results(folder: Path, results: Results, store: Store, form: str) -> None:
    """Write all the files; each appears whole or not at all, the summary last."""
    try:
        for kind, name in FILES.items():
            path = folder / f"{name}.{form}"
            beside = path.with_suffix(path.suffix + ".part")
            if form == "parquet":
                _parquet(beside, store, kind, many=results.settings.kind == "multiclass")
            else:
                with beside.open("wb") as file:
                    for lines in store.outputs(kind):
                        file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            beside.replace(path)
        beside = folder / "report.html.part"
        beside.write_text(results.report(), encoding="utf-8")
        beside.replace(folder / "report.html")
        beside = folder / "summary.json.part"
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(results.summary())) + b"\n")
        beside.replace(folder / "summary.json")
    except OSError as error:
        raise StateError(
            f"{folder}: results cannot be written: {error.strerror}; run the same again to finish"
        ) from error


def _parquet(path: Path, store: Store, kind: str, *, many: bool) -> None:
    """Write one kind of record; the columns' types are fixed, since the first records need not show them all."""
    import pyarrow as pa
    from pyarrow import parquet

    text, number, whole = pa.string(), pa.float64(), pa.int64()
    score = pa.list_(number) if many else number
    types = {
        **dict.fromkeys(("time", "evidence"), number),
        **dict.fromkeys(("score", "online", "baseline"), score),
        **dict.fromkeys(("position", "offset"), whole),
        "repeated": pa.bool_(),
        "detail": pa.map_(text, number),
        "shadows": pa.map_(text, pa.struct([("score", score), ("label", text)])),
        "payload": pa.binary(),
    }
    record = RECORDS[FILES[kind].removesuffix("s")]
    schema = pa.schema([(name, types.get(name, text)) for name in record.__struct_fields__])
    decode = msgspec.json.Decoder(record).decode_lines
    with parquet.ParquetWriter(path, schema) as writer:
        for lines in store.outputs(kind):
            columns = zip(*map(msgspec.structs.astuple, decode(lines)), strict=True)
            arrays = [
                pa.array([_pairs(value) for value in values], types.get(name, text))
                for name, values in zip(schema.names, columns, strict=True)
            ]
            writer.write_table(pa.table(arrays, schema=schema))


def _pairs(value: Any) -> Any:
    """A dict as the pairs that a map is made of; all else as it is."""
    return list(msgspec.to_builtins(value).items()) if isinstance(value, dict) else value


def check_form(form: str) -> None:
    """Raises SettingError for a form of output that cannot be written."""
    if form not in ("jsonl", "parquet"):
        raise SettingError("--format", form, "jsonl or parquet")
    if form == "parquet":
        try:
            import pyarrow as pa  # noqa: F401 - only whether it is there
        except ImportError:
            raise SettingError(
                "--format", form, "jsonl, unless the extra is there: pip install 'rotwatch[parquet]'"
            ) from None


def figures_table(results: Results) -> Table:
    """The models' figures, overall and by segment."""
    table = Table(
        title=f"{results.stream}: after the warm-up", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0)
    )
    dated = any("begin" in segment for segment in results.segments)
    table.add_column("from" if dated else "from row", justify="right")
    table.add_column("labelled", justify="right")
    fill = _alerts if results.settings.kind == "anomaly" else _answers
    labelled = results.totals.scoring.losses["served"][0]
    fill(table, [*results.segments, {"labelled": labelled, **results.models}])
    return table


def _answers(table: Table, parts: Sequence[dict[str, Any]]) -> None:
    """A line for each part, its models side by side; the last part is all."""
    names = {"accuracy": "accuracy", "log_loss": "log loss"}
    for model in MODELS:
        for title in names.values():
            table.add_column(f"{model}\n{title}", justify="right")
    for part in parts:
        _section(table, part, len(parts))
        table.add_row(*_begin(part), *[_number(part[model][name]) for model in MODELS for name in names])


def _alerts(table: Table, parts: Sequence[dict[str, Any]]) -> None:
    """A line for each part and model; what is served is one of the two."""
    names = {
        "recall": "found", "precision": "preci-\nsion", "average_precision": "avg.\nprec.",
        "roc_auc": "ROC\nAUC", "card_precision": "card\nprec.",
    }  # fmt: skip
    if not any("card_precision" in figures for figures in parts[-1].values() if isinstance(figures, dict)):
        del names["card_precision"]
    table.add_column("posi-\ntives", justify="right")
    table.add_column("model")
    for title in names.values():
        table.add_column(title, justify="right")
    for part in parts:
        _section(table, part, len(parts))
        positives = part["served"]["found"] + part["served"]["missed"]
        begin = [*_begin(part), _number(positives)]
        for model in MODELS[:2]:
            if part[model]["roc_auc"] is None and not part[model]["alerted"] and model == "baseline":
                continue  # it was not there
            table.add_row(*begin, model, *[_number(part[model][name]) for name in names])
            begin = [""] * len(begin)


def _section(table: Table, part: dict[str, Any], parts: int) -> None:
    if "first" not in part and parts > 1:
        table.add_section()


def _begin(part: dict[str, Any]) -> list[str]:
    """Where a part begins, and how many labelled events are in it."""
    first = f"{part['first']:,}" if "first" in part else "all"
    if "begin" in part:
        date, _, clock = moment(part["begin"]).partition(" ")
        first = date if part["end"] - part["begin"] >= DAY else f"{date} {clock}"
    return [first, f"{part['labelled']:,}"]


COMPARED = """\
Alarms are episodes: one counts until 1,000 labelled events have brought no detection. Shuffled: detections in 10,000 of
the same events in random order, each with the losses that it had; the models are not asked again. Nothing changes with
time there, so these are false, but for those with *: the mean of the whole file is above the bound that is tested."""


def compared_table(results: Results) -> Table:
    """What each detector would have told, by itself."""
    table = Table(title="detectors compared", title_justify="left", box=box.SIMPLE)
    table.add_column("detector")
    for title in ("alarms", "first at row", "shuffled,\nin 10,000", "microseconds\nan event"):
        table.add_column(title, justify="right")
    for one in results.compared:
        if one.off:
            table.add_row(one.name, f"off: {one.off}")
            continue
        first = f"{one.alarms[0]:,}" if one.alarms else "-"
        shuffled = f"{one.shuffled:.2f}{'' if one.null else '*'}"
        table.add_row(one.name, f"{len(one.alarms):,}", first, shuffled, f"{one.microseconds:.1f}")
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
