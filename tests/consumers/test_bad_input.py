"""Whatever comes in: a dead letter, or one clear line and exit code 2, and the good records around it are predicted."""

import base64
import gzip
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from consumers import lines

GOOD = 160
WARM_UP = 60

SETTINGS = """
[streams.mini]
classes = ["ham", "spam"]
features.text = ["body"]
features.numeric = ["size"]
features.categorical = ["city"]
warm_up = 60
"""

Run = Callable[..., tuple[int, str, str]]


def good(index: int) -> dict[str, Any]:
    spam = index % 3 == 0
    return {
        "event_id": f"e{index}",
        "time": 1_700_000_000 + index,
        "body": f"{'cash prize' if spam else 'lunch report'} number{index % 9}",
        "size": 1.5 + spam + index % 4 / 8,
        "city": f"c{index % 3}",
        "label": "spam" if spam else "ham",
    }


@pytest.fixture
def rotwatch(rotwatch: Run) -> Run:
    """The command, beside the settings file of these tests."""
    Path("mini.toml").write_text(SETTINGS)
    return rotwatch


def replayed(
    run: Run, file: Path | str, *words: object, code: int = 0
) -> tuple[dict[str, Any], list[dict[str, Any]], set[str]]:
    """summary, dead letters and predicted ids of a replay of mini."""
    ended, _, err = run("replay", file, "--config", "mini.toml", "--stream", "mini", "--out", "out", *words)
    assert ended == code, err
    summary = json.loads(Path("out/summary.json").read_bytes())
    letters = [json.loads(line) for line in Path("out/dead-letters.jsonl").read_bytes().splitlines()]
    predicted = {json.loads(line)["event_id"] for line in Path("out/predictions.jsonl").read_bytes().splitlines()}
    fates = summary["fates"]
    assert summary["events"] == fates["predicted"] + fates["repeated"] + fates["events_dead"]
    return summary, letters, predicted


def refused(run: Run, *words: object) -> str:
    """The one line on standard error with which a command ends."""
    code, _, err = run(*words)
    lines = [line for line in err.splitlines() if line.strip()]
    assert (code, len(lines)) == (2, 1), err
    assert lines[0].startswith("rotwatch: ")
    return lines[0]


def with_bad(lines: list[bytes], at: int = 100) -> bytes:
    """A JSONL file with bad lines between good ones, behind the warm-up."""
    rows = [json.dumps(good(index)).encode() for index in range(GOOD)]
    return b"\n".join([*rows[:at], *lines, *rows[at:]]) + b"\n"


GOOD_IDS = {f"e{index}" for index in range(WARM_UP, GOOD)}


def changed(**fields: object) -> bytes:
    return json.dumps({**good(5), "event_id": "bad", **fields}).encode()


BAD_LINES = {
    "truncated JSON": (b'{"event_id": "bad", "body": "cas', ""),
    "no JSON": (b"hello", ""),
    "a JSON list": (b"[1, 2]", ""),
    "a JSON text": (b'"bad"', ""),
    "binary": (bytes(range(128, 256)) * 4, ""),
    "NUL bytes": (b"\x00" * 50, ""),
    "bad UTF-8": (b'{"event_id": "bad", "body": "\xff\xfe"}', ""),
    "half a surrogate": (b'{"event_id": "bad", "body": "\\ud800"}', ""),
    "nested without end": (b'{"event_id":' + b"[" * 50_000, ""),
    "text that is a number": (changed(body=7), "body"),
    "text that is a list": (changed(body=["a"]), "body"),
    "a number that is text": (changed(size="big"), "size"),
    "a number that is a table": (changed(size={"a": 1}), "size"),
    "a category that is a list": (changed(city=[1]), "city"),
    "literal NaN": (changed(size=float("nan")), ""),
    "literal Infinity": (changed(size=float("inf")), ""),
    "a number beyond floats": (changed(size=10**400), "size"),
    "a number too large to square": (changed(size=1e300), "size"),
    "text NaN": (changed(size="NaN"), "size"),
    "text infinity": (changed(size="-inf"), "size"),
    "an empty id": (changed(event_id=""), "event_id"),
    "no id": (changed(event_id=None), "event_id"),
    "an id that is a list": (changed(event_id=[1]), "event_id"),
    "an endless id": (changed(event_id="x" * 100_000), "event_id"),
    "a time that is no time": (changed(time="soon"), "time"),
    "a time that is a truth value": (changed(time=True), "time"),
    "a time beyond floats": (changed(time=10**400), "time"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_record_is_a_dead_letter_with_its_bytes_and_the_good_ones_are_predicted(rotwatch, name):
    line, field = BAD_LINES[name]
    Path("in.jsonl").write_bytes(with_bad([line]))
    summary, letters, predicted = replayed(rotwatch, "in.jsonl")
    assert predicted == GOOD_IDS
    assert summary["dead_letters"] == 1
    assert summary["joined"] == len(GOOD_IDS)
    [letter] = letters
    assert (letter["source"], letter["field"], letter["offset"]) == ("events", field, 100)
    assert letter["reason"]
    assert len(letter["reason"]) < 400
    assert base64.b64decode(letter["payload"]) == line


def test_bad_records_within_the_warm_up_are_left_out_of_it_and_counted(rotwatch):
    Path("in.jsonl").write_bytes(
        with_bad([b"hello", changed(body=7), changed(label="eggs"), changed(label=None)], at=0)
    )
    summary, _, predicted = replayed(rotwatch, "in.jsonl")
    assert sum(summary["warm_up_unused"].values()) == 3  # "hello" is no row at all
    assert predicted == GOOD_IDS | {f"e{index}" for index in range(WARM_UP - 4, WARM_UP)}


@pytest.mark.parametrize("first", [b"hello", b'{"event_id": 1'])
def test_a_bad_first_record_does_not_change_how_the_others_are_read(rotwatch, first):
    Path("in.jsonl").write_bytes(with_bad([first], at=0))
    _, _, predicted = replayed(rotwatch, "in.jsonl")
    assert "e100" in predicted  # and not row-101: their ids are read


ACCEPTED = {
    "unknown fields": changed(more={"a": [1, 2]}, and_more="x"),
    "a body of five megabytes": changed(body="cash " * 1_000_000),
    "a time in 2099": changed(time="2099-01-01T00:00:00Z"),
    "a time of 1e308": changed(time=1e308),
    "a time before the epoch": changed(time=-1e9),
    "missing everything but the id": b'{"event_id": "bad"}',
    "an unseen category": changed(city="nowhere"),
    "a very large number": changed(size=1e29),
    "a whole number where a category is expected": changed(city=7),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_strange_record_is_predicted_and_disturbs_nobody(rotwatch, name):
    Path("in.jsonl").write_bytes(with_bad([ACCEPTED[name]]))
    summary, letters, predicted = replayed(rotwatch, "in.jsonl")
    assert predicted == GOOD_IDS | {"bad"}
    assert letters == []
    assert summary["fates"]["expired"] == 0, "a time far ahead must not expire those who wait"
    assert summary["joined"] == len(GOOD_IDS) + ("label" in json.loads(ACCEPTED[name]))
    assert summary["models"]["online"]["accuracy"] > 0.8


def test_a_record_longer_than_the_limit_is_cut_off_and_the_next_one_is_read(rotwatch, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_RECORD", 10_000)
    Path("in.jsonl").write_bytes(with_bad([b'{"body": "' + b"x" * 50_000 + b'"}']))
    _, letters, predicted = replayed(rotwatch, "in.jsonl")
    assert predicted == GOOD_IDS
    assert "longer than 10000 bytes" in letters[0]["reason"]


def test_an_unknown_label_is_a_dead_letter_of_the_labels(rotwatch):
    Path("in.jsonl").write_bytes(with_bad([changed(label="eggs")]))
    summary, letters, predicted = replayed(rotwatch, "in.jsonl")
    assert predicted == GOOD_IDS | {"bad"}
    assert letters[0]["source"] == "labels"
    assert "'eggs'" in letters[0]["reason"]
    assert summary["labels"] == summary["joined"] + 1


def test_what_users_wrote_is_printed_as_they_wrote_it(rotwatch):
    rows = [good(index) for index in range(GOOD)]
    rows[100]["size"] = "see [/b] :car: here"
    Path("in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, err = rotwatch("replay", "in.jsonl", "--config", "mini.toml", "--stream", "mini")
    assert code == 0, err
    assert "see [/b] :car: here" in " ".join(out.split())


def test_a_repeated_event_gets_its_first_answer_and_its_label_once(rotwatch):
    Path("in.jsonl").write_bytes(with_bad([json.dumps(good(80)).encode()] * 3))
    summary, _, predicted = replayed(rotwatch, "in.jsonl")
    assert predicted == GOOD_IDS
    assert (summary["fates"]["repeated"], summary["fates"]["duplicate"]) == (3, 3)


# ------------------------------------------------------------------------------------------- labels of their own


def labels_file(lines: list[bytes]) -> Path:
    rows = [
        json.dumps({"event_id": f"e{i}", "time": good(i)["time"] + 5, "label": good(i)["label"]}).encode()
        for i in range(GOOD)
    ]
    Path("events.jsonl").write_bytes(
        b"".join(json.dumps({k: v for k, v in good(i).items() if k != "label"}).encode() + b"\n" for i in range(GOOD))
    )
    Path("labels.jsonl").write_bytes(b"\n".join([*rows[:100], *lines, *rows[100:]]))
    return Path("labels.jsonl")


def test_labels_for_nothing_and_bad_labels_are_counted_and_the_others_join(rotwatch):
    nothing = b'{"event_id": "nobody", "time": 1700000050, "label": "spam"}'
    labels_file([nothing, b"hello", b'{"event_id": "e90", "time": 1700000099}', b'{"event_id": "", "label": "ham"}'])
    summary, letters, predicted = replayed(rotwatch, "events.jsonl", "--labels", "labels.jsonl")
    assert predicted == GOOD_IDS
    assert summary["joined"] == len(GOOD_IDS)
    assert [letter["field"] for letter in letters] == ["", "label", "event_id"]
    assert {letter["source"] for letter in letters} == {"labels"}
    assert summary["fates"]["early"] == 1


@pytest.mark.parametrize("missing", ["event_id", "time", "label"])
def test_a_labels_file_without_a_column_it_needs_is_refused(rotwatch, missing):
    labels_file([])
    rows = [{k: v for k, v in {"event_id": "e1", "time": 1, "label": "ham"}.items() if k != missing}]
    pd.DataFrame(rows).to_csv("labels.csv", index=False)
    line = refused(
        rotwatch, "replay", "events.jsonl", "--config", "mini.toml", "--stream", "mini", "--labels", "labels.csv"
    )
    assert f"'{missing}'" in line


# ------------------------------------------------------------------------------------------- files


def refuse_file(rotwatch: Run, name: str, *words: object) -> str:
    return refused(rotwatch, "replay", name, "--config", "mini.toml", "--stream", "mini", "--out", "out", *words)


def test_a_missing_file_is_refused(rotwatch):
    assert "nowhere.jsonl: no such file" in refuse_file(rotwatch, "nowhere.jsonl")


def test_a_directory_is_refused(rotwatch):
    Path("folder.jsonl").mkdir()
    assert "is no file" in refuse_file(rotwatch, "folder.jsonl")


def test_a_name_too_long_for_a_file_is_refused(rotwatch):
    assert "too long" in refuse_file(rotwatch, "x" * 300)


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.csv", "empty.jsonl.gz", "blank.jsonl"])
def test_an_empty_file_is_refused(rotwatch, name):
    content = b"\n\n  \n" if name == "blank.jsonl" else b""
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert "has no rows" in refuse_file(rotwatch, name)


def test_a_csv_with_a_header_only_is_refused(rotwatch):
    Path("header.csv").write_text("event_id,time,body,size,city,label\n")
    assert "has no rows" in refuse_file(rotwatch, "header.csv")


def test_a_file_of_an_unknown_kind_asks_for_it(rotwatch):
    Path("data.dat").write_bytes(with_bad([]))
    assert "--input-format" in refuse_file(rotwatch, "data.dat")
    assert replayed(rotwatch, "data.dat", "--input-format", "jsonl")[2] == GOOD_IDS


@pytest.mark.parametrize("name", ["noise.jsonl", "noise.csv", "noise.jsonl.gz", "noise.parquet"])
def test_a_binary_file_is_refused(rotwatch, name):
    Path(name).write_bytes(b"\x89PNG\r\n" + os.urandom(4_000).replace(b"\n", b"") + b"\n\xff\xfe\n")
    assert name in refuse_file(rotwatch, name)


def test_a_file_shorter_than_the_warm_up_is_refused_with_what_to_do(rotwatch):
    Path("in.jsonl").write_bytes(with_bad([]))
    assert "give --warm-up fewer" in refuse_file(rotwatch, "in.jsonl", "--warm-up", GOOD)


def test_a_cut_off_gz_file_gives_what_is_there_and_one_dead_letter(rotwatch):
    packed = gzip.compress(with_bad([]) + os.urandom(3_000).hex().encode())
    Path("cut.jsonl.gz").write_bytes(packed[:-900])
    summary, letters, predicted = replayed(rotwatch, "cut.jsonl.gz")
    assert predicted == GOOD_IDS
    assert "damaged or cut off" in letters[-1]["reason"]
    assert summary["dead_letters"] == len(letters) == 1


def test_a_cut_off_parquet_file_is_refused(rotwatch):
    pd.DataFrame([good(index) for index in range(GOOD)]).to_parquet("in.parquet")
    Path("cut.parquet").write_bytes(Path("in.parquet").read_bytes()[:-50])
    assert "cannot be read as Parquet" in refuse_file(rotwatch, "cut.parquet")


def csv(*, bad: list[bytes], at: int = 100) -> bytes:
    names = list(good(0))
    rows = [",".join(str(good(index)[name]) for name in names).encode() for index in range(GOOD)]
    return b"\r\n".join([",".join(names).encode(), *rows[:at], *bad, *rows[at:]]) + b"\r\n"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"bad,1,too,few", "has 4 cells where the header has 6"),
        (b"bad,1,b,1,c,ham,more,more", "has 8 cells where the header has 6"),
        (b"bad,1,caf\xe9 cr\xe8me,1,c,ham", "is not UTF-8"),
        (b"bad,1,b,nan,c,ham", "must be a number within"),
        (b"bad,1,b,inf,c,ham", "must be a number within"),
        (b"bad,1,b,1\x00,c,ham", "must be a number"),
        (b"bad,yesterday,b,1,c,ham", "must be seconds since the epoch"),
        (b",1,b,1,c,ham", "non-empty id"),
    ],
)
def test_a_bad_csv_row_is_a_dead_letter(rotwatch, line, word):
    Path("in.csv").write_bytes(csv(bad=[line]))
    summary, [letter], predicted = replayed(rotwatch, "in.csv")
    assert predicted == GOOD_IDS
    assert word in letter["reason"]
    assert summary["dead_letters"] == 1


def test_nul_bytes_in_text_blank_lines_and_a_byte_order_mark_do_no_harm(rotwatch):
    Path("in.csv").write_bytes(b"\xef\xbb\xbf" + csv(bad=[b"bad,1,nul\x00byte,1,c,ham", b"", b""]))
    assert replayed(rotwatch, "in.csv")[2] == GOOD_IDS | {"bad"}


def test_a_csv_header_that_is_not_utf_8_is_refused(rotwatch):
    Path("in.csv").write_bytes(csv(bad=[]).replace(b"city", b"pr\xe9nom"))
    assert "header is not UTF-8" in refuse_file(rotwatch, "in.csv")


def test_nan_in_parquet_is_missing_and_infinity_is_a_dead_letter(rotwatch):
    frame = pd.DataFrame([good(index) for index in range(GOOD)])
    frame.loc[100, "size"], frame.loc[101, "size"] = float("nan"), float("inf")
    frame.to_parquet("in.parquet")
    _, [letter], predicted = replayed(rotwatch, "in.parquet")
    assert predicted == GOOD_IDS - {"e101"}
    assert letter["field"] == "size"


# ------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--map", "label=nope"], "--map label"),
        (["--map", "event_id=nope"], "--map event_id"),
        (["--map", "body=nope"], "--map body"),
        (["--map", "nope=body"], "--map"),
        (["--map", "label"], "NAME=VALUE"),
        (["--where", "body"], "NAME=VALUE"),
        (["--where", "nope=1"], "--where keeps"),
        (["--where", "label=eggs"], "--where keeps"),
        (["--label-delay", "soon"], "--label-delay"),
        (["--label-delay", "\N{SUPERSCRIPT TWO}"], "--label-delay"),
        (["--segment", "ten"], "--segment"),
        (["--segment", "\N{SUPERSCRIPT TWO}"], "--segment"),
        (["--speed", "fast"], "--speed"),
        (["--speed", "xnan"], "--speed"),
        (["--format", "xml"], "--format"),
        (["--baseline", "best"], "streams.mini.baseline"),
        (["--online", "no.module:make"], "streams.mini.online"),
        (["--labels", "nowhere.csv"], "nowhere.csv"),
        (["--input-format", "xml"], "xml"),
    ],
)
def test_a_wrong_word_is_named_in_one_line(rotwatch, words, named):
    Path("in.jsonl").write_bytes(with_bad([]))
    assert named in refuse_file(rotwatch, "in.jsonl", *words)


def test_a_stream_that_is_not_there_is_named_with_those_that_are(rotwatch):
    Path("in.jsonl").write_bytes(with_bad([]))
    assert "spam, fraud" in refused(rotwatch, "replay", "in.jsonl", "--stream", "ham")


# ------------------------------------------------------------------------------------------- places to write to


@pytest.mark.parametrize("out", ["in.jsonl", "in.jsonl/below", "/proc/rotwatch", "/dev/null/x"])
def test_an_output_folder_that_cannot_be_written_is_refused(rotwatch, out):
    Path("in.jsonl").write_bytes(with_bad([]))
    line = refused(rotwatch, "replay", "in.jsonl", "--config", "mini.toml", "--stream", "mini", "--out", out)
    assert f"{out}: results cannot be written there" in line


def test_a_key_that_cannot_be_made_is_refused(rotwatch, monkeypatch):
    Path("in.jsonl").write_bytes(with_bad([]))
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/rotwatch")
    assert "the checkpoint key" in refuse_file(rotwatch, "in.jsonl")


def test_a_state_file_that_is_none_is_refused(rotwatch):
    Path("in.jsonl").write_bytes(with_bad([]))
    Path("out").mkdir()
    Path("out/state.sqlite").write_bytes(b"this is no database" * 100)
    assert "out/state.sqlite" in refuse_file(rotwatch, "in.jsonl")


@pytest.mark.parametrize(("limit", "resume"), [(30_000, ["--fresh"]), (300_000, [])])
def test_a_full_disk_is_one_line_and_no_traceback(rotwatch, monkeypatch, limit, resume):
    """No file may grow past the limit: what a full disk looks like to SQLite, with the same end."""
    Path("in.jsonl").write_bytes(with_bad([changed(event_id=f"b{i}", body=f"w{i} " * 40) for i in range(600)]))
    monkeypatch.setattr("consumers.worker.time.sleep", lambda _: None)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        words = ("replay", "in.jsonl", "--config", "mini.toml", "--stream", "mini", "--out", "out")
        code, _, err = rotwatch("--log-level", "error", *words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2
    [line] = err.strip().splitlines()
    assert line.startswith("rotwatch: out")
    assert replayed(rotwatch, "in.jsonl", *resume)[2] >= GOOD_IDS  # and with room again it goes on, or begins anew
