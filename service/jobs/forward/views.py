"""What people and monitoring are told about each connector."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from service.domain.timerange import format_time
from service.errors import InvalidParameter
from service.jobs.forward.connector import Connector
from service.jobs.forward.connector_state import NOTHING_KNOWN, ConnectorState
from service.jobs.forward.dead_letter_table import LetterTotals
from service.jobs.forward.definitions import ConnectorRules, ConnectorText
from service.jobs.forward.future_position import future_warning
from service.jobs.forward.registry import checked
from service.jobs.forward.runnable import ForwardRunnable


@dataclass(frozen=True)
class ConnectorView:
    """A connector at `now` (seconds since 1970). `connector` None: it cannot work, for the reason `error`."""

    name: str
    state: ConnectorState
    letters: LetterTotals
    now: float
    connector: Connector | None = None
    error: str | None = None
    source: str = ""
    upstream: str = ""
    enabled: bool = True

    @property
    def is_stopped(self) -> bool:
        """Whether it sends nothing until a human resumes it."""
        return self.connector is not None and self.state.is_stopped(self.connector.identity)

    @property
    def bookmark(self) -> str | None:
        position = self.state.position
        return None if position is None else format_time(position.bookmark_ns)

    @property
    def bookmark_s(self) -> float | None:
        """The bookmark in seconds since 1970."""
        position = self.state.position
        return None if position is None else position.bookmark_ns / 1e9

    @property
    def lag_s(self) -> float | None:
        """The age of the bookmark."""
        return None if self.bookmark_s is None else self.now - self.bookmark_s

    def is_behind(self, max_lag_s: float) -> bool:
        """Whether it runs by schedule, and its bookmark is older than `max_lag_s`; 0: it never is."""
        return bool(self.enabled and max_lag_s and self.lag_s is not None and self.lag_s > max_lag_s)

    @property
    def warning(self) -> str | None:
        """What a human should look at although the connector runs."""
        if self.connector is None:
            return None
        return future_warning(self.name, self.state.position, self.connector.start, int(self.now * 1e9))

    @property
    def newest_lag_s(self) -> float | None:
        """The age of the newest window that was accepted."""
        position = self.state.position
        return None if position is None else self.now - position.newest_ns / 1e9

    @property
    def oldest_letter_s(self) -> float | None:
        """The time of the oldest dead letter in seconds since 1970."""
        return None if self.letters.oldest_ns is None else self.letters.oldest_ns / 1e9


def view_of(runnable: ForwardRunnable, name: str) -> ConnectorView:
    """The connector `name` now. Raises InvalidParameter: there is none."""
    text, rules = runnable.registry.text(name), runnable.registry.rules
    known = _Known(runnable.bookmarks.get(name), runnable.bookmarks.letters.totals(name), runnable.now())
    return _view(name, text, rules, known)


def views(runnable: ForwardRunnable) -> list[ConnectorView]:
    """All connectors now, by name. Configuration and database are read once for all."""
    texts, rules = runnable.registry.texts(), runnable.registry.rules
    states, letters, now = runnable.bookmarks.all(), runnable.bookmarks.letters.all_totals(), runnable.now()
    return [
        _view(name, text, rules, _Known(states.get(name, NOTHING_KNOWN), letters.get(name, LetterTotals()), now))
        for name, text in sorted(texts.items())
    ]


class _Known(NamedTuple):
    """What the database knows of a connector at `now`."""

    state: ConnectorState
    letters: LetterTotals
    now: float


def _view(name: str, text: ConnectorText, rules: ConnectorRules, known: _Known) -> ConnectorView:
    try:
        connector, upstream = checked(name, text, rules)
    except InvalidParameter as wrong:
        return ConnectorView(name, *known, error=wrong.message, enabled=text.enabled)
    source = next(iter(text.source.model_dump(exclude_none=True)), "")
    return ConnectorView(name, *known, connector, None, source, origin(upstream.url), text.enabled)


def origin(url: str) -> str:
    """Scheme, host and port of an address: paths and queries may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
