"""Every line on stderr has one form, whoever wrote it."""

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog

from consumers import logs
from stream.errors import SettingError


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
        logging.captureWarnings(False)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


class Stderr:
    """What has been written to stderr since it was last asked for."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def text(self) -> str:
        return self.capsys.readouterr().err

    def objects(self) -> list[dict[str, object]]:
        return objects(self.text())


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Stderr:
    return Stderr(capsys)


def objects(text: str) -> list[dict[str, object]]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_json_is_one_object_a_line_with_an_iso_time_in_utc(stderr: Stderr) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("task recovered", task="0", batches=3)
    structlog.get_logger().warning("two\nlines")
    first, second = stderr.objects()
    moment = datetime.fromisoformat(str(first.pop("timestamp")))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert first.pop("logger")
    assert first == {"event": "task recovered", "level": "info", "task": "0", "batches": 3}
    assert second["event"] == "two\nlines"


def test_the_standard_library_s_loggers_go_the_same_way(stderr: Stderr) -> None:
    logs.configure("json", "info")
    logging.getLogger("kafka.conn").warning("lost %s", "broker", extra={"node": 1})
    [line] = stderr.objects()
    assert (line["event"], line["level"], line["logger"], line["node"]) == ("lost broker", "warning", "kafka.conn", 1)


def test_warnings_go_the_same_way(stderr: Stderr) -> None:
    logs.configure("json", "info")
    warnings.warn("this is deprecated", FutureWarning, stacklevel=1)
    [line] = stderr.objects()
    assert line["logger"] == "py.warnings"
    assert "FutureWarning: this is deprecated" in str(line["event"])


def test_an_exception_is_inside_its_object(stderr: Stderr) -> None:
    logs.configure("json", "info")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("broken")
        logging.getLogger("library").exception("broken too")
    for line in stderr.objects():
        assert "ZeroDivisionError: division by zero" in str(line["exception"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {("a",): 1}, {"x": float("nan")}, b"\xff", object()])
def test_what_json_has_no_word_for_is_written_as_python_shows_it(stderr: Stderr, value: object) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("odd", value=value, task="0")
    [line] = stderr.objects()
    assert (line["value"], line["task"], line["event"]) == (repr(value), "0", "odd")


def test_a_lone_surrogate_stops_no_line(stderr: Stderr) -> None:
    logs.configure("json", "info")
    structlog.get_logger().info("odd", event_id="\ud800")
    assert stderr.objects()[0]["event_id"] == "\ud800"


@pytest.mark.parametrize("form", logs.FORMS)
@pytest.mark.parametrize(("level", "lines"), [("debug", 8), ("info", 6), ("warning", 4), ("error", 2)])
def test_what_is_below_the_level_is_left_out(stderr: Stderr, form: str, level: str, lines: int) -> None:
    logs.configure(form, level)
    for log in (structlog.get_logger(), logging.getLogger("library")):
        for name in logs.LEVELS:
            getattr(log, name)("said")
    assert len(stderr.text().splitlines()) == lines


def test_text_is_readable_and_without_colours_where_no_terminal_is(stderr: Stderr) -> None:
    logs.configure("text", "info")
    structlog.get_logger().info("task recovered", batches=3)
    text = stderr.text()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \[info +\] task recovered .*batches=3", text)
    assert "\x1b" not in text


def test_text_is_coloured_on_a_terminal_unless_no_color_is_set(stderr: Stderr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    logs.configure("text", "info")
    structlog.get_logger().info("bright")
    assert "\x1b[" in stderr.text()
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure("text", "info")
    structlog.get_logger().info("plain")
    assert "\x1b" not in stderr.text()


def test_a_traceback_shows_no_local_variables(stderr: Stderr) -> None:
    logs.configure("text", "info")
    secret = "body of a " + "mail"
    try:
        int(secret[0])
    except ValueError:
        structlog.get_logger().exception("broken")
    text = stderr.text()
    assert "ValueError: invalid literal" in text
    assert "body of a mail" not in text


def test_lines_go_to_what_stderr_is_at_the_moment(stderr: Stderr, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("json", "info")
    bar = io.StringIO()
    monkeypatch.setattr(sys, "stderr", bar)
    structlog.get_logger().info("over the bar")
    assert (stderr.text(), len(objects(bar.getvalue()))) == ("", 1)


def test_a_second_configuration_replaces_the_first(stderr: Stderr) -> None:
    log = structlog.get_logger()
    logs.configure("text", "error")
    log.info("unheard")
    logs.configure("json", "info")
    log.info("heard")
    assert [line["event"] for line in stderr.objects()] == ["heard"]


@pytest.mark.parametrize(
    ("form", "level", "message"),
    [
        ("xml", "info", "setting --log-format = 'xml': must be one of text, json"),
        ("json", "loud", "setting --log-level = 'loud': must be one of debug, info, warning, error"),
    ],
)
def test_a_wrong_word_is_a_setting_error_that_lists_the_right_ones(form: str, level: str, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)):
        logs.configure(form, level)


@pytest.mark.parametrize(("level", "lines"), [("warning", 2), ("debug", 10)])
def test_the_broker_clients_lines_are_thinned_out_but_for_who_looks_for_a_fault(
    stderr: Stderr, level: str, lines: int
) -> None:
    logs.configure("json", level)
    client, ours = logging.getLogger("kafka.net.connection"), logging.getLogger("consumers.worker")
    for number in range(5):
        client.error("Error receiving network data from node %s", number, exc_info=OSError("refused"))
        client.warning("another thing of node %s", number)
    found = stderr.objects()
    assert len(found) == lines
    assert any("exception" in line for line in found) == (level == "debug")
    ours.warning("trying again")
    ours.warning("trying again")
    assert len(stderr.objects()) == 2


def test_a_line_of_the_broker_client_comes_again_after_a_while() -> None:
    thinned = logs.Thinned()
    times = [0.0, 1.0, 29.0, 30.0, 31.0, 61.0]
    records = [logging.makeLogRecord({"name": "kafka.x", "msg": "gone", "created": at}) for at in times]
    assert [record.created for record in records if thinned.filter(record)] == [0.0, 30.0, 61.0]
