"""Logs: one line an event, readable or JSON, with the request's id and without secrets."""

import logging
import re
import sys
from collections.abc import Iterable

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_KEY = re.compile(r"fg_[0-9a-f]{8}_[0-9a-f]{16,}_[0-9a-f]{8}")
_TOKEN = re.compile(r"(?i)\b(token|bearer|apikey)(\s+|=)\S+")
_HIDDEN = "[hidden]"


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
        return {key: _hidden(value, secrets) if isinstance(value, str) else value for key, value in event.items()}

    return hide


def _hidden(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return _TOKEN.sub(rf"\1\2{_HIDDEN}", _KEY.sub(_HIDDEN, text))
