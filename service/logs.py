"""Logs: one line an event, readable or JSON, with the request's id and without secrets.

Hidden are the values of secret settings wherever they stand, and whatever looks like a credential: our keys, values
of the headers that carry them, bearer and other tokens, passwords in addresses.
"""

import logging
import re
import sys
from collections.abc import Iterable, Mapping

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_KEY = re.compile(r"fg_[0-9a-f]{8}_[0-9a-f]{16,}_[0-9a-f]{8}")
_HEADER = re.compile(r"(?i)\b((?:x-)?api[-_]?key|(?:proxy-)?authorization)(['\"]?\s*[:=]\s*(?:b?['\"])?)(?:(?:bearer|token|basic)\s+)?[^\s'\",;}\]]+")
_TOKEN = re.compile(r"(?i)\b(bearer\s+|token=|token\s+(?=\S{16}))[^\s'\",;}\]]+")
_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
_SECRET_NAME = re.compile(r"(?i)(?:proxy-)?authorization|.*api[-_]?key|.*token|.*password|.*secret|set-cookie|cookie")
_HIDDEN = "[hidden]"
_OF_SEVERAL_LINES = ("exception", "stack")


def configure(level: str, as_json: bool, secrets: Iterable[str] = ()) -> None:
    """Send everything to standard error. `secrets` never appear, wherever they stand in an event."""
    hide = _hiding([secret for secret in secrets if len(secret) >= 4])
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide,
    ]
    # Plain tracebacks: the default prints the locals of every frame, with request headers and their keys, and takes seconds to draw.
    readable = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else readable
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
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


def _hiding(secrets: list[str]) -> Processor:
    def hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        hidden = {key: value if key.startswith("_") else _hidden_named(key, value, secrets) for key, value in event.items()}
        return {key: value if key in _OF_SEVERAL_LINES else _printable(value) for key, value in hidden.items()}

    return hide


def _printable(value: object) -> object:
    """`value` with what moves a terminal's cursor or breaks a line written as an escape: a path or name may hold anything."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in value)


def _hidden_named(name: object, value: object, secrets: list[str]) -> object:
    if isinstance(value, str | bytes) and _SECRET_NAME.fullmatch(_text(name)):
        return _HIDDEN
    return _hidden(value, secrets)


def _hidden(value: object, secrets: list[str]) -> object:
    """`value` without secrets, inside mappings and sequences too. Numbers and the like are themselves."""
    if isinstance(value, str | bytes):
        return _hidden_text(_text(value), secrets)
    if isinstance(value, Mapping):
        return {_text(name): _hidden_named(name, part, secrets) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden(part, secrets) for part in value]
    return value if value is None or isinstance(value, bool | int | float) else _hidden_text(str(value), secrets)


def _hidden_text(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    text = _PASSWORD.sub(rf"\1{_HIDDEN}@", _KEY.sub(_HIDDEN, text))
    return _TOKEN.sub(rf"\1{_HIDDEN}", _HEADER.sub(rf"\1\2{_HIDDEN}", text))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
