"""The feature `mirror`, and the function that makes its kind from the settings."""

from fastapi import APIRouter
from pydantic import ValidationError

from service.api.status_board import GaugeValue, Status
from service.config.validation_errors import wrong_members
from service.domain.endpoint import Endpoint
from service.errors import ConfigurationError, InvalidParameter
from service.features.feature import Feature, KindServices
from service.features.mirror import commands, routes, slice_routes
from service.features.rules import token_variables
from service.jobs import Kinds
from service.jobs.endpoint_rules import EndpointRules
from service.jobs.kind import JobKind
from service.jobs.mirror.definitions import KIND, MirrorText
from service.jobs.mirror.kind import mirror_kind
from service.jobs.mirror.registry import FILE_NAME, SECTION, MirrorRegistry
from service.jobs.mirror.runnable import MirrorRunnable
from service.settings import Settings

_SUCCEEDED = "fluxgate_mirror_last_success_timestamp_seconds"
_SLICES = "fluxgate_mirror_slices"
_SETTINGS_OF_MEMBERS = {"schedule": "CLOUD_SCHEDULE", "refresh": "CLOUD_REFRESH"}


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """The kind `mirror`. Raises ConfigurationError when the file of mirrors or the mirror of the settings is wrong."""
    registry = _registry(settings, services)
    registry.outside_section()  # so that a wrong file of mirrors stops the start
    runnable = MirrorRunnable(
        registry,
        services.state,
        services.open_store,
        services.directory,
        services.clock,
    )
    return (mirror_kind(runnable),)


def _registry(settings: Settings, services: KindServices) -> MirrorRegistry:
    file = settings.mirrors_file or services.directory / FILE_NAME
    if settings.mirrors_file is not None and not file.is_file():
        raise ConfigurationError(
            f"MIRRORS_FILE names {file}, and there is no such file. Make it, or take the setting away.",
        )
    rules = EndpointRules(services.addresses, token_variables(settings))
    default = _default_mirror(settings, services.served_endpoint, rules)
    return MirrorRegistry(lambda: services.config.get(SECTION).value, services.served_endpoint, default, file, rules)


def _default_mirror(settings: Settings, served: Endpoint, rules: EndpointRules) -> MirrorText | None:
    """The mirror `cloud` of the settings; None when INFLUXDB_CLOUD_URL is not set. Raises ConfigurationError."""
    if settings.influxdb_cloud_url is None or settings.influxdb_cloud_token is None:
        return None
    token = settings.influxdb_cloud_token.get_secret_value()
    source = {"url": settings.influxdb_cloud_url, "org": settings.influxdb_cloud_org, "token": token}
    bucket = {"source": settings.cloud_bucket, "target": settings.local_bucket}
    timing = {"schedule": settings.cloud_schedule, "refresh": settings.cloud_refresh}
    try:
        buckets = [bucket] if settings.cloud_bucket else "all"
        text = MirrorText.model_validate({"source": source, "buckets": buckets, **timing})
        text.to_mirror("cloud", served, rules)
    except ValidationError as broken:
        member, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"The mirror of the settings, `cloud`: {member}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"The mirror of the settings, `cloud`: {_under_setting(wrong).message}") from None
    return text


def _under_setting(wrong: InvalidParameter) -> InvalidParameter:
    """The error about a member of the mirror `cloud`, with the name of the setting that holds the member."""
    setting = _SETTINGS_OF_MEMBERS.get(wrong.parameter)
    return wrong if setting is None else wrong.renamed(setting)


def status(kinds: Kinds) -> Status:
    """How far each copy is behind its source, and its slices by state."""
    mirrors = kinds.runnable(KIND, MirrorRunnable)
    gauges: list[GaugeValue] = []
    for name in mirrors.registry.names():
        for (source, _), (pair, totals) in mirrors.known_pairs(name).items():
            labels = {"mirror": name, "bucket": source}
            if pair.succeeded_at is not None:
                gauges.append(GaugeValue(_SUCCEEDED, "When the last run succeeded.", pair.succeeded_at, labels))
            for state, count in totals.states.items():
                gauges.append(GaugeValue(_SLICES, "Slices of a copy by state.", count, {**labels, "state": state}))
    return Status(tuple(gauges))


def late_points(kinds: Kinds) -> dict[str, int]:
    """How late the points of buckets are that mirrors read or write, in ns."""
    return kinds.runnable(KIND, MirrorRunnable).late_points()


ROUTER = APIRouter()
for _router in (routes.router, slice_routes.router):
    ROUTER.include_router(_router)
MIRROR = Feature(KIND, make, ROUTER, commands.cli, status, late_points)
