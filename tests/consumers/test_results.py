"""What a replay writes."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from consumers.order import Position
from consumers.results import check_form, figures_table, write_results
from consumers.store import Journalled, Store
from stream.config import Stream
from stream.errors import SettingError, StateError
from stream.records import Alarm, DeadLetter, Outputs, Prediction, Shadow

PREDICTIONS = [
    Prediction(f"e{i}", float(i), "yes", score, "blend", score, baseline, "o", version, shadows=shadows)
    for i, (score, baseline, version, shadows) in enumerate(
        [(0.5, None, None, {}), (1.0, 0.25, "b", {}), (0.0, 1.0, "b", {"c": Shadow(0.5, "yes")})]
    )
]
ALARMS = [
    Alarm("s", 1, "e1", 1.0, "page-hinkley:online", "unexplained", None, {"mean_after": 0.5}),
    Alarm("s", 2, "e2", 2.0, "adwin:baseline", "baseline_rot", None, {"mean_before": 0.1, "mean_after": 0.5}),
]
LETTERS = [DeadLetter("events", "", "is no JSON", 3, b"\xff")]


class Nothing:
    """Results of which only the settings and the summary are asked."""

    settings = Stream()

    def summary(self) -> dict[str, int]:
        return {"events": 3}

    def report(self) -> str:
        return "<p>é"


@pytest.fixture
def store() -> Store:
    made = Store(None, b"k" * 32, ("predictions", "alarms", "dead_letters"))
    for number, prediction in enumerate(PREDICTIONS):
        out = Outputs([prediction], [], ALARMS[number - 1 : number] if number else [], LETTERS if number == 1 else [])
        made.commit(Journalled(number + 1, 1, {}), Position(number + 1, 0), out, None)
    return made


def test_json_lines_hold_every_record_in_order(store, tmp_path):
    write_results(tmp_path, Nothing(), store, "jsonl")
    assert msgspec.json.Decoder(Prediction).decode_lines((tmp_path / "predictions.jsonl").read_bytes()) == PREDICTIONS
    assert msgspec.json.Decoder(Alarm).decode_lines((tmp_path / "alarms.jsonl").read_bytes()) == ALARMS
    assert msgspec.json.Decoder(DeadLetter).decode_lines((tmp_path / "dead-letters.jsonl").read_bytes()) == LETTERS
    assert msgspec.json.decode((tmp_path / "summary.json").read_bytes()) == {"events": 3}
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "<p>é"


def test_parquet_holds_the_same_records_although_later_ones_have_what_earlier_ones_lack(store, tmp_path):
    write_results(tmp_path, Nothing(), store, "parquet")
    frame = pd.read_parquet(tmp_path / "predictions.parquet")
    assert frame["event_id"].tolist() == ["e0", "e1", "e2"]
    assert frame["baseline"].isna().tolist() == [True, False, False]
    assert frame["baseline"].tolist()[1:] == [0.25, 1.0]
    assert frame["baseline_version"].tolist()[1:] == ["b", "b"]
    assert [dict(shadows) for shadows in frame["shadows"]] == [{}, {}, {"c": {"score": 0.5, "label": "yes"}}]
    details = pd.read_parquet(tmp_path / "alarms.parquet")["detail"].tolist()
    assert [dict(detail) for detail in details] == [alarm.detail for alarm in ALARMS]
    assert pd.read_parquet(tmp_path / "dead-letters.parquet")["offset"].tolist() == [3]


def test_parquet_without_records_can_be_read(tmp_path):
    write_results(tmp_path, Nothing(), Store(None, b"k" * 32, ("predictions",)), "parquet")
    assert len(pd.read_parquet(tmp_path / "predictions.parquet")) == 0


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_nothing_half_written_is_left_under_the_final_name(store, tmp_path, form):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"alarms.{form}.part").mkdir()  # in the way: the second file cannot be written
    with pytest.raises(StateError, match="results cannot be written"):
        write_results(folder, Nothing(), store, form)
    assert (folder / f"predictions.{form}").exists()
    assert not (folder / "summary.json").exists()


def test_a_form_that_cannot_be_written_is_named():
    with pytest.raises(SettingError, match="--format"):
        check_form("xml")
    assert [check_form(form) for form in ("jsonl", "parquet")] == [None, None]


ALERTED = {"alerted": 9, "found": 3, "recall": 0.25, "precision": 0.3333, "average_precision": 0.5, "roc_auc": 0.75}
ANSWERED = {"accuracy": 0.875, "log_loss": 0.125}


def shown(kind, figures, segments, models=("online", "baseline", "served")):
    """The table as it is printed on a terminal of 80 columns."""
    figures = {"found": 0, "missed": 9, **figures}
    absent = {**dict.fromkeys(figures), "alerted": 0, "found": 0, "missed": 0}
    of = {model: figures if model in models else absent for model in ("online", "baseline", "served")}
    results = SimpleNamespace(
        stream="s", settings=Stream(kind=kind), models=of, segments=[{**segment, **of} for segment in segments],
        totals=SimpleNamespace(scoring=SimpleNamespace(losses={"served": (1_234, {}, {})})),
    )  # fmt: skip
    with StringIO() as file:
        Console(file=file, width=80).print(figures_table(results))
        return [line.split() for line in file.getvalue().splitlines() if line.strip()]


def test_the_table_shows_what_alerts_found_and_when():
    begin = {"labelled": 700, "first": 5, "begin": 86_400.0, "end": 8 * 86_400.0}
    lines = shown("anomaly", {**ALERTED, "card_precision": 0.125}, [begin])
    figures = ["0.2500", "0.3333", "0.5000", "0.7500", "0.1250"]
    assert ["1970-01-02", "700", "12", "online", *figures] in lines
    assert ["baseline", *figures] in lines
    assert ["all", "1,234", "12", "online", *figures] in lines
    hours = {**begin, "begin": 3_600.0, "end": 7_200.0}
    assert lines != shown("anomaly", ALERTED, [hours])
    assert ["1970-01-01", "01:00", "700", "12", "online", *figures[:-1]] in shown("anomaly", ALERTED, [hours])


def test_a_baseline_that_scored_nothing_has_no_line():
    assert not [line for line in shown("anomaly", ALERTED, [], ("online", "served")) if "baseline" in line]


def test_the_table_of_other_streams_shows_accuracies_by_rows():
    lines = shown("binary", ANSWERED, [{"labelled": 700, "first": 5_000}])
    assert ["5,000", "700", *["0.8750", "0.1250"] * 3] in lines
    assert ["all", "1,234", *["0.8750", "0.1250"] * 3] in lines


def test_a_folder_that_is_gone_is_one_clear_error(store, tmp_path):
    with pytest.raises(StateError, match="No such file"):
        write_results(Path(tmp_path / "gone"), Nothing(), store, "jsonl")
