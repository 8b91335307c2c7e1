"""Logs: one line an event on standard error, as text or, with `NEEDFUL_LOG=json`, as JSON. Nothing personal in either.

Our own messages hold no value of anybody's. What libraries say is cut down to the words that they fill in, since what
they fill in may be anybody's, and of an exception only its kind and place are written.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

from models.faults import place
from models.installation import InstallationError

OWN = "needful"
"""Where the names of our own loggers begin."""
FIELDS = "fields"
"""What a message says in members of their own: `extra={FIELDS: {...}}`, names to words, numbers and ids."""
EVENTS = "events"
"""Several events under one message: `extra={EVENTS: [(moment, {...}), ...]}`, moments in seconds since the epoch."""
_LONGEST = 200
_FORMATS = ("text", "json")

_log = logging.getLogger("needful.process")


def configure(environ: Mapping[str, str]) -> None:
    """Let every logger of this process write as the environment says. Raises InstallationError.

    Done again, it replaces what it did before and nothing of anybody else's.
    """
    chosen = environ.get("NEEDFUL_LOG") or _FORMATS[0]
    if chosen not in _FORMATS:
        message = f"NEEDFUL_LOG must be one of: {', '.join(_FORMATS)}."
        raise InstallationError(message)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one.formatter, TextLines)]:
        root.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if chosen == "json" else TextLines())
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(logging.INFO)
    # A line that cannot be written would be told on standard error, arguments and all.
    logging.raiseExceptions = False
    sys.excepthook = _log_uncaught


class TextLines(logging.Formatter):
    """Lines for people: time, level, logger, message, `name=value` for each field."""

    def format(self, record: logging.LogRecord) -> str:
        """A line for each event."""
        message = _message(record)
        return "\n".join([self.line(record, message, _time(at), fields) for at, fields in _events(record)])

    def line(self, record: logging.LogRecord, message: str, time: str, fields: Mapping[str, Any]) -> str:
        """One event."""
        said = "".join([f" {name}={value}" for name, value in fields.items() if value is not None])
        return f"{time} {record.levelname} {record.name}: {message}{said}"


class JsonLines(TextLines):
    """Lines for programs: a JSON object each, with `time`, `level`, `logger`, `message` and the fields."""

    def line(self, record: logging.LogRecord, message: str, time: str, fields: Mapping[str, Any]) -> str:
        """One event."""
        said = {
            **{name: value for name, value in fields.items() if value is not None},
            "time": time,
            "level": record.levelname,
            "logger": record.name,
            "message": message.encode("utf-8", "backslashreplace").decode(),
        }
        return orjson.dumps(said, default=str).decode()


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def _events(record: logging.LogRecord) -> Sequence[tuple[float, Mapping[str, Any]]]:
    several: Sequence[tuple[float, Mapping[str, Any]]] | None = getattr(record, EVENTS, None)
    return several or ((record.created, getattr(record, FIELDS, None) or {}),)


def _message(record: logging.LogRecord) -> str:
    own = record.name.partition(".")[0] == OWN
    text = record.getMessage() if own else _template(record.msg)
    fault = record.exc_info[1] if record.exc_info else None
    return f"{text}: {place(fault)}" if fault else text


def _template(message: object) -> str:
    """What a library says, without what it filled in; asyncio writes that on further lines."""
    text = message if isinstance(message, str) else type(message).__name__
    return text.partition("\n")[0][:_LONGEST]


def _log_uncaught(kind: type[BaseException], fault: BaseException, found: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("fault: %s", place(fault.with_traceback(found)))
