"""Backups as JSON."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.archive.catalog import ListedBackup
from service.archive.manifest import Manifest
from service.domain.durations import SECOND_NS
from service.domain.timerange import format_time
from service.jobs.backup.ages import BucketAge
from service.jobs.backup.options import LONGEST_COMMENT, MOST_BUCKETS
from service.jobs.backup.proofs import Judgement, Proof
from service.jobs.backup.report import span_json

BucketName = Annotated[str, Field(min_length=1, max_length=1000)]


class BackupOrder(BaseModel):
    """What to back up. Nothing: every bucket, all of its time."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"buckets": ["Weather"], "comment": "before the upgrade"}},
    )

    kind: Annotated[
        Literal["logical", "physical"],
        Field(description="`logical`: points as line protocol. `physical`: the files of an InfluxDB."),
    ] = "logical"
    buckets: Annotated[
        list[BucketName] | None,
        Field(max_length=MOST_BUCKETS, description="Only these buckets."),
    ] = None
    start: Annotated[str | None, Field(max_length=40, description="From this moment on, RFC 3339.")] = None
    stop: Annotated[str | None, Field(max_length=40, description="Before this moment.")] = None
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT, description="Kept with the backup.")] = ""
    compare_values: Annotated[
        bool,
        Field(strict=True, description="Trust no count: compare every value with the backup before."),
    ] = False
    seal_before: Annotated[
        str | None,
        Field(
            max_length=40,
            description="Seal what is older, where the backup before is proven: later runs do not look at it again.",
        ),
    ] = None
    dry_run: Annotated[
        bool, Field(strict=True, description="Say what would be taken over, compared and written, and write nothing.")
    ] = False


class VerifyOrder(BaseModel):
    """`new_only`: leave out files that an earlier verification found intact."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"new_only": True}})

    new_only: Annotated[bool, Field(strict=True, description="Only what was not verified before.")] = False


class DrillOrder(BaseModel):
    """Which backup is test-restored. Nothing: the newest complete one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {}})

    backup: Annotated[str | None, Field(max_length=100, description="Its id.")] = None


class PruneOrder(BaseModel):
    """`dry_run` says what would be removed, and removes nothing."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"dry_run": True}})

    dry_run: Annotated[bool, Field(strict=True, description="Say what would be removed, and remove nothing.")] = False


class RestoreTarget(BaseModel):
    """Another InfluxDB. `token_env` names a variable of the gateway's process that holds the token."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=500)]
    org: Annotated[str, Field(min_length=1, max_length=500)]
    token_env: Annotated[str, Field(min_length=1, max_length=200)]


class RestoreOrder(BaseModel):
    """What to restore, and where to. Nothing: all buckets, under their names, into the gateway's own store."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"buckets": {"Weather": "Weather restored"}, "dry_run": True}},
    )

    buckets: Annotated[
        list[BucketName] | dict[str, BucketName] | None,
        Field(
            max_length=MOST_BUCKETS, description="Only these; as an object, each under the new name that it maps to."
        ),
    ] = None
    start: Annotated[str | None, Field(max_length=40, description="From this moment on, RFC 3339.")] = None
    stop: Annotated[str | None, Field(max_length=40, description="Before this moment.")] = None
    target: Annotated[RestoreTarget | None, Field(description="Absent: the gateway's own store.")] = None
    dry_run: Annotated[bool, Field(strict=True, description="Say what would happen, and write nothing.")] = False
    merge: Annotated[bool, Field(strict=True, description="Write into buckets that are there already.")] = False
    skip_damaged: Annotated[bool, Field(strict=True, description="Restore what is intact, and list the loss.")] = False
    replace_server: Annotated[
        str | None,
        Field(
            max_length=300,
            description="With a physical backup: replace everything on the server of this name, its host and port.",
        ),
    ] = None
    passphrase_env: Annotated[
        str | None,
        Field(
            max_length=200,
            description="The variable with the passphrase of the backup, when it is not BACKUP_PASSPHRASE.",
        ),
    ] = None


class AdoptOrder(BaseModel):
    """A folder in the place of backups that `influx backup` wrote, copied there."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"folder": "from-the-old-server"}})

    folder: Annotated[str, Field(min_length=1, max_length=500, description="Its path in the place.")]


class JudgementInfo(BaseModel):
    """A verification or a drill. `outcome`: intact, proven, failed or inconclusive."""

    at: str
    outcome: str
    detail: str


class BackupInfo(BaseModel):
    """
    A backup, or what was to become one. `state`: complete, partial, failed, unfinished or damaged; `reason` says why it
    is none of the first two. `own_bytes` is what lies in its own folder; `bytes` counts files in older backups too.
    `uploaded`: it comes from elsewhere."""

    id: str
    state: str
    reason: str
    kind: str | None
    created_at: str | None
    finished_at: str | None
    comment: str
    server: str | None
    buckets: list[str]
    points: int
    bytes: int
    own_bytes: int
    encrypted: bool
    verification: JudgementInfo | None
    drill: JudgementInfo | None
    proven: bool
    uploaded: bool


class BucketAgeInfo(BaseModel):
    """The newest complete and the newest proven backup of all of a bucket; null: there is none."""

    bucket: str
    last_complete_at: str | None
    last_complete: str | None
    last_proven_at: str | None
    last_proven: str | None


class BackupList(BaseModel):
    """Every backup, newest first, and how old the last good one of each bucket is."""

    place: str
    backups: list[BackupInfo]
    buckets: list[BucketAgeInfo]


class HeldBucket(BaseModel):
    """What a backup holds of a bucket. `span`: what was taken of it; null for an end without a limit."""

    name: str
    description: str
    retention_s: int
    span: dict[str, str | None]
    sealed: list[dict[str, str | None]]
    points: int
    values: int
    slices: int
    first_point: str | None
    last_point: str | None
    bytes: int


class BackupDetail(BackupInfo):
    """A backup with its buckets, what is missing in it and why, and what such a backup does not cover."""

    held: list[HeldBucket]
    missing: list[dict[str, Any]]
    not_covered: list[dict[str, Any]]
    references: list[str]


def backup_info(backup: ListedBackup, proof: Proof) -> BackupInfo:
    return BackupInfo(**_members(backup, proof))


def backup_detail(backup: ListedBackup, proof: Proof) -> BackupDetail:
    manifest = backup.manifest
    if manifest is None:
        return BackupDetail(**_members(backup, proof), held=[], missing=[], not_covered=[], references=[])
    return BackupDetail(
        **_members(backup, proof),
        held=_held(manifest),
        missing=[
            {"bucket": part.bucket, "span": None if part.span is None else span_json(part.span), "reason": part.reason}
            for part in manifest.missing
        ],
        not_covered=[
            {"what": part.what, "names": list(part.names), "reason": part.reason} for part in manifest.not_covered
        ],
        references=sorted(manifest.references),
    )


def age_info(age: BucketAge) -> BucketAgeInfo:
    return BucketAgeInfo(
        bucket=age.bucket,
        last_complete_at=None if age.complete_ns is None else _second(age.complete_ns),
        last_complete=age.complete_id,
        last_proven_at=None if age.proven_ns is None else _second(age.proven_ns),
        last_proven=age.proven_id,
    )


def _members(backup: ListedBackup, proof: Proof) -> dict[str, Any]:
    manifest = backup.manifest
    known: dict[str, Any] = {
        "kind": None,
        "created_at": None,
        "finished_at": None,
        "comment": "",
        "server": None,
        "buckets": [],
        "points": 0,
        "bytes": 0,
        "own_bytes": 0,
        "encrypted": False,
    }
    if manifest is not None:
        known = {
            "kind": manifest.kind.value,
            "created_at": _second(manifest.created_ns),
            "finished_at": _second(manifest.finished_ns),
            "comment": manifest.comment,
            "server": manifest.server,
            "buckets": [held.metadata.name for held in manifest.buckets],
            "points": sum(held.points for held in manifest.buckets),
            "bytes": manifest.size,
            "own_bytes": manifest.own_size,
            "encrypted": bool(manifest.recipients),
        }
    return {
        "id": backup.backup_id,
        "state": backup.state.value,
        "reason": backup.reason,
        "verification": _judgement(proof.verification),
        "drill": _judgement(proof.drill),
        "proven": proof.is_proven and manifest is not None,
        "uploaded": backup.uploaded,
        **known,
    }


def _held(manifest: Manifest) -> list[HeldBucket]:
    return [
        HeldBucket(
            name=held.metadata.name,
            description=held.metadata.description,
            retention_s=held.metadata.retention_ns // SECOND_NS,
            span=span_json(held.span),
            sealed=[span_json(span) for span in held.sealed],
            points=held.points,
            values=sum(entry.digest.count for entry in held.slices),
            slices=len(held.slices),
            first_point=format_time(min(entry.first_ns for entry in held.slices)) if held.slices else None,
            last_point=format_time(max(entry.last_ns for entry in held.slices)) if held.slices else None,
            bytes=sum(entry.size for entry in held.slices),
        )
        for held in manifest.buckets
    ]


def _judgement(judgement: Judgement | None) -> JudgementInfo | None:
    if judgement is None:
        return None
    at = _second(int(judgement.at * SECOND_NS))
    return JudgementInfo(at=at, outcome=judgement.outcome.value, detail=judgement.detail)


def _second(time_ns: int) -> str:
    return format_time(time_ns // SECOND_NS * SECOND_NS)
