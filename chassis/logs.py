"""Structured logs as JSON lines on stdout: ids, codes, counts and durations only.

What is not on the allow-list is dropped, not masked.
Exceptions and other people's loggers are reduced to a type and a line of code, because their messages carry values
(kombu logs the raw body of what it cannot decode, pymongo the document that broke an index).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry import trace

from chassis import out_of_memory
from chassis.plain_structlog import structlog

_NAMES = frozenset(
    {
        "attempt",
        "channel",
        "code",
        "collection",
        "count",
        "dropped",
        "error",
        "error_id",
        "event_type",
        "exit_code",
        "failpoint",
        "function",
        "grpc_port",
        "http_port",
        "is_ready",
        "is_redelivered",
        "kind",
        "level",
        "library",
        "line",
        "listener",
        "method",
        "missing",
        "outcome",
        "pid",
        "port",
        "queue",
        "role",
        "route",
        "routing_key",
        "service",
        "signal",
        "source",
        "stage",
        "state",
        "status",
        "trace",
        "type",
        "version",
        "where",
        "worker_host",
    }
)
_ENDINGS = ("_id", "_ids", "_code", "_codes", "_count", "_s", "_ms", "_bytes", "_seq", "_ratio")
# A value that could be a sentence, an address or a document has a character that is not in here.
_PLAIN_TEXT = re.compile(r"[\w.:/+*#<>{}=,\[\]-]{0,160}", re.ASCII)
_EVENT = re.compile(r"[\w .,:;/'-]{1,120}", re.ASCII)
_MOST_ITEMS = 50
_MOST_FRAMES = 12
_ROOT = Path(__file__).resolve().parent.parent
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


def is_allowed(name: str, value: object) -> bool:
    """True where a field of this name and value may be written to a log or a span."""
    if name not in _NAMES and not name.endswith(_ENDINGS):
        return False
    if isinstance(value, (list, tuple, set, frozenset)):
        return len(value) <= _MOST_ITEMS and all(_is_plain(item) for item in value)
    return _is_plain(value)


def _is_plain(value: object) -> bool:
    if value is None or isinstance(value, (bool, int, float)):
        return True
    return isinstance(value, str) and _PLAIN_TEXT.fullmatch(value) is not None


def where(error: BaseException) -> str:
    """The innermost line of our own code that the error passed through, else the innermost line: "path:42"."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _is_ours(frame.filename)]
    return _place(*_file_line((ours or frames)[-1])) if frames else "unknown"


def described(error: BaseException) -> dict[str, Any]:
    """The error as fields: its type, the line, the way there and a numeric code; never its message."""
    frames = traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    fields: dict[str, Any] = {
        "error": type_name(error),
        "where": where(error),
        "trace": [_place(*_file_line(frame)) for frame in frames],
    }
    number = getattr(error, "code", None)
    if isinstance(number, int):
        fields["error_code"] = number
    cause = error.__cause__ or error.__context__
    if cause is not None:
        fields["cause_code"] = type_name(cause)
    return fields


def type_name(error: BaseException) -> str:
    """The error's type with its module, such as "pymongo.errors.AutoReconnect"."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def start(service: str, role: str, level: str = "info") -> None:
    """From here on every logger of this process, ours and other people's, writes reduced JSON lines to stdout."""
    threshold = _LEVELS.get(level.lower(), logging.INFO)
    structlog.reset_defaults()
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.contextvars.merge_contextvars,
            _reduce_exception,
            _keep_allowed,
            _Stamp(service, role),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    _capture_libraries()
    _capture_uncaught()


def get() -> Any:
    """A logger; bind nothing to it, name fields at the call. The event must be a constant text."""
    return structlog.get_logger()


def _reduce_exception(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    error = fields.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        fields.update(described(error))
    fields.pop("stack_info", None)
    return fields


def _keep_allowed(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event = fields.pop("event", "")
    level = fields.pop("level", "")
    kept: dict[str, Any] = {"event": event if _is_event(event) else "unnamed", "level": level}
    dropped = []
    for name, value in fields.items():
        if is_allowed(name, value):
            kept[name] = sorted(value) if isinstance(value, (set, frozenset)) else value
        else:
            dropped.append(name if _PLAIN_TEXT.fullmatch(name) else "unnamed")
    if dropped:
        kept["dropped"] = sorted(dropped)
    return kept


def _is_event(event: object) -> bool:
    return isinstance(event, str) and _EVENT.fullmatch(event) is not None


class _Lines:
    """Writes one line per entry to stdout; a reader that has gone away never fails the work that logs."""

    _lock = threading.Lock()

    def __init__(self, *_: Any) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.msg

    def msg(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


class _Stamp:
    """Adds who writes and in which trace."""

    def __init__(self, service: str, role: str) -> None:
        self._fields = {"service": service, "role": role}

    def __call__(self, _: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            fields["trace_id"] = f"{span.trace_id:032x}"
        fields.update(self._fields)
        return fields


class LibraryHandler(logging.Handler):
    """Reduces a record of somebody else's logger to its place in the code and its error's type."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes level, logger, file and line; the message and its arguments are never formatted."""
        try:
            fields = {
                "library": record.name,
                "where": _place(record.pathname, record.lineno),
                "function": record.funcName,
            }
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                fields |= described(error) | {"where": fields["where"]}
            level = "error" if record.levelno >= logging.ERROR else "warning"
            getattr(get(), level)("library", **fields)
        except Exception:  # noqa: BLE001, S110  a logger that raises would break what it watches
            pass


def _capture_libraries() -> None:
    root = logging.getLogger()
    root.handlers[:] = [LibraryHandler(logging.WARNING)]
    root.setLevel(logging.WARNING)
    for name in list(logging.Logger.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.captureWarnings(True)
    logging.raiseExceptions = False


def _capture_uncaught() -> None:
    def on_exception(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            return
        out_of_memory.end_if_meant(error)
        get().critical("uncaught", exc_info=error)

    def on_thread_exception(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            out_of_memory.end_if_meant(args.exc_value)
            get().critical("uncaught in a thread", exc_info=args.exc_value)

    def on_unraisable(args: Any) -> None:
        if args.exc_value is not None:
            out_of_memory.end_if_meant(args.exc_value)
            get().error("uncaught while cleaning up", exc_info=args.exc_value)

    sys.excepthook = on_exception
    threading.excepthook = on_thread_exception
    sys.unraisablehook = on_unraisable


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_ROOT) and "site-packages" not in path.parts


def _file_line(frame: traceback.FrameSummary) -> tuple[str, int]:
    return frame.filename, frame.lineno or 0


def _place(filename: str, line: int) -> str:
    path = Path(filename)
    if _is_ours(filename):
        return f"{path.relative_to(_ROOT)}:{line}"
    return f"{'/'.join(path.parts[-3:])}:{line}"


@contextmanager
def bound(**fields: str | int) -> Iterator[None]:
    """Every line the block writes carries these fields too (context variables, so per request or message)."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield
