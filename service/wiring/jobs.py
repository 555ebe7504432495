"""Which jobs there are, when they run by themselves, and who runs them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from service.domain.mirror import Endpoint
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, InvalidParameter
from service.jobs import Kinds
from service.jobs.mirror.definitions import SCHEDULE_PREFIX, MirrorText
from service.jobs.mirror.endpoint_rules import EndpointRules
from service.jobs.mirror.kind import MirrorKind
from service.jobs.mirror.registry import FILE_NAME, MirrorRegistry, mirrors_section
from service.jobs.mirror.token_variables import TokenVariables
from service.runner.runtime import JobRuntime
from service.runner.scheduler import order_by
from service.settings import Settings
from service.state.config import SECTIONS, ConfigStore
from service.state.database import StateDatabase
from service.state.schedules import named, schedules_section
from service.state.validation_errors import wrong_members
from service.wiring.stores import OwnStore, mirror_policy, opener, own_endpoint

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Work:
    """Jobs and their configuration."""

    config: ConfigStore
    mirrors: MirrorKind
    runtime: JobRuntime


def work_of(settings: Settings, state: StateDatabase, own_store: OwnStore) -> Work:
    """Raises ConfigurationError."""
    own, rules = own_endpoint(settings), _endpoint_rules(settings)
    schedules_of = schedules_section(lambda schedule: order_by(kinds)(schedule), SCHEDULE_PREFIX)
    sections = {**SECTIONS, "mirrors": mirrors_section(own, lambda: book.elsewhere(), rules), "schedules": schedules_of}
    config = ConfigStore(state, time.time, sections, settings.key_outage_s)
    file = settings.mirrors_file or settings.data_dir / FILE_NAME
    if settings.mirrors_file is not None and not file.is_file():
        raise ConfigurationError(f"MIRRORS_FILE names {file}, and there is no such file. Make it, or take the setting away.")
    book = MirrorRegistry(lambda: config.get("mirrors").value, own, _default_mirror(settings, own), file, rules)
    book.texts()  # a file that cannot be read is told at the start
    mirrors = MirrorKind(book, state, opener(settings, own_store), settings.data_dir, time.time)
    kinds = Kinds([mirrors])
    of_settings = _schedules(settings, kinds)

    def schedules() -> dict[str, Schedule]:
        return {**of_settings, **named(config.get("schedules").value), **book.schedules()}

    return Work(config, mirrors, _runtime(settings, state, kinds, schedules, own_store.store.name))


def _endpoint_rules(settings: Settings) -> EndpointRules:
    return EndpointRules(mirror_policy(settings), TokenVariables(frozenset(settings.mirror_token_variables)))


def _runtime(settings: Settings, state: StateDatabase, kinds: Kinds, schedules: Callable[[], Mapping[str, Schedule]], store: str) -> JobRuntime:
    """Who runs jobs: this process, or workers behind a broker."""
    broker = settings.celery_broker_url
    return JobRuntime(
        state,
        kinds,
        schedules,
        time.time,
        store=store,
        broker_url=broker.get_secret_value() if broker else None,
        lease_s=settings.job_lease_s,
        slots=settings.job_slots,
    )


def _schedules(settings: Settings, kinds: Kinds) -> dict[str, Schedule]:
    """Those of the setting SCHEDULES. What one names may be gone for now, as with those of the section: that is told, and no reason not to start."""
    section = schedules_section(lambda schedule: kinds.get(schedule.kind), SCHEDULE_PREFIX)
    try:
        found = named(section.model_validate(settings.schedules).model_dump(mode="json"))
    except ValidationError as broken:
        place, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"SCHEDULES.{place}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"SCHEDULES: {wrong.message}") from None
    for name, schedule in found.items():
        try:
            order_by(kinds)(schedule)
        except InvalidParameter as wrong:
            _log.warning("a schedule of SCHEDULES is left out as long as this is so", schedule=name, reason=wrong.message)
    return found


def _default_mirror(settings: Settings, own: Endpoint) -> MirrorText | None:
    """The mirror of the settings, `cloud`."""
    if settings.influxdb_cloud_url is None or settings.influxdb_cloud_token is None:
        return None
    source = {"url": settings.influxdb_cloud_url, "org": settings.influxdb_cloud_org, "token": settings.influxdb_cloud_token.get_secret_value()}
    bucket = {"source": settings.cloud_bucket, "target": settings.local_bucket}
    timing = {"schedule": settings.cloud_schedule, "refresh": settings.cloud_refresh}
    try:
        text = MirrorText.model_validate({"source": source, "buckets": [bucket] if settings.cloud_bucket else "all", **timing})
        text.named("cloud", own, _endpoint_rules(settings))
    except ValidationError as broken:
        place, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"The mirror of the settings, `cloud`: {place}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"The mirror of the settings, `cloud`: {_under_setting(wrong).message}") from None
    return text


def _under_setting(wrong: InvalidParameter) -> InvalidParameter:
    """The error about a member of the mirror `cloud`, under the name of the setting that holds it."""
    settings = {"schedule": "CLOUD_SCHEDULE", "refresh": "CLOUD_REFRESH"}
    return wrong.renamed(settings[wrong.parameter]) if wrong.parameter in settings else wrong
