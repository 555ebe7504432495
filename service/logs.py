"""Logs: one line per event, as text or JSON, with the request's id and without secrets.

The values of secret settings are redacted wherever they occur. So is everything that looks like a credential: API keys,
values of the headers that carry them, bearer and other tokens, passwords in addresses.
"""

import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_KEY = re.compile(r"fg_[0-9a-f]{8}_[0-9a-f]{16,}_[0-9a-f]{8}")
_HEADER_NAME = r"(?:x-)?api[-_]?key|(?:proxy-)?authorization"
_HEADER = re.compile(
    rf"(?i)\b({_HEADER_NAME})(['\"]?\s*[:=]\s*(?:b?['\"])?)(?:(?:bearer|token|basic)\s+)?[^\s'\",;}}\]]+",
)
_TOKEN = re.compile(r"(?i)\b(bearer\s+|token=|token\s+(?=\S{16}))[^\s'\",;}\]]+")
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_CREDENTIAL = re.compile(r"(?i)fg_|api[-_]?key|authorization|bearer|token|://")
"""Every text that one of the patterns above changes holds one of these words; most texts hold none."""
_SECRET_NAME = re.compile(r"(?i)(?:proxy-)?authorization|.*api[-_]?key|.*token|.*password|.*secret|set-cookie|cookie")
_REDACTED = "[hidden]"
_MULTILINE_MEMBERS = ("exception", "stack")


def configure(level: str, as_json: bool, secrets: Iterable[str] = ()) -> None:
    """Send all logs to standard error. `secrets` never appear, wherever they occur in an event."""
    redact = _redactor([secret for secret in secrets if len(secret) >= 4])
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    # The default traceback prints the locals of every frame, and so the keys in request headers. It also takes seconds.
    readable = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else readable
    # Events of the service are written at once: the way through the standard library takes as long again.
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=_StandardError,
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        cache_logger_on_first_use=False,
    )
    handler = _StandardErrorHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore", "urllib3", "alembic"):
        logging.getLogger(name).setLevel("WARNING")


class _StandardError:
    """Writes each event as a line. One that cannot be written (full disk, closed pipe) is given up.

    So no request and no job fails for its log.
    """

    _lock = threading.Lock()

    def __init__(self, *_names: object) -> None:
        pass

    def msg(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


class _StandardErrorHandler(logging.Handler):
    """The lines of packages that log with the standard library, written as the events of the service are."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _StandardError().msg(self.format(record))
        except (ValueError, TypeError, LookupError):  # the arguments do not fit the text
            self.handleError(record)


def _redactor(secrets: list[str]) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {name: _logged(name, value, secrets) for name, value in event.items()}

    return redact


def _logged(name: str, value: object, secrets: list[str]) -> object:
    """A member of an event as it is logged. Names with an underscore are structlog's own."""
    if value is None or isinstance(value, bool | int | float):
        return value
    redacted = value if name.startswith("_") else _redacted_member(name, value, secrets)
    return redacted if name in _MULTILINE_MEMBERS else _printable(redacted)


def _printable(value: object) -> object:
    """Write unprintable characters as escapes, because a path or name may hold line breaks and terminal codes."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in value)


def _redacted_member(name: object, value: object, secrets: list[str]) -> object:
    if isinstance(value, str | bytes) and _is_secret(_text(name)):
        return _REDACTED
    return _redacted(value, secrets)


@lru_cache(maxsize=1000)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.fullmatch(name) is not None


def _redacted(value: object, secrets: list[str]) -> object:
    """`value` without secrets, also inside mappings and sequences. Numbers, booleans and None stay as they are."""
    if isinstance(value, str | bytes):
        return redacted(_text(value), secrets)
    if isinstance(value, Mapping):
        return {_text(name): _redacted_member(name, part, secrets) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(part, secrets) for part in value]
    return value if value is None or isinstance(value, bool | int | float) else redacted(str(value), secrets)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without `secrets`, and without what looks like a credential."""
    for secret in secrets:
        text = text.replace(secret, _REDACTED)
    if not _CREDENTIAL.search(text):
        return text
    text = _PASSWORD.sub(rf"\1{_REDACTED}@", _KEY.sub(_REDACTED, text))
    return _TOKEN.sub(rf"\1{_REDACTED}", _HEADER.sub(rf"\1\2{_REDACTED}", text))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
