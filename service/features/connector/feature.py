"""The feature `connector`, and the function that makes its kind from the settings."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError

from service.api.status_board import GaugeValue, Status
from service.config.validation_errors import wrong_members
from service.domain.addresses import AddressPolicy
from service.errors import ConfigurationError, InvalidParameter
from service.features.connector import commands, legacy_routes, routes
from service.features.feature import Feature, KindServices
from service.features.rules import upstream_rules
from service.jobs import Kinds
from service.jobs.forward.bookmarks import Bookmarks
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.jobs.forward.definitions import KIND, ConnectorRules, ConnectorText
from service.jobs.forward.kind import forward_kind
from service.jobs.forward.registry import DEFAULT, SECTION, ConnectorRegistry, checked
from service.jobs.forward.runnable import ForwardLimits, ForwardRunnable
from service.jobs.forward.views import ConnectorView, views
from service.jobs.kind import JobKind
from service.settings import Settings
from service.sources.config import SourceText
from service.sources.opening import SourceOpener
from service.sources.protocol import Source
from service.sources.rules import SourceRules, SqlDefaults
from service.sources.sql_address import sql_address
from service.sources.sql_text import parsed_url
from service.state.jobs import JobStore
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.config import Upstream
from service.upstream.protocol import Sink
from service.upstream.sink import open_sink

_SETTINGS_OF_MEMBERS = {
    "upstream.url": "POST_DATA_ENDPOINT",
    "upstream.auth.token": "POST_DATA_API_KEY",
    "upstream.sensor": "CONNECTOR_SENSOR",
    "start": "CONNECTOR_START",
    "settle": "CONNECTOR_SETTLE",
}
_PREFIX = "fluxgate_connector_"


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """The kind `forward`. Raises ConfigurationError: DATABASE_URL, or the connector of the settings, cannot work."""
    rules = _rules(settings)
    _check_database(rules.source.sql)
    registry = ConnectorRegistry(lambda: services.config.get(SECTION).value, _default_connector(settings, rules), rules)
    letters = DeadLetterTable(services.state, services.clock, settings.connector_max_dead_letters)
    runnable = ForwardRunnable(
        registry,
        Bookmarks(services.state, letters, services.clock),
        Endpoints(SourceOpener(services.store, rules.source), settings.connector_run_s),
        JobStore(services.state, services.clock),
        ForwardLimits(
            settings.connector_max_request_days,
            settings.connector_run_s,
            settings.connector_max_lag_minutes * 60.0,
        ),
        services.clock,
    )
    return (forward_kind(runnable, settings.connector_slots),)


class Endpoints:
    """Opens the sources and upstreams of connectors. `longest_s`: how long a post is tried again in one run."""

    def __init__(self, sources: SourceOpener, longest_s: float) -> None:
        self._sources = sources
        self._longest_s = longest_s

    @contextmanager
    def source(self, text: SourceText, control: RunControl, log: Log) -> Iterator[Source]:
        """The source, which is closed at the end. Raises InvalidParameter."""
        with closing(self._sources.open(text, control, log)) as source:
            yield source

    def sink(self, upstream: Upstream, control: RunControl, log: Log) -> AbstractContextManager[Sink]:
        """The upstream, whose connections are closed at the end. Raises InvalidParameter."""
        return open_sink(upstream, control, log, longest_s=self._longest_s)


def _rules(settings: Settings) -> ConnectorRules:
    upstreams = upstream_rules(settings)
    sources = SourceRules(addresses=upstreams.addresses, variables=upstreams.variables, sql=_sql_defaults(settings))
    return ConnectorRules(sources, upstreams)


def _sql_defaults(settings: Settings) -> SqlDefaults:
    address = settings.database_url
    return SqlDefaults(
        url=None if address is None else address.get_secret_value(),
        table=settings.sql_table,
        schema=settings.sql_schema,
        sensor_column=settings.sql_sensor_column,
        value_column=settings.sql_value_column,
        timestamp_column=settings.sql_timestamp_column,
        order_by=settings.sql_order_by,
        zone=settings.sql_zone,
        unit=settings.sql_unit,
        settle=settings.sql_settle,
        timeout=settings.sql_timeout,
    )


def _check_database(defaults: SqlDefaults) -> None:
    """Raises ConfigurationError for a DATABASE_URL that no connector can read."""
    if defaults.url is None:
        return
    try:
        sql_address(parsed_url(defaults.url, "DATABASE_URL"), "DATABASE_URL", AddressPolicy.ANYWHERE)
    except InvalidParameter as wrong:
        raise ConfigurationError(f"DATABASE_URL: {wrong.message}") from None


def _default_connector(settings: Settings, rules: ConnectorRules) -> ConnectorText | None:
    """The connector `default` of the settings; None without POST_DATA_ENDPOINT. Raises ConfigurationError."""
    if settings.post_data_endpoint is None:
        return None
    try:
        text = ConnectorText.model_validate(
            {
                "source": _default_source(settings),
                "upstream": _default_upstream(settings),
                "every": _interval(settings.fetch_data_interval),
                "window": f"{settings.batch_size}m",
                "start": settings.connector_start,
                "settle": settings.connector_settle,
            }
        )
        checked(DEFAULT, text, rules)
    except ValidationError as broken:
        member, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"The connector of the settings, `{DEFAULT}`: {member}: {reason}.") from None
    except InvalidParameter as wrong:
        member = wrong.parameter.removeprefix(f"{DEFAULT}.")
        setting = _SETTINGS_OF_MEMBERS.get(member, member)
        raise ConfigurationError(f"{setting}: {wrong.message}") from None
    return text


def _default_source(settings: Settings) -> dict[str, Any]:
    if settings.connector_bucket:
        return {"store": {"bucket": list(settings.connector_bucket)}}
    if settings.database_url is not None:
        return {"sql": {}}
    raise ConfigurationError(
        "POST_DATA_ENDPOINT is set, but not what is sent there. Set CONNECTOR_BUCKET, or DATABASE_URL."
    )


def _default_upstream(settings: Settings) -> dict[str, Any]:
    key = settings.post_data_api_key
    auth = {} if key is None else {"auth": {"kind": "bearer", "token": key.get_secret_value()}}
    return {"url": settings.post_data_endpoint, "sensor": settings.connector_sensor, **auth}


def _interval(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}:00"


def status(kinds: Kinds) -> Status:
    """How far each connector is behind, what it did, and whether it is stopped."""
    runnable = kinds.runnable(KIND, ForwardRunnable)
    shown = views(runnable)
    gauges = [gauge for view in shown for gauge in _gauges(view)]
    return Status(tuple(gauges), tuple(_warnings(shown, runnable.limits.max_lag_s)))


def _gauges(view: ConnectorView) -> Iterator[GaugeValue]:
    counts = view.state.counts
    numbers = (
        ("lag_seconds", "Age of the bookmark: the upstream accepted everything before it.", view.lag_s),
        ("newest_lag_seconds", "Age of the newest window that was accepted.", view.newest_lag_s),
        ("bookmark_timestamp_seconds", "The bookmark.", view.bookmark_s),
        ("points_read", "Values read from the source.", counts.read),
        ("points_sent", "Values about which the upstream decided.", counts.sent),
        ("points_accepted", "Values that the upstream accepted.", counts.accepted),
        ("points_refused", "Values that the upstream refused.", counts.refused),
        ("posts", "Requests to the upstream.", counts.posts),
        ("posts_unknown", "Requests without an answer, which were sent again.", counts.unknown),
        ("dead_letters", "Refused values that are kept.", view.letters.count),
        ("oldest_dead_letter_timestamp_seconds", "Time of the oldest refused value.", view.oldest_letter_s),
        ("stopped", "1 when the connector waits for a human, else 0.", int(view.is_stopped)),
    )
    for name, description, value in numbers:
        if value is not None:
            labels = {"connector": view.name}
            yield GaugeValue(f"{_PREFIX}{name}", description, value, labels, reaches_buckets=True)


def _warnings(shown: list[ConnectorView], max_lag_s: float) -> Iterator[str]:
    stopped = sum(view.is_stopped for view in shown)
    behind = sum(view.is_behind(max_lag_s) for view in shown)
    ahead = sum(view.warning is not None for view in shown)
    if stopped:
        yield f"{_connectors(stopped)} stopped, and a human has to look: see GET /connector."
    if behind:
        yield f"{_connectors(behind)} further behind than CONNECTOR_MAX_LAG_MINUTES: see GET /connector."
    if ahead:
        yield f"{_connectors(ahead)} bookmarked in the future, so values may never be sent: see GET /connector."


def _connectors(count: int) -> str:
    return "1 connector is" if count == 1 else f"{count} connectors are"


ROUTER = APIRouter()
for _router in (routes.router, legacy_routes.router):
    ROUTER.include_router(_router)
CONNECTOR = Feature("connector", make, ROUTER, commands.cli, status)
