"""The command, run in the test's own process."""

import io
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rotwatch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command in this process; anything but an exit code ends the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*words: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rotwatch", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            logging.captureWarnings(False)
            for number, handler in before.items():
                signal.signal(number, handler)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
