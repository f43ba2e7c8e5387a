"""Logs: one line an event on stderr, readable or JSON, whoever wrote it: rotwatch, a library, or a warning."""

import json
import logging
import os
import sys
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor

from stream.errors import SettingError

FORMS = ("text", "json")
LEVELS = ("debug", "info", "warning", "error")

EVERY = 30.0
"""Seconds between two lines of the broker client that begin alike."""

MOST = 1_000
"""Beginnings that are remembered."""


def configure(form: str, level: str) -> None:
    """Send all of structlog, logging and warnings to stderr in one of FORMS, from one of LEVELS up.

    May be called again to change it; raises SettingError.
    """
    for key, value, allowed in (("--log-format", form, FORMS), ("--log-level", level, LEVELS)):
        if value not in allowed:
            raise SettingError(key, value, f"one of {', '.join(allowed)}")
    threshold = logging.getLevelNamesMapping()[level.upper()]
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*first, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
    )
    handler = _Stderr()
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[*first, structlog.stdlib.ExtraAdder()],
            processors=[ProcessorFormatter.remove_processors_meta, *_last(form)],
        )
    )
    if threshold > logging.DEBUG:
        handler.addFilter(Thinned())
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    logging.captureWarnings(True)


class Thinned(logging.Filter):
    """Lets the broker client's lines through once in EVERY seconds each, without their tracebacks.

    While a broker is away it writes several a second, and what we say of it would drown.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        if not record.name.startswith("kafka."):
            return True
        # By the template, where there is one: arguments are addresses and times.
        key = (record.name, str(record.msg)[:40])
        if record.created - self._said.get(key, -EVERY) < EVERY:
            return False
        if len(self._said) > MOST:
            self._said.clear()
        self._said[key] = record.created
        record.exc_info = record.exc_text = None
        return True


def _last(form: str) -> list[Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_one_line)]
    colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    # Plain tracebacks: the pretty ones print local variables, and these hold users' records.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _one_line(event: EventDict, **_: Any) -> str:
    """The event as strict JSON: what JSON has no word for, NaN included, is written as Python shows it."""
    try:
        return json.dumps(event, default=repr, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps({key: value if isinstance(value, str) else repr(value) for key, value in event.items()})


class _Stderr(logging.Handler):
    """Writes to what sys.stderr is at the moment: a progress bar puts itself in front of it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - as in the standard library's handlers: a log line stops nothing
            self.handleError(record)
