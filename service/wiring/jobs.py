"""The kinds of job, when jobs run by themselves, and who runs them."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog
from pydantic import ValidationError

from service.api.status_board import StatusBoard
from service.config.store import ConfigStore
from service.config.validation_errors import wrong_members
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, InvalidParameter
from service.features.feature import Feature, KindServices
from service.jobs import Kinds
from service.jobs.schedule_section import NAME, named, schedules_section
from service.runner.runtime import JobRuntime
from service.runner.scheduler import queue_options_by_kind
from service.settings import Settings
from service.state.database import StateDatabase

_log = structlog.get_logger(__name__)
Definitions = Callable[[], Mapping[str, Schedule]]


def make_kinds(features: Iterable[Feature], settings: Settings, services: KindServices) -> Kinds:
    """The kinds of all features; their sections are registered. Raises ConfigurationError.

    Raises ValueError: two kinds of one name, or two sections of one name.
    """
    kinds = [kind for feature in features for kind in feature.make(settings, services)]
    for kind in kinds:
        for section in kind.sections:
            services.config.register(section)
    return Kinds(kinds)


def status_board(features: Iterable[Feature], kinds: Kinds) -> StatusBoard:
    """What features tell monitoring."""
    return StatusBoard(
        {feature.name: partial(feature.status, kinds) for feature in features if feature.status is not None},
    )


def schedule_definitions(settings: Settings, kinds: Kinds, config: ConfigStore) -> Definitions:
    """All schedules of now; the section `schedules` is registered. Raises ConfigurationError.

    Those of kinds hide none. A name in the section wins over the setting SCHEDULES.
    """
    config.register(schedules_section(queue_options_by_kind(kinds), kinds.scheduling))
    of_settings = _of_settings(settings, kinds)
    return lambda: {**of_settings, **named(config.get(NAME).value), **kinds.schedules()}


def job_runtime(
    settings: Settings,
    state: StateDatabase,
    kinds: Kinds,
    definitions: Definitions,
    store: str,
) -> JobRuntime:
    """Who runs jobs: this process, or workers behind a broker. `store`: the name of the gateway's own store."""
    broker = settings.celery_broker_url
    return JobRuntime(
        state,
        kinds,
        definitions,
        time.time,
        store=store,
        broker_url=broker.get_secret_value() if broker else None,
        lease_s=settings.job_lease_s,
        slots=settings.job_slots,
    )


def _of_settings(settings: Settings, kinds: Kinds) -> dict[str, Schedule]:
    """The schedules of the setting SCHEDULES.

    What one of them names may be gone for now, as with those of the section. That is logged, and no reason not to start.
    """
    section = schedules_section(lambda schedule: kinds.get(schedule.kind), kinds.scheduling)
    try:
        schedules = named(section.model.model_validate(settings.schedules).model_dump(mode="json"))
    except ValidationError as broken:
        place, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"SCHEDULES.{place}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"SCHEDULES: {wrong.message}") from None
    for name, schedule in schedules.items():
        try:
            queue_options_by_kind(kinds)(schedule)
        except InvalidParameter as wrong:
            _log.warning("a schedule of SCHEDULES is left out as long as this is so", schedule=name, reason=wrong.message)
    return schedules
