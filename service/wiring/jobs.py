"""Makes the kinds of job, the schedules and the job runtime."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import structlog
from pydantic import ValidationError

from service.api.status_board import GaugeValue, Status, StatusBoard
from service.config.store import ConfigStore
from service.config.validation_errors import wrong_members
from service.domain.job import JobState
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, FluxgateError, InvalidParameter
from service.features.feature import Feature, KindServices
from service.jobs import Kinds
from service.jobs.schedule_section import NAME, named, schedules_section
from service.runner import signs
from service.runner.runtime import JobRuntime
from service.runner.scheduler import queue_options_by_kind
from service.settings import Settings
from service.state.database import StateDatabase
from service.stores.protocol import Store

_log = structlog.get_logger(__name__)
_SEEN = "fluxgate_process_last_seen_timestamp_seconds"
Definitions = Callable[[], Mapping[str, Schedule]]


def make_kinds(features: Iterable[Feature], settings: Settings, services: KindServices) -> Kinds:
    """Make the kinds of all features and register their sections. Raises ConfigurationError.

    Raises ValueError when two kinds or two sections have the same name.
    """
    kinds = [kind for feature in features for kind in feature.make(settings, services)]
    for kind in kinds:
        for section in kind.sections:
            services.config.register(section)
    return Kinds(kinds)


def status_board(features: Iterable[Feature], runtime: JobRuntime, store: Store) -> StatusBoard:
    """What features, the queue of jobs and the store tell monitoring."""
    kinds = runtime.queue.kinds
    of_features = {feature.name: partial(feature.status, kinds) for feature in features if feature.status is not None}
    of_service = {
        "jobs": partial(_jobs_status, runtime),
        "processes": partial(_processes_status, runtime),
        "store": partial(_store_status, store),
    }
    return StatusBoard({**of_features, **of_service})


def late_points(features: Iterable[Feature], kinds: Kinds) -> dict[str, int]:
    """How late the points of buckets of the served store arrive, in ns, as features measured it. May raise."""
    late_ns: dict[str, int] = {}
    for feature in features:
        if feature.late_points is not None:
            for bucket, measured_ns in feature.late_points(kinds).items():
                late_ns[bucket] = max(measured_ns, late_ns.get(bucket, 0))
    return late_ns


def _jobs_status(runtime: JobRuntime) -> Status:
    counts = runtime.queue.job_store.counts()
    gauges = []
    for kind in runtime.queue.kinds.names:
        for state in JobState:
            labels = {"kind": kind, "state": state.value}
            gauges.append(GaugeValue("fluxgate_jobs", "Jobs by kind and state.", counts.get((kind, state), 0), labels))
    return Status(tuple(gauges))


def _processes_status(runtime: JobRuntime) -> Status:
    """Which processes are alive. That no worker is, where jobs need one, is a warning."""
    gauges = []
    for role, presence in runtime.processes.presence().items():
        labels = {"role": role.value}
        gauges.append(GaugeValue("fluxgate_processes_alive", "Processes alive, by role.", presence.alive, labels))
        if presence.seen_at is not None:
            gauges.append(GaugeValue(_SEEN, "When a process last was alive, by role.", presence.seen_at, labels))
    warning = runtime.workers.warning()
    return Status(tuple(gauges), () if warning is None else (warning,))


def _store_status(store: Store) -> Status:
    """Whether the store answers an authenticated query."""
    try:
        store.ping()
        is_up = 1
    except FluxgateError:
        is_up = 0
    gauge = GaugeValue("fluxgate_store_up", "1 when the store answers, else 0.", is_up, {"store": store.name})
    return Status((gauge,))


def schedule_definitions(settings: Settings, kinds: Kinds, config: ConfigStore) -> Definitions:
    """A function that gives all current schedules. It registers the section `schedules`. Raises ConfigurationError.

    A schedule in the section replaces one of the same name in the setting SCHEDULES. The names of the kinds' own
    schedules never collide with either.
    """
    config.register(schedules_section(queue_options_by_kind(kinds), kinds.scheduling))
    fixed = _settings_schedules(settings, kinds)
    return lambda: {**fixed, **named(config.get(NAME).value), **kinds.schedules()}


def job_runtime(
    settings: Settings,
    state: StateDatabase,
    kinds: Kinds,
    definitions: Definitions,
    store: str,
) -> JobRuntime:
    """The runtime that runs jobs in this process, or in workers behind a broker. `store`: the served store's name."""
    broker, results = settings.celery_broker_url, settings.celery_result_backend
    return JobRuntime(
        state,
        kinds,
        definitions,
        time.time,
        store=store,
        broker_url=broker.get_secret_value() if broker else None,
        result_backend=results.get_secret_value() if results else None,
        lease_s=settings.job_lease_s,
        slots=settings.job_slots,
        sign_folder=settings.data_dir / signs.FOLDER,
    )


def _settings_schedules(settings: Settings, kinds: Kinds) -> dict[str, Schedule]:
    """The schedules of the setting SCHEDULES. Raises ConfigurationError when they are malformed.

    A schedule may name something that does not exist now. That is logged, and the service starts.
    """
    section = schedules_section(lambda schedule: kinds.get(schedule.kind), kinds.scheduling)
    try:
        schedules = named(section.model.model_validate(settings.schedules).model_dump(mode="json"))
    except ValidationError as broken:
        member, reason = wrong_members(broken)[0]
        raise ConfigurationError(f"SCHEDULES.{member}: {reason}.") from None
    except InvalidParameter as wrong:
        raise ConfigurationError(f"SCHEDULES: {wrong.message}") from None
    for name, schedule in schedules.items():
        try:
            queue_options_by_kind(kinds)(schedule)
        except InvalidParameter as wrong:
            _log.warning("a schedule of SCHEDULES cannot run now", schedule=name, reason=wrong.message)
    return schedules
