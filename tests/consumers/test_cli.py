"""The commands, from their words to what they print and write."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from stream.records import Prediction
from tests.consumers.page.harmless import harmless
from tests.consumers.page.reading import part, rows, titles

Run = Callable[..., tuple[int, str, str]]

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"

SUMMARY = [
    "stream", "events", "labels", "joined", "predictions", "dead_letters", "events_per_second", "peak_rss_bytes",
    "digest", "models", "alarms", "retrains", "segments",
]  # fmt: skip
EXTRA = ["verdict", "monitor", "fates", "warm_up_unused", "versions", "cpu_seconds", "detectors", "compared"]
EXTRA += ["cards_left_out", "entities"]
FIGURES = ["errors", "accuracy", "balanced_accuracy", "log_loss", "brier", "roc_auc", "average_precision"]


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_bytes().splitlines()]


# ------------------------------------------------------------------------------------------- help, schema, config


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "replay"),
        (["demo"], "--events"),
        (["replay"], "--label-delay"),
        (["schema"], "--stream"),
        (["config"], "check"),
        (["config", "check"], "Settings file"),
    ],
)
def test_each_command_explains_itself(rotwatch, words, named):
    code, out, _ = rotwatch(*words, "--help")
    assert code == 0
    assert named in out


def test_an_unknown_command_or_option_is_exit_code_2_without_a_traceback(rotwatch):
    for words in (
        ["play"],
        ["replay", "Phishing", "--wram-up", "3"],
        ["replay", "Phishing", "--warm-up", "x"],
        ["replay"],
    ):
        code, _, err = rotwatch(*words)
        assert code == 2
        assert "Traceback" not in err


@pytest.mark.parametrize(("option", "value"), [("--log-format", "xml"), ("--log-level", "loud")])
def test_a_wrong_way_to_log_is_named(rotwatch, option, value):
    code, _, err = rotwatch(option, value, "schema")
    assert (code, err.count("\n")) == (2, 1)
    assert option in err


def test_every_schema_is_a_valid_json_schema(rotwatch):
    for words in ([], ["--stream", "spam"], ["--stream", "fraud"]):
        code, out, _ = rotwatch("schema", *words)
        assert code == 0
        for schema in json.loads(out).values():
            jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_of_one_record_is_shown_alone_and_an_unknown_one_is_named(rotwatch):
    assert "event_id" in rotwatch("schema", "prediction")[1]
    code, _, err = rotwatch("schema", "predictions")
    assert code == 2
    assert "one of event, label, prediction" in err


def test_what_a_stream_reads_is_told_by_its_schema(rotwatch):
    schema = json.loads(rotwatch("schema", "event", "--stream", "fraud")[1])
    check = jsonschema.Draft202012Validator(schema).is_valid
    assert check({"event_id": 7, "time": 1.5, "amount": 3, "more": "x"})
    assert not check({"event_id": "", "amount": 3})
    assert not check({"event_id": "a", "amount": "three"})
    label = jsonschema.Draft202012Validator(json.loads(rotwatch("schema", "label", "--stream", "fraud")[1])).is_valid
    assert label({"event_id": "a", "label": "1"})
    assert not label({"event_id": "a", "label": "maybe"})
    assert not label({"event_id": "a"})


def test_config_check_says_what_is_right(rotwatch):
    Path("right.toml").write_text('[streams.mine]\nfeatures.text = ["body"]\n')
    code, out, _ = rotwatch("config", "check", "right.toml")
    assert (code, out) == (0, "right.toml: right; streams: spam, fraud, mine\n")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[streams.mine\n", "is no TOML"),
        ("[streams.mine]\nkind = 'regression'", "regression is out of scope"),
        ("[streams.mine]\nfeatures.text = ['a']\nonline = 'best'", "streams.mine.online = 'best'"),
        ("[streams.mine]\nfeatures.text = ['a']\nbaseline = 'no.module:f'", "streams.mine.baseline"),
        ("[streams.mine]\nfeatures.text = ['a']\ndecoder = 'no.module:f'", "streams.mine.decoder"),
        ("[streams.spam]\nwarm_up = 'long'", "streams.spam.warm_up = 'long': must be a whole number"),
    ],
)
def test_config_check_says_in_one_line_what_is_wrong(rotwatch, text, named):
    Path("wrong.toml").write_text(text)
    code, out, err = rotwatch("config", "check", "wrong.toml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_config_check_of_no_file_is_refused(rotwatch):
    code, _, err = rotwatch("config", "check", "nowhere.toml")
    assert code == 2
    assert "nowhere.toml" in err


# ------------------------------------------------------------------------------------------- calibrate


def test_calibrate_says_in_words_how_soon_and_how_often_falsely(rotwatch, monkeypatch):
    for name in ("HEALTHY_RUNS", "RUNS"):
        monkeypatch.setattr(f"stream.drift.simulation.{name}", 10)
    words = ("calibrate", "--stream", "spam", "--labels-per-day", "2000", "--baseline-errors")
    code, out, err = rotwatch(*words, "0.1")
    assert (code, err.strip()) == (0, "")
    told = " ".join(out.split())
    assert re.search(r"errs 2 times as often: found in about \d+ labelled events \(0\.\d+ days\)", told)
    assert re.search(r"alarms a year \(\d+ in 200,000 simulated events\); by the guarantee at most 73\.", told)
    assert "errs on 80 in 1,000 more than the other from the start" in " ".join(
        rotwatch(*words, "0.1", "--online-errors", "0.02")[1].split()
    )


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--baseline-errors", "1.5"), "--baseline-errors = 1.5: must be a share above 0"),
        (("--baseline-errors", "0.1", "--disagreement", "0.9"), "--disagreement = 0.9: must be from 0 to 0.2"),
        (("--baseline-errors", "0.1", "--labels-per-day", "0"), "--labels-per-day"),
    ],
)
def test_calibrate_names_what_cannot_be(rotwatch, words, named):
    code, _, err = rotwatch("calibrate", "--stream", "spam", *words)
    assert code == 2
    assert named in err


# ------------------------------------------------------------------------------------------- replay


def test_a_replay_without_settings_reads_them_off_the_first_rows(rotwatch):
    code, out, err = rotwatch("replay", "Phishing", "--warm-up", "400", "--out", "out", "--segment", "300")
    assert (code, err.strip()) == (0, "")
    assert "Read off the first rows: binary; numeric: " in out
    summary = json.loads(Path("out/summary.json").read_bytes())
    assert [*summary] == SUMMARY + EXTRA
    documented = re.findall(r"^\| (`[a-z_`, ]+`) \|", COMMANDS.read_text("utf-8"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(documented))) == sorted(summary)
    assert {name: [*figures] for name, figures in summary["models"].items()} == dict.fromkeys(
        ("online", "baseline", "served"), FIGURES
    )
    assert summary["events"] == summary["predictions"] == summary["labels"] == summary["joined"] == 850
    assert [(part["first"], part["labelled"]) for part in summary["segments"]] == [(400, 300), (700, 300), (1000, 250)]
    assert summary["models"]["online"]["accuracy"] > 0.85
    assert summary["retrains"] == []
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "alarms.jsonl", "dead-letters.jsonl", "predictions.jsonl", "report.html", "summary.json",
    ]  # fmt: skip


def test_a_replay_leaves_a_page_to_read_and_names_it_last(rotwatch):
    _, out, _ = rotwatch("replay", "Phishing", "--warm-up", "400", "--out", "out")
    assert out.splitlines()[-1] == "to read: out/report.html"
    page = harmless(Path("out/report.html").read_text("utf-8"))
    summary = json.loads(Path("out/summary.json").read_bytes())
    assert f"Verdict at the end: {summary['verdict']}" in page.text
    assert [row[2] for row in rows(part(page, "What came out"))] == [
        str(summary["models"][model]["errors"]) for model in ("served", "online", "baseline")
    ]
    assert titles(page)[1:] == [
        "Errors and verdicts", "Baseline against online model", "Evidence", "Drift of the inputs", "Scores",
        "How the verdict changed",
    ]  # fmt: skip


def test_detectors_are_compared_and_watched_ones_are_told_at_the_end(rotwatch):
    Path("own.toml").write_text(
        '[streams.urls]\nfeatures.numeric = ["empty_server_form_handler", "popup_window", '
        '"https", "request_from_other_domain", "anchor_from_other_domain", "is_popular", "long_url", '
        '"age_of_domain", "ip_in_url"]\nmonitor.detectors = { gap = ["adwin"] }\n',
        encoding="utf-8",
    )
    words = ("--config", "own.toml", "--stream", "urls", "--warm-up", "600", "--out", "out")
    code, out, err = rotwatch("replay", "Phishing", *words, "--compare-detectors")
    assert (code, err.strip()) == (0, "")
    assert "detectors compared" in out
    assert "adwin:gap: quiet" in out
    summary = json.loads(Path("out/summary.json").read_bytes())
    assert summary["detectors"] == {"adwin:gap": "quiet"}
    names = [one["name"] for one in summary["compared"]]
    assert names[:3] == ["paired", "absolute", "adwin"]
    assert len(names) == 11
    code, _, err = rotwatch("replay", "Phishing", "--compare-detectors", "--retrain", "on-alarm")
    assert code == 2
    assert "left out with --retrain" in err


def test_what_is_written_keeps_to_the_published_schemas(rotwatch):
    rotwatch("replay", "Phishing", "--warm-up", "400", "--out", "out")
    schemas = json.loads(rotwatch("schema")[1])
    check = jsonschema.Draft202012Validator(schemas["prediction"])
    predictions = lines("out/predictions.jsonl")
    assert len(predictions) == 850
    for prediction in predictions:
        check.validate(prediction)
        assert not check.is_valid({**prediction, "score": "high"})
    decoded = msgspec.json.Decoder(Prediction).decode_lines(Path("out/predictions.jsonl").read_bytes())
    assert all(min(p.online, p.baseline) - 1e-6 <= p.score <= max(p.online, p.baseline) + 1e-6 for p in decoded)
    for alarm in lines("out/alarms.jsonl"):
        jsonschema.Draft202012Validator(schemas["alarm"]).validate(alarm)


def test_a_finished_folder_is_not_overwritten_unless_asked(rotwatch):
    words = ("replay", "Phishing", "--warm-up", "400", "--out", "out")
    rotwatch(*words)
    code, _, err = rotwatch(*words)
    assert code == 2
    assert "holds a finished replay; name another --out, or begin anew with --fresh" in err
    first = json.loads(Path("out/summary.json").read_bytes())["digest"]
    assert rotwatch(*words, "--fresh")[0] == 0
    assert json.loads(Path("out/summary.json").read_bytes())["digest"] == first


def test_a_stopped_replay_goes_on_where_it_was_and_refuses_other_words(rotwatch, monkeypatch):
    words = ("replay", "Phishing", "--warm-up", "400", "--config", "small.toml", "--out")
    Path("small.toml").write_text("[worker]\nbatch = 100\n")
    rotwatch(*words, "whole")
    asked: list[int] = []
    monkeypatch.setattr("consumers.pool.stopping", lambda: lambda: asked.append(1) or len(asked) > 4)
    code, out, err = rotwatch(*words, "parts")
    assert (code, out) == (130, "")
    assert "what was done is kept in parts" in err
    assert not Path("parts/summary.json").exists()
    monkeypatch.setattr("consumers.pool.stopping", lambda: lambda: False)
    code, _, err = rotwatch(*words, "parts", "--limit", "900")
    assert code == 2
    assert "holds a replay of other inputs or settings" in err
    assert rotwatch(*words, "parts")[0] == 0
    assert Path("parts/predictions.jsonl").read_bytes() == Path("whole/predictions.jsonl").read_bytes()
    same = [json.loads(Path(name, "summary.json").read_bytes()) for name in ("whole", "parts")]
    assert same[0]["digest"] == same[1]["digest"]
    assert same[0]["models"] == same[1]["models"]


def test_without_a_folder_nothing_is_written(rotwatch, tmp_path):
    code, out, _ = rotwatch("replay", "Phishing", "--warm-up", "400", "--limit", "600")
    assert code == 0
    assert "digest" in out
    assert list(tmp_path.iterdir()) == []


def test_shares_of_rows_can_be_left_out_and_columns_ignored(rotwatch):
    code, out, _ = rotwatch(
        "replay", "Phishing", "--warm-up", "400", "--where", "ip_in_url=1", "--out", "some", "--warm-up", "50"
    )
    assert code == 0
    assert 0 < json.loads(Path("some/summary.json").read_bytes())["events"] < 1_200
    code, out, _ = rotwatch(
        "replay", "Phishing", "--warm-up", "400", "--limit", "500", "--ignore", "ip_in_url,is_popular"
    )
    assert "ip_in_url" not in out


def test_the_baseline_alone_can_be_left_out_by_a_word(rotwatch):
    Path("p.toml").write_text(
        '[streams.p]\nclasses = ["false", "true"]\nwarm_up = 100\nfeatures.numeric = ["ip_in_url", "age_of_domain"]\n'
    )
    rotwatch("replay", "Phishing", "--config", "p.toml", "--stream", "p", "--baseline", "none", "--out", "out")
    summary = json.loads(Path("out/summary.json").read_bytes())
    assert summary["models"]["baseline"]["accuracy"] is None
    assert summary["models"]["online"] == summary["models"]["served"]
    assert {line["serving"] for line in lines("out/predictions.jsonl")} == {"online"}


def test_metrics_are_served_meanwhile(rotwatch):
    assert rotwatch("replay", "Phishing", "--warm-up", "400", "--metrics-port", "0")[0] == 0


def test_the_demo_runs_and_prints_the_known_changes_beside_what_was_noticed(rotwatch):
    code, out, _ = rotwatch("demo", "--events", "8200")
    assert code == 0
    assert "What changed, and what was noticed" in out
    assert "8,000" in out
    assert "Phishing" in out
    assert "Shuttle" in out
    frauds = out.partition("2. Simulated card transactions")[2].partition("3. Phishing")[0]
    assert "three times as many terminals are compromised" in frauds
    online = [words for line in frauds.splitlines() if (words := line.split())[3:4] == ["online"]]
    assert [words[0] for words in online] == ["8,000", "11,458", "all"]
    assert all(float(words[6]) > 0.6 for words in online)  # average precision
