"""Rows of the text formats: JSON lines and CSV.

A row is (fields, raw bytes): fields is a table, or a RecordError where the bytes are none.
"""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any

import msgspec

from stream.errors import RecordError, SourceError

Row = tuple[dict[str, Any] | RecordError, bytes | None]

Decoder = Callable[[bytes], Any]

LONGEST_RECORD = 32 * 1024 * 1024
"""A longer line is cut here and becomes a dead letter: a file without line ends must not fill the memory."""


def lines(name: str, file: IO[bytes], form: str, decoder: Decoder | None) -> Iterator[Row]:
    """The rows of an open file, which is closed behind the last; ``form`` is jsonl or csv. Raises SourceError."""
    try:
        yield from _csv(name, file) if form == "csv" else _jsonl(file, decoder)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield RecordError("", f"the compressed file is damaged or cut off here, no more can be read: {error}"), b""
    except OSError as error:
        raise SourceError(f"the input cannot be read on: {error.strerror}") from error
    finally:
        file.close()


def _jsonl(file: IO[bytes], decoder: Decoder | None) -> Iterator[Row]:
    decode = decode_json() if decoder is None else decoder
    while line := file.readline(LONGEST_RECORD):
        if len(line) >= LONGEST_RECORD and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_RECORD)) and not rest.endswith(b"\n"):
                pass
            yield RecordError("", f"the record is longer than {LONGEST_RECORD} bytes; only its beginning is kept"), line
            continue
        line = line.rstrip(b"\r\n")
        if line and not line.isspace():
            yield decoded(decode, line), line


def decode_json() -> Decoder:
    """Reads a JSON object."""
    return msgspec.json.Decoder(dict[str, Any]).decode


def decoded(decode: Decoder, line: bytes) -> dict[str, Any] | RecordError:
    """The fields that a decoder makes of a record's bytes, or why it makes none."""
    try:
        fields = decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return RecordError("", f"is no JSON object: {error}")
    except Exception as error:  # noqa: BLE001 - a decoder of the user's
        return RecordError("", f"the decoder refused it: {type(error).__name__}: {error}")
    if not isinstance(fields, dict):
        return RecordError("", "the decoder gave no table of fields")
    return fields


def _csv(name: str, file: IO[bytes]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST_RECORD)
    taken: list[bytes] = []

    def lines() -> Iterator[str]:
        while line := file.readline(LONGEST_RECORD):
            taken.append(line)
            yield line.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")

    texts = lines()
    first = next((line for line in texts if line.strip()), "")
    reader = csv.reader(chain([first], texts), delimiter=_delimiter(first))
    header = _header(name, reader)
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RecordError("", f"is no CSV row: {error}"), b"".join(taken)
            continue
        if cells:
            raw = b"".join(taken).rstrip(b"\r\n")
            if len(cells) != len(header):
                yield RecordError("", f"has {len(cells)} cells where the header has {len(header)}"), raw
            elif not all(_is_utf8(cell) for cell in cells):
                yield RecordError("", "is not UTF-8"), raw
            else:
                yield dict(zip(header, cells, strict=True)), raw


def _delimiter(header: str) -> str:
    """What separates the header's names: the most frequent outside quotes, a comma where there is none.

    >>> _delimiter('a;"b,c,d";e')
    ';'
    """
    bare = re.sub(r'"[^"]*"?', "", header)
    return max(",;\t|", key=bare.count)


def _header(name: str, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise SourceError(f"{name}: the CSV header cannot be read: {error}") from error
    if not all(_is_utf8(cell) for cell in header):
        raise SourceError(f"{name}: the CSV header is not UTF-8: convert the file first, e.g. with iconv")
    twice = [column for column, times in Counter(header).items() if times > 1]
    if twice:
        names = ", ".join(repr(column) for column in twice[:10])
        raise SourceError(f"{name}: the CSV header names more than one column {names}: each needs a name of its own")
    return header


def _is_utf8(cell: str) -> bool:
    """Whether no byte of the cell had to be escaped."""
    return cell.isascii() or not any("\udc80" <= mark <= "\udcff" for mark in cell)
