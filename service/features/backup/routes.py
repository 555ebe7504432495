"""Backups over HTTP: ordered and seen."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from service.api.auth import missing_scope, requires
from service.api.job_schemas import JobInfo
from service.api.jobs import submit_job
from service.api.json_bodies import json_body, request_body
from service.api.problem_schema import PROBLEM
from service.api.store_calls import call_store
from service.api.thread_pools import ThreadPool
from service.archive.catalog import ListedState
from service.domain.access import Principal, Scope
from service.errors import Forbidden
from service.features.backup.route_parts import BackupId, backups_of
from service.features.backup.schemas import (
    AdoptOrder,
    BackupDetail,
    BackupList,
    BackupOrder,
    DrillOrder,
    PruneOrder,
    RestoreOrder,
    VerifyOrder,
    age_info,
    backup_detail,
    backup_info,
)
from service.jobs.backup.ages import bucket_ages
from service.jobs.backup.choosing import LATEST, unknown_backup
from service.jobs.backup.kind_names import ADOPT, BACKUP, DRILL, PLAN, PRUNE, RESTORE, VERIFY
from service.jobs.backup.proofs import Proof
from service.jobs.backup.runnable import BackupRunnable

router = APIRouter(tags=["backup"], responses={"default": PROBLEM})
_ORDER = BackupOrder | None
_VERIFY = VerifyOrder | None
_DRILL = DrillOrder | None
_PRUNE = PruneOrder | None
_RESTORE = RestoreOrder | None
_POOL = ThreadPool("the place of backups", 4)
"""For calls that look at the place where backups lie."""


@router.post(
    "/backup/trigger",
    summary="Back up now",
    status_code=202,
    openapi_extra=request_body(_ORDER, "Order", required=False),
)
async def run_backup(
    request: Request,
    response: Response,
    order: Annotated[BackupOrder | None, json_body(_ORDER, Scope.BACKUP, required=False)],
    principal: Principal = requires(Scope.BACKUP),
) -> JobInfo:
    """Order a backup of every bucket, or of some; it is a job, whose `result.state` is `complete` or `partial`.

    A dry run is a job of its own kind, `backup_plan`; its result has the slices of each bucket by what would be done.
    """
    parameters = _given(order)
    kind = PLAN if parameters.pop("dry_run", False) else BACKUP
    return await submit_job(request, response, principal, kind, parameters)


@router.get("/backups", summary="List backups")
async def list_backups(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    principal: Principal = requires(Scope.BACKUP),
) -> BackupList:
    """
    Every backup with its state, newest first, and how old the last complete and the last proven one of each bucket is.
    """
    backups = backups_of(request)
    return await call_store(_POOL, principal, lambda: _listing(backups, limit))


@router.get("/backups/{backup_id}", summary="See a backup")
async def show_backup(
    request: Request,
    backup_id: BackupId,
    principal: Principal = requires(Scope.BACKUP),
) -> BackupDetail:
    """One backup: its buckets, what is missing in it and why, and whether it is proven to restore.

    `latest` as the id is the newest complete backup.
    """
    backups = backups_of(request)
    return await call_store(_POOL, principal, lambda: _detail(backups, backup_id))


@router.post(
    "/backups/{backup_id}/verify",
    summary="Verify a backup",
    status_code=202,
    openapi_extra=request_body(_VERIFY, "Order", required=False),
)
async def verify_backup(
    request: Request,
    response: Response,
    backup_id: BackupId,
    order: Annotated[VerifyOrder | None, json_body(_VERIFY, Scope.BACKUP, required=False)],
    principal: Principal = requires(Scope.BACKUP),
) -> JobInfo:
    """Order a job that reads every file of the backup, in older backups too, and compares it with the manifest."""
    await _demand_listed(request, principal, backup_id)
    parameters = {"backup": backup_id, **_given(order)}
    return await submit_job(request, response, principal, VERIFY, parameters)


@router.post(
    "/backups/drill",
    summary="Test-restore a backup",
    status_code=202,
    openapi_extra=request_body(_DRILL, "Order", required=False),
)
async def drill_backup(
    request: Request,
    response: Response,
    order: Annotated[DrillOrder | None, json_body(_DRILL, Scope.BACKUP, required=False)],
    principal: Principal = requires(Scope.BACKUP),
) -> JobInfo:
    """Order a job that restores a backup into a scratch store, compares every value, and removes it again."""
    return await submit_job(request, response, principal, DRILL, _given(order))


@router.post(
    "/backups/prune",
    summary="Remove backups that no rule keeps",
    status_code=202,
    openapi_extra=request_body(_PRUNE, "Order", required=False),
)
async def prune_backups(
    request: Request,
    response: Response,
    order: Annotated[PruneOrder | None, json_body(_PRUNE, Scope.ADMIN, required=False)],
    principal: Principal = requires(Scope.ADMIN),
) -> JobInfo:
    """
    Order a job that removes what the BACKUP_KEEP_ settings do not keep. Its result names each backup with the reason.
    """
    return await submit_job(request, response, principal, PRUNE, _given(order))


@router.delete("/backups/{backup_id}", summary="Remove a backup", status_code=202)
async def remove_backup(
    request: Request,
    response: Response,
    backup_id: BackupId,
    last: Annotated[bool, Query(description="true: also the last complete or proven one of what it holds.")] = False,
    dry_run: Annotated[bool, Query(description="true: say whether it could be removed, and remove nothing.")] = False,
    principal: Principal = requires(Scope.ADMIN),
) -> JobInfo:
    """Order a job that removes one backup, whatever the BACKUP_KEEP_ settings say.

    It fails, and removes nothing, when another backup takes files over from it, or a job uses it.
    """
    await _demand_listed(request, principal, backup_id)
    switches = {name: True for name, value in (("last", last), ("dry_run", dry_run)) if value}
    return await submit_job(request, response, principal, PRUNE, {"backup": backup_id, **switches})


@router.post(
    "/backups/{backup_id}/restore",
    summary="Restore a backup",
    status_code=202,
    openapi_extra=request_body(_RESTORE, "Order", required=False),
)
async def restore_backup(
    request: Request,
    response: Response,
    backup_id: BackupId,
    order: Annotated[RestoreOrder | None, json_body(_RESTORE, Scope.RESTORE, required=False)],
    principal: Principal = requires(Scope.RESTORE),
) -> JobInfo:
    """Order a job that checks every file it needs, writes the points, and compares them with the backup afterwards.

    `latest` as the id is the newest complete backup. A target, or a whole server, needs the scope `admin` too: points
    and a token go where the order says, or users and tokens are replaced.
    """
    reaches_out = order is not None and (order.target is not None or order.replace_server is not None)
    if reaches_out and not principal.may(Scope.ADMIN):
        raise Forbidden(missing_scope(principal, Scope.ADMIN))
    await _demand_listed(request, principal, backup_id)
    parameters = {"backup": backup_id, **_given(order)}
    return await submit_job(request, response, principal, RESTORE, parameters)


@router.post(
    "/backups/adopt",
    summary="Take over a folder of `influx backup`",
    status_code=202,
    openapi_extra=request_body(AdoptOrder, "Order"),
)
async def adopt_backup(
    request: Request,
    response: Response,
    order: Annotated[AdoptOrder, json_body(AdoptOrder, Scope.BACKUP)],
    principal: Principal = requires(Scope.BACKUP),
) -> JobInfo:
    """Order a job that checks every file of the folder, and makes a backup of it that can be restored."""
    return await submit_job(request, response, principal, ADOPT, _given(order))


def _given(order: BaseModel | None) -> dict[str, Any]:
    """The members of an order that say something: absent ones and switches that are off are left out."""
    members = {} if order is None else order.model_dump()
    return {name: value for name, value in members.items() if value is not None and value is not False and value != ""}


async def _demand_listed(request: Request, principal: Principal, backup_id: str) -> None:
    """Raises NotFound for an id that no backup has, before a job is made for it."""
    if backup_id == LATEST:
        return
    place = backups_of(request).place
    listed = await call_store(_POOL, principal, place.listed)
    if all(backup.backup_id != backup_id for backup in listed):
        raise unknown_backup(backup_id)


def _listing(backups: BackupRunnable, limit: int) -> BackupList:
    listed, proofs = backups.place.listed(), backups.proofs.all()
    return BackupList(
        place=backups.place.name,
        backups=[backup_info(backup, proofs.get(backup.backup_id, Proof())) for backup in listed[:limit]],
        buckets=[age_info(age) for age in bucket_ages(listed, proofs)],
    )


def _detail(backups: BackupRunnable, backup_id: str) -> BackupDetail:
    for backup in backups.place.listed():
        is_latest = backup.state is ListedState.COMPLETE and not backup.uploaded
        if backup.backup_id == backup_id or (backup_id == LATEST and is_latest):
            return backup_detail(backup, backups.proofs.of(backup.backup_id))
    raise unknown_backup(backup_id)
