"""Routes of watches: see them, and look now. `/config/watches` configures them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from service.api.auth import requires
from service.api.deps import Parts, parts_of
from service.api.job_schemas import JobInfo, time_text
from service.api.jobs import state_call, submit_job
from service.api.name_encoding import decode_segment
from service.api.problem_schema import PROBLEM
from service.domain.access import Principal, Scope
from service.domain.timerange import format_time
from service.errors import NotFound
from service.features.watches.schemas import SilentSeries, WatchInfo, WatchList
from service.jobs.watch.definitions import WatchText
from service.jobs.watch.kind_name import KIND
from service.jobs.watch.runnable import WatchRunnable, schedule_name
from service.jobs.watch.watch_states import WatchState

router = APIRouter(tags=["watches"], responses={"default": PROBLEM})
_SHOWN = 100
_NOTHING = WatchState()


@router.get("/watches", summary="List watches")
async def list_watches(request: Request, principal: Principal = requires(Scope.CONNECTOR)) -> WatchList:
    """Each watch with its silent series, its last look, and what went wrong last."""
    return await state_call(request, _listing, parts_of(request))


@router.post("/watches/{name}/run", summary="Look now", status_code=202)
async def run_watch(
    request: Request,
    response: Response,
    name: Annotated[str, Path(description="The watch's name.", examples=["meters"])],
    principal: Principal = requires(Scope.CONNECTOR),
) -> JobInfo:
    """Submit a job that looks at the series of a watch, and tells its webhook of changes."""
    watch = decode_segment(name)
    watches = await state_call(request, parts_of(request).kinds.runnable(KIND, WatchRunnable).watches)
    if watch not in watches:
        raise NotFound(f"There is no watch {watch[:60]!r}. GET /watches lists them.")
    return await submit_job(request, response, principal, KIND, {"watch": watch})


def _listing(parts: Parts) -> WatchList:
    runnable = parts.kinds.runnable(KIND, WatchRunnable)
    states, schedules = runnable.states.all(), parts.schedules.states()
    watches = []
    for name, text in runnable.watches().items():
        scheduled = schedules.get(schedule_name(name)) if text.enabled else None
        next_look = None if scheduled is None else time_text(scheduled.next_run)
        watches.append(_info(name, text, states.get(name, _NOTHING), next_look))
    return WatchList(watches=watches)


def _info(name: str, text: WatchText, state: WatchState, next_look: str | None) -> WatchInfo:
    silent = sorted(state.silent.items())[:_SHOWN]
    return WatchInfo(
        name=name,
        bucket=text.bucket,
        expect=text.expect,
        every=text.every,
        enabled=text.enabled,
        has_webhook=text.webhook is not None,
        last_look=None if state.looked_at is None else time_text(state.looked_at),
        next_look=next_look,
        last_error=state.error,
        series=state.series,
        silent=len(state.silent),
        silent_series=[
            SilentSeries(measurement=series.measurement, tags=dict(series.tags), since=format_time(last_ns))
            for series, last_ns in silent
        ],
        notices_waiting=len(state.notices),
    )
