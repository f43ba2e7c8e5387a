"""Where a replay's rows come from: a file, standard input, a data set of river's, or a simulator.

The same source can be read again from its beginning, and then gives the same rows.
"""

import gzip
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from consumers.lines import Decoder, Row, lines
from stream.errors import SettingError, SourceError

SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}


SIMULATOR = "simulator:"
"""Before a simulator's name."""


def _mail(count: int) -> Iterator[Mapping[str, Any]]:
    from stream.simulators.mail import MailSimulator

    return MailSimulator().rows(count)


def _fraud(count: int) -> Iterator[Mapping[str, Any]]:
    from stream.simulators.fraud import FraudSimulator, known

    return known(FraudSimulator().rows(count))


_SIMULATORS = {"mail": (_mail, 20_000), "fraud": (_fraud, 210_000)}
"""What makes the first rows of each, and how many there are: of fraud, those of 60 days."""


class Source:
    """Rows that can be read again; ``name`` says where they come from."""

    def __init__(self, name: str, read: Callable[[], Iterable[Row]], size: Callable[[], float | None]) -> None:
        self.name = name
        self._read = read
        self._size = size

    def rows(self) -> Iterator[Row]:
        """All rows from the first on; raises SourceError where they cannot be read."""
        return iter(self._read())

    def fraction(self) -> float | None:
        """How much of it has been read, 0 to 1; None where that cannot be known."""
        return self._size()


def open_source(spec: str, form: str | None = None, decoder: Decoder | None = None) -> Source:
    """The source that a user names: ``-``, a file, one of the simulators, or the name of a ``river.datasets`` class.

    ``form`` is jsonl, csv or parquet where the name does not say it. Raises SourceError and SettingError.
    """
    if form is not None and form not in SUFFIXES.values():
        raise SettingError("--input-format", form, "jsonl, csv or parquet")
    if spec.startswith(SIMULATOR):
        _refuse(decoder, spec)
        return _simulator(spec)
    if spec == "-":
        return _stdin(form or "jsonl", decoder)
    path = Path(spec)
    try:
        there = path.exists()
    except OSError as error:
        raise SourceError(f"{spec}: {error.strerror}") from error
    if not there:
        found = _river(spec)
        if found is not None:
            _refuse(decoder, spec)
            return found
        raise SourceError(f"{spec}: no such file, and no data set of river.datasets has that name")
    return _file(path, form, decoder)


def _refuse(decoder: Decoder | None, name: str) -> None:
    if decoder is not None:
        raise SourceError(f"{name}: the stream has a decoder, and decoders read JSON-lines-like files only")


def _file(path: Path, form: str | None, decoder: Decoder | None) -> Source:
    if not path.is_file():
        raise SourceError(f"{path}: is no file")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    form = form or next((SUFFIXES[suffix] for suffix in reversed(suffixes) if suffix in SUFFIXES), None)
    if form is None:
        raise SourceError(f"{path}: say what it holds with --input-format jsonl, csv or parquet")
    if form != "jsonl":
        _refuse(decoder, str(path))
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    if form == "parquet":
        return _parquet(path)
    reader = _Counted(path, zipped=zipped)
    return Source(str(path), lambda: lines(str(path), reader.open(), form, decoder), reader.fraction)


def simulated(name: str, make: Callable[[], Iterable[Any]], size: int) -> Source:
    """A source of ``size`` rows that ``make`` begins anew each time; what it raises comes out as a SourceError."""
    seen = [0]

    def read() -> Iterator[Row]:
        seen[0] = 0
        try:
            for row in make():
                seen[0] += 1
                yield dict(row), None
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise SourceError(f"{name}: no more rows can be read after {seen[0]}: {reason:.300}") from error

    return Source(name, read, lambda: seen[0] / size)


def _simulator(spec: str) -> Source:
    name = spec.removeprefix(SIMULATOR)
    if name not in _SIMULATORS:
        raise SourceError(f"{spec}: no such simulator; there are {', '.join(SIMULATOR + one for one in _SIMULATORS)}")
    make, count = _SIMULATORS[name]
    return simulated(spec, lambda: make(count), count)


class _Counted:
    """A file that knows how much of it has been read, by bytes on disk."""

    def __init__(self, path: Path, *, zipped: bool) -> None:
        self.path = path
        self.zipped = zipped
        self.size = max(1, path.stat().st_size)
        self.file: IO[bytes] | None = None

    def open(self) -> IO[bytes]:
        self.file = self.path.open("rb")
        if not self.zipped:
            return self.file
        unpacked: Any = gzip.GzipFile(fileobj=self.file)
        unpacked.myfileobj = self.file  # closes it when it is closed itself
        return unpacked  # type: ignore[no-any-return] # reads like a file

    def fraction(self) -> float | None:
        return None if self.file is None or self.file.closed else self.file.tell() / self.size


def _parquet(path: Path) -> Source:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise SourceError(f"{path}: Parquet needs the extra: pip install 'rotwatch[parquet]'") from None
    seen, size = [0], [1]

    def read() -> Iterator[Row]:
        try:
            with parquet.ParquetFile(path) as file:
                size[0], seen[0] = max(1, file.metadata.num_rows), 0
                for batch in file.iter_batches(batch_size=1024):
                    for row in batch.to_pylist():
                        seen[0] += 1
                        yield {name: _plain(value) for name, value in row.items()}, None
        except (ArrowException, OSError) as error:
            raise SourceError(f"{path}: cannot be read as Parquet: {error}") from error

    return Source(str(path), read, lambda: seen[0] / size[0])


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if value != value else value  # noqa: PLR0124 - NaN is how Parquet files write "missing"
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return float(value) if isinstance(value, Decimal) else value


def _river(name: str) -> Source | None:
    from river import datasets

    found = getattr(datasets, name, None)
    if not isinstance(found, type) or not issubclass(found, datasets.base.Dataset):
        return None
    dataset: Any = found()  # type: ignore[call-arg] # the named data sets take no arguments, their base does
    if isinstance(dataset, datasets.base.RemoteDataset) and not dataset.is_downloaded:
        raise SourceError(f"{name}: river has not downloaded it; call river.datasets.{name}().download() first")

    def rows() -> Iterator[dict[str, Any]]:
        for x, y in dataset:
            yield {**(x if isinstance(x, dict) else {"text": x}), "label": y}

    return simulated(f"river.datasets.{name}", rows, dataset.n_samples or 1)


class _Spool:
    """An unnamed file that is closed when nobody refers to this any more."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - the finalizer closes it
        weakref.finalize(self, self.file.close)


def _stdin(form: str, decoder: Decoder | None) -> Source:
    if form == "parquet":
        raise SourceError("-: Parquet cannot be read from standard input; give the file's name")
    if form == "csv":
        _refuse(decoder, "standard input")
    spool = _Spool()

    class Tee:
        """Standard input that can be read again: what has come is kept in an unnamed file."""

        def __init__(self) -> None:
            self.at = 0

        def readline(self, most: int) -> bytes:
            spool.file.seek(self.at)
            line = spool.file.readline(most)
            if not line:
                line = sys.stdin.buffer.readline(most)
                spool.file.write(line)
            self.at += len(line)
            return line

        def close(self) -> None:
            pass

    return Source("standard input", lambda: lines("standard input", Tee(), form, decoder), lambda: None)  # type: ignore[arg-type] # as much of a file as _lines uses
