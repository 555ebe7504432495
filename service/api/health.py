"""Routes for monitoring: liveness, readiness and metrics."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from service.api.auth import OPEN, requires
from service.api.deps import parts_of
from service.api.problem_schema import PROBLEM
from service.api.readiness import Readiness
from service.api.schemas import Health, Life
from service.domain.access import Principal, Scope

router = APIRouter(tags=["health"], responses={"default": PROBLEM})


@router.get("/health/live", summary="Alive", openapi_extra=OPEN, response_model=Life)
async def check_live() -> dict[str, str]:
    """The process answers. No dependency is asked."""
    return {"status": "alive"}


@router.get(
    "/health/ready",
    summary="Ready",
    openapi_extra=OPEN,
    response_model=Health,
    responses={503: {"description": "The store or the state database is down, or the gateway ends.", "model": Health}},
)
async def check_ready(request: Request) -> JSONResponse:
    """The state of each dependency and its response time. 503 when reads cannot work, and while the gateway ends.

    Each is checked at most every three seconds.
    The answer comes within two seconds: a dependency that takes longer is `slow`, which counts as down.

    A cache that cannot be reached makes the state `degraded`, with 200: answers are the same, but slower.
    A gateway that is about to end is `draining`: it still serves what comes for DRAIN_S seconds.
    `warnings` do not change the status. Backups that are too old are one, and jobs for which no worker is alive.
    """
    checks: Readiness = request.app.state.readiness
    dependencies = await checks.states()
    down = [name for name in ("store", "state") if dependencies[name]["state"] != "up"]
    status = "down" if down else ("degraded" if dependencies["cache"]["state"] != "up" else "ready")
    parts = parts_of(request)
    if parts.drain.began:
        status = "draining"
    warnings = parts.status_board.warnings()
    content = {"status": status, "dependencies": dependencies, "warnings": warnings}
    return JSONResponse(content, 503 if status in ("down", "draining") else 200)


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(request: Request, principal: Principal = requires(Scope.READ)) -> Response:
    """The gateway's own metrics, in the text format of Prometheus. A key that is limited to buckets sees only these."""
    parts = parts_of(request)
    page = parts.metrics.page() + parts.status_board.page(principal.may_see, principal.buckets is None)
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")
