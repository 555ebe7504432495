"""The feature `backup`, and how its kinds are made of the settings."""

import time
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import httpx
from fastapi import APIRouter

from service.api.status_board import GaugeValue, Status
from service.archive.compression import Packing
from service.archive.retention import Keep
from service.domain.access import Scope
from service.domain.job import Json
from service.domain.schedule import Schedule
from service.errors import ConfigurationError, InvalidParameter
from service.features.backup import commands, routes, tar_routes
from service.features.feature import Feature, KindServices
from service.features.rules import token_variables
from service.jobs import Kinds
from service.jobs.backup.kind import (
    backup_kind,
    cron_schedule,
    daily_schedule,
    drill_kind,
    plan_kind,
    prune_kind,
    verify_kind,
)
from service.jobs.backup.kind_names import ADOPT, BACKUP, DRILL, PRUNE, RESTORE
from service.jobs.backup.limits import WorkLimits
from service.jobs.backup.pings import PingAddresses, Pings
from service.jobs.backup.place import BackupPlace
from service.jobs.backup.planning import PlanRunnable
from service.jobs.backup.pruning import PruneRunnable, Retention, backups_in_use
from service.jobs.backup.runnable import BackupRunnable
from service.jobs.backup.status import AgeRule
from service.jobs.backup.verifying import VerifyRunnable
from service.jobs.endpoint_rules import EndpointRules
from service.jobs.kind import JobKind
from service.jobs.restore.adopting import AdoptRunnable
from service.jobs.restore.drill import DrillRunnable
from service.jobs.restore.runnable import PhysicalServer, RestoreRunnable
from service.jobs.restore.target import RestoreRules
from service.settings import Settings
from service.state.jobs import JobStore

_MB = 1_000_000
_GB = 1_000_000_000
_LOG_LINES = 20
_PREFIX, _UNIT = "fluxgate_backup_last", "_timestamp_seconds"
_NIGHTLY_AGE_H = 36
_NEVER = "never"


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """The kinds of backups. Raises ConfigurationError: a schedule of the settings cannot be read."""
    place, pings = place_of(settings, services), _pings(settings, services)
    runnable = BackupRunnable(
        place,
        services.store,
        services.state,
        work_limits(settings),
        services.clock,
        pings.started,
        AgeRule(_max_age_hours(settings), settings.backup_buckets or None),
        services.open_physical,
    )
    restores = RestoreRunnable(
        place,
        services.open_store,
        RestoreRules(services.served_endpoint, EndpointRules(services.addresses, token_variables(settings))),
        work_limits(settings),
        services.clock,
        None if services.open_physical is None else PhysicalServer(services.open_physical, services.store),
    )
    drills = DrillRunnable(
        place, services.state, services.directory, services.open_scratch, work_limits(settings), services.clock
    )
    prunes = PruneRunnable(
        place,
        services.state,
        _retention(settings),
        lambda: backups_in_use(services.state, services.clock),
        services.clock,
    )
    schedules = _schedules(settings)
    return (
        backup_kind(runnable, pings, schedules.get(BACKUP)),
        plan_kind(PlanRunnable(place, services.store, services.state, services.clock)),
        verify_kind(VerifyRunnable(place, services.state, services.clock)),
        drill_kind(drills, schedules.get(DRILL)),
        prune_kind(prunes, schedules.get(PRUNE)),
        JobKind(RESTORE, Scope.RESTORE, restores),
        JobKind(ADOPT, Scope.BACKUP, AdoptRunnable(place, services.clock), max_attempts=1),
    )


def place_of(settings: Settings, services: KindServices) -> BackupPlace:
    """Where backups lie, and how they are packed and protected."""
    key, passphrase = settings.backup_hmac_key, settings.backup_passphrase
    return BackupPlace(
        services.archive,
        Packing(settings.backup_compression),
        None if key is None else key.get_secret_value().encode(),
        None if passphrase is None else passphrase.get_secret_value(),
    )


def work_limits(settings: Settings) -> WorkLimits:
    return WorkLimits(
        settings.backup_concurrency,
        settings.backup_rate_mb * _MB,
        settings.backup_pause_ms / 1000,
        settings.backup_parquet,
        settings.backup_max_upload_gb * _GB,
    )


def _max_age_hours(settings: Settings) -> int:
    return settings.backup_max_age_hours or (_NIGHTLY_AGE_H if settings.backup_nightly else 0)


def _schedules(settings: Settings) -> dict[str, Schedule]:
    """The schedules of the settings, by kind; none without BACKUP_NIGHTLY. Pruning comes an hour after the backup.

    Raises ConfigurationError: BACKUP_DRILL is no cron expression, whether or not it is used.
    """
    parameters: Json = {"buckets": list(settings.backup_buckets)} if settings.backup_buckets else {}
    hour, minute = settings.backup_time.split(":")
    later = f"{(int(hour) + 1) % 24:02}:{minute}"
    zone = settings.backup_zone
    try:
        schedules = [daily_schedule(BACKUP, "nightly", settings.backup_time, zone, parameters)]
        if settings.backup_drill.lower() != _NEVER:
            schedules.append(cron_schedule(DRILL, "by schedule", settings.backup_drill, zone))
        if _retention(settings).keep is not None:
            schedules.append(daily_schedule(PRUNE, "nightly", later, zone, {}))
    except InvalidParameter as wrong:
        raise ConfigurationError(f"BACKUP_DRILL: {wrong.message}") from None
    return {schedule.kind: schedule for schedule in schedules} if settings.backup_nightly else {}


def _retention(settings: Settings) -> Retention:
    numbers = (
        settings.backup_keep_last,
        settings.backup_keep_daily,
        settings.backup_keep_weekly,
        settings.backup_keep_monthly,
        settings.backup_keep_yearly,
    )
    return Retention(Keep(*numbers) if any(numbers) else None, ZoneInfo(settings.backup_zone))


def _pings(settings: Settings, services: KindServices) -> Pings:
    secrets = (settings.backup_ping_start, settings.backup_ping_success, settings.backup_ping_failure)
    addresses = PingAddresses(*(None if secret is None else secret.get_secret_value() for secret in secrets))
    ledger = JobStore(services.state, services.clock)

    def log_lines(job_id: str) -> Sequence[str]:
        return [f"{line.level} {line.message}" for line in ledger.newest_lines(job_id, _LOG_LINES)]

    return Pings(addresses, lambda: httpx.Client(follow_redirects=False), time.sleep, log_lines)


def status(kinds: Kinds) -> Status:
    """How old the last complete and the last proven backup of each bucket is, and a warning when one is too old."""
    backups = kinds.runnable(BACKUP, BackupRunnable)
    ages = backups.ages()
    late = backups.overdue(ages)
    gauges = [
        GaugeValue(name, description, time_ns / 1e9, {"bucket": age.bucket})
        for age in ages
        for name, description, time_ns in (
            (f"{_PREFIX}_complete{_UNIT}", "When the last complete backup of a bucket began.", age.complete_ns),
            (
                f"{_PREFIX}_proven{_UNIT}",
                "When the last backup of a bucket began that a drill restored.",
                age.proven_ns,
            ),
        )
        if time_ns is not None
    ]
    few = "1 bucket" if len(late) == 1 else f"{len(late)} buckets"
    warning = f"The last complete backup of {few} is too old, or there is none: see GET /backups."
    return Status(tuple(gauges), (warning,) if late else ())


ROUTER = APIRouter()
for _router in (routes.router, tar_routes.router):
    ROUTER.include_router(_router)
BACKUPS = Feature(BACKUP, make, ROUTER, commands.cli, status)
"""Backups: taken, seen, verified, test-restored, restored and pruned."""
