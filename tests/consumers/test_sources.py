"""The same rows from every kind of file, and again from the beginning."""

import gzip
import io
import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from consumers.sources import open_source, simulated
from stream.errors import RecordError, SourceError

ROWS = [{"event_id": f"e{i}", "n": i / 4, "text": f'say "{i}", twice\nor more'} for i in range(5)]


def written(folder: Path, name: str) -> Path:
    path = folder / name
    if "jsonl" in name:
        data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    elif "csv" in name:
        buffer = io.StringIO()
        pd.DataFrame(ROWS).to_csv(buffer, index=False)
        data = buffer.getvalue().encode()
    else:
        pd.DataFrame(ROWS).to_parquet(path)
        return path
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.jsonl", "a.csv", "a.jsonl.gz", "a.csv.gz", "A.CSV", "a.parquet"])
def test_every_kind_of_file_gives_its_rows_and_gives_them_again(tmp_path, name):
    source = open_source(str(written(tmp_path, name.lower()).rename(tmp_path / name)))
    for _ in range(2):
        rows = [fields for fields, _ in source.rows()]
        assert [{**row, "n": float(row["n"])} for row in rows] == ROWS


def test_standard_input_gives_its_rows_again(monkeypatch):
    data = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    source = open_source("-")
    first = source.rows()
    next(first)
    assert [fields for fields, _ in source.rows()] == ROWS
    assert [fields for fields, _ in first] == ROWS[1:]


def test_csv_comes_from_standard_input_when_said_so_and_parquet_never(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    assert [fields for fields, _ in open_source("-", "csv").rows()] == [{"a": "1", "b": "2"}]
    with pytest.raises(SourceError, match="standard input"):
        open_source("-", "parquet")


def test_a_data_set_of_rivers_comes_by_its_name():
    rows = [fields for fields, _ in open_source("Phishing").rows()]
    assert len(rows) == 1_250
    assert "label" in rows[0]


def test_a_data_set_that_river_would_download_is_refused_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("RIVER_DATA", str(tmp_path))
    with pytest.raises(SourceError, match=r"download\(\)"):
        open_source("Higgs")


@pytest.mark.parametrize(
    ("name", "columns", "count"),
    [
        ("mail", ["event_id", "time", "subject", "body", "label"], 20_000),
        ("fraud", ["event_id", "time", "customer_id", "terminal_id", "amount", "label", "label_time"], 210_000),
    ],
)
def test_a_simulator_comes_by_its_name_without_the_truth_and_knows_how_far_it_is(name, columns, count):
    source = open_source(f"simulator:{name}")
    rows = source.rows()
    fields, _ = next(rows)
    assert list(fields) == columns
    assert source.fraction() == pytest.approx(1 / count)
    assert next(source.rows())[0] == fields


def test_a_simulator_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(SourceError, match="simulator:mail, simulator:fraud"):
        open_source("simulator:frauds")


def test_a_file_knows_how_much_of_it_has_been_read(tmp_path):
    source = open_source(str(written(tmp_path, "a.jsonl")))
    assert source.fraction() is None
    rows = source.rows()
    next(rows)
    assert 0 < source.fraction() <= 1
    list(rows)
    assert source.fraction() is None


def test_times_decimals_and_missing_values_in_parquet_become_plain_values(tmp_path):
    table = pa.table(
        {
            "when": pa.array([datetime(1970, 1, 2, tzinfo=UTC), None]),
            "naive": pa.array([datetime(1970, 1, 2), None]),  # noqa: DTZ001 - files hold such
            "day": pa.array([date(1970, 1, 2), None]),
            "price": pa.array([Decimal("1.50"), None]),
            "x": pa.array([float("nan"), 2.0]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    first, second = [fields for fields, _ in open_source(str(tmp_path / "a.parquet")).rows()]
    assert first == {"when": 86_400.0, "naive": 86_400.0, "day": 86_400.0, "price": 1.5, "x": None}
    assert second == {"when": None, "naive": None, "day": None, "price": None, "x": 2.0}


def test_a_decoder_of_the_users_makes_the_tables_and_its_failures_are_record_errors(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"a=1\nb\nc=3\n")

    def decode(line: bytes) -> dict[str, str]:
        name, value = line.decode().split("=")
        return {name: value}

    found = [fields for fields, _ in open_source(str(tmp_path / "a.jsonl"), decoder=decode).rows()]
    assert found[0] == {"a": "1"}
    assert found[2] == {"c": "3"}
    assert isinstance(found[1], RecordError)
    assert "ValueError" in str(found[1])


def test_a_decoder_that_gives_no_table_is_a_record_error(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    [(found, raw)] = open_source(str(tmp_path / "a.jsonl"), decoder=lambda line: [line]).rows()
    assert isinstance(found, RecordError)
    assert raw == b"1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'a,"b;c;d"\n1,2\n'),
        ("a.csv", 'a;"b;c;d"\n1;2\n'),
        ("a.csv", 'a|"b;c;d"\n1|2\n'),
        ("a.tsv", 'a\t"b;c;d"\n1\t2\n'),
    ],
)
def test_the_header_tells_by_what_the_cells_are_separated(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert [fields for fields, _ in open_source(str(tmp_path / name)).rows()] == [{"a": "1", "b;c;d": "2"}]


def test_a_csv_of_one_column_keeps_the_separators_in_its_cells(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1;2|3\n")
    assert [fields for fields, _ in open_source(str(tmp_path / "a.csv")).rows()] == [{"a": "1;2|3"}]


def test_blank_lines_before_a_csv_header_are_skipped(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf\r\n  \n\na,b\n1,2\n")
    assert list(open_source(str(tmp_path / "a.csv")).rows()) == [({"a": "1", "b": "2"}, b"1,2")]


def test_column_names_that_stand_twice_in_a_csv_header_are_refused_and_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,a,c,b\n1,2,3,4,5\n")
    with pytest.raises(SourceError, match="a.csv: .*more than one column 'a', 'b'"):
        list(open_source(str(tmp_path / "a.csv")).rows())


@pytest.mark.parametrize("spec", ["a.csv", "a.tsv", "a.parquet", "Phishing", "simulator:mail", "simulator:fraud", "-"])
def test_a_decoder_for_what_has_no_lines_to_decode_is_refused(monkeypatch, tmp_path, spec):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "a.tsv", "a.parquet"):
        Path(name).touch()
    with pytest.raises(SourceError, match="JSON-lines-like files only"):
        open_source(spec, "csv" if spec == "-" else None, decoder=json.loads)


def test_whatever_stops_a_data_set_is_one_line():
    def rows():
        yield {"a": 1}
        b"ok\n\xff".decode()

    found = simulated("SMSSpam", rows, 2).rows()
    assert next(found) == ({"a": 1}, None)
    with pytest.raises(
        SourceError, match=r"^SMSSpam: no more rows can be read after 1: UnicodeDecodeError: .*$"
    ) as one:
        next(found)
    assert "\n" not in str(one.value)
