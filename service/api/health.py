"""Is it alive, can it work, and what does it count."""

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
    """The process answers. Asks nothing of anybody."""
    return {"status": "alive"}


@router.get(
    "/health/ready",
    summary="Ready",
    openapi_extra=OPEN,
    response_model=Health,
    responses={503: {"description": "The store or the state database is down.", "model": Health}},
)
async def check_ready(request: Request) -> JSONResponse:
    """Each dependency, its state and how fast it answered; looked at anew every three seconds. 503 when reads cannot work.

    The answer is there within two seconds: a dependency that takes longer is `slow`, which counts as down.

    A cache that is away makes it `degraded`, with 200: answers are the same, only slower. `warnings` change no status:
    backups that are too old, for one.
    """
    checks: Readiness = request.app.state.readiness
    found = await checks.found()
    down = [name for name in ("store", "state") if found[name]["state"] != "up"]
    status = "down" if down else ("degraded" if found["cache"]["state"] != "up" else "ready")
    warnings = parts_of(request).status_board.warnings()
    return JSONResponse({"status": status, "dependencies": found, "warnings": warnings}, 503 if down else 200)


@router.get("/metrics", summary="Metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def read_metrics(request: Request, principal: Principal = requires(Scope.READ)) -> Response:
    """What the gateway counts of itself, in Prometheus' text form. A key that is limited to buckets sees no others."""
    parts = parts_of(request)
    page = parts.metrics.page() + parts.status_board.page(principal.may_see)
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")
