"""The route that shows the slices of a mirror's bucket, for a calendar of what is equal."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from service.api.auth import requires
from service.api.deps import Parts, parts_of
from service.api.job_schemas import time_text
from service.api.jobs import state_call
from service.api.problem_schema import PROBLEM
from service.domain.access import Principal, Scope
from service.domain.timerange import LATEST_NS, format_time, parse_time
from service.errors import InvalidParameter, NotFound
from service.features.mirror.naming import Name, configured_mirror
from service.features.mirror.schemas import SliceInfo, SliceList
from service.jobs.mirror.ledger import newest_slices, pairs_of

router = APIRouter(tags=["mirror"], responses={"default": PROBLEM})
_BUCKET = Query(max_length=500, description="A bucket of the source.", examples=["Weather"])
_TARGET = Query(max_length=500, description="Its copy; needed where the bucket has several.", examples=["Weather"])
_BEFORE = Query(max_length=40, description="Only slices that begin before this: the `before` of an earlier answer.")


@router.get("/mirror/{name}/slices", summary="See the slices of a mirror")
async def list_mirror_slices(
    request: Request,
    name: Name,
    bucket: Annotated[str, _BUCKET],
    target: Annotated[str | None, _TARGET] = None,
    before: Annotated[str | None, _BEFORE] = None,
    limit: Annotated[int, Query(ge=1, le=5000, description="Most slices in the answer.")] = 400,
    _: Principal = requires(Scope.MIRROR),
) -> SliceList:
    """The slices of a bucket as the last runs left them, the newest first. A slice without points is not listed.

    Nothing is read from source or target for it: a write since the last run is not seen.
    """
    before_ns = LATEST_NS + 1 if before is None else parse_time(before, "before")
    return await state_call(request, _slices, parts_of(request), name, bucket, target, before_ns, limit)


def _slices(parts: Parts, name: str, bucket: str, target: str | None, before_ns: int, limit: int) -> SliceList:
    mirror = configured_mirror(parts, name)
    copy = _copy_of(parts, mirror.name, bucket) if target is None else target
    calendar = newest_slices(parts.state, mirror.name, bucket, copy, before_ns, limit)
    if calendar is None:
        raise _not_begun(mirror.name, bucket)
    step_ns, slices = calendar
    return SliceList(
        source=bucket,
        target=copy,
        slice_s=step_ns / 1e9,
        slices=[
            SliceInfo(
                start=format_time(piece.start_ns),
                state=piece.state.value,
                points=piece.points,
                rejected=piece.rejected,
                compared_at=time_text(piece.compared_at) or "",
            )
            for piece in slices
        ],
        before=format_time(slices[-1].start_ns) if len(slices) == limit else None,
    )


def _copy_of(parts: Parts, mirror: str, bucket: str) -> str:
    """The bucket of the target that is the only copy of `bucket`. Raises NotFound, InvalidParameter."""
    copies = [target for source, target in pairs_of(parts.state, mirror) if source == bucket]
    if not copies:
        raise _not_begun(mirror, bucket)
    if len(copies) > 1:
        reason = f"The mirror {mirror!r} has {len(copies)} copies of {bucket!r}"
        raise InvalidParameter("target", f"{reason}. Name one with target: {', '.join(map(repr, sorted(copies)))}.")
    return copies[0]


def _not_begun(mirror: str, bucket: str) -> NotFound:
    return NotFound(f"No run of the mirror {mirror!r} has begun with a bucket {bucket!r}. GET /mirror lists its pairs.")
