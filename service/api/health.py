"""Is it alive, can it work, and what does it count."""

import threading
import time
from collections.abc import Callable

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from service.api.auth import OPEN, requires
from service.api.deps import Parts, parts_of
from service.domain.access import Principal, Scope

router = APIRouter(tags=["health"])
_KEPT_S = 3.0
_READY = {
    "status": "ready",
    "dependencies": {"store": {"name": "influx", "state": "up", "ms": 2.1}, "state": {"name": "sqlite", "state": "up", "ms": 0.2}},
}


@router.get("/health/live", summary="Alive", openapi_extra=OPEN, responses={200: {"content": {"application/json": {"example": {"status": "alive"}}}}})
async def live() -> dict[str, str]:
    """The process answers. Asks nothing of anybody."""
    return {"status": "alive"}


@router.get(
    "/health/ready",
    summary="Ready",
    openapi_extra=OPEN,
    responses={200: {"content": {"application/json": {"example": _READY}}}, 503: {"description": "The store or the state database is down."}},
)
async def ready(request: Request) -> JSONResponse:
    """Each dependency, its state and how fast it answered; looked at anew every three seconds. 503 when reads cannot work.

    A cache that is away makes it `degraded`, with 200: answers are the same, only slower.
    """
    parts = parts_of(request)
    checks: Readiness = request.app.state.readiness
    found = await anyio.to_thread.run_sync(checks.look, parts)
    down = [name for name in ("store", "state") if found[name]["state"] != "up"]
    status = "down" if down else ("degraded" if found["cache"]["state"] != "up" else "ready")
    return JSONResponse({"status": status, "dependencies": found}, 503 if down else 200)


@router.get("/metrics", summary="Metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}})
async def metrics(request: Request, _: Principal = requires(Scope.READ)) -> Response:
    """What the gateway counts of itself, in Prometheus' text form."""
    page = await anyio.to_thread.run_sync(parts_of(request).metrics.page)
    return Response(page, media_type="text/plain; version=0.0.4; charset=utf-8")


class Readiness:
    """Looks at the dependencies, at most every few seconds however many ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._found: dict[str, dict[str, object]] = {}

    def look(self, parts: Parts) -> dict[str, dict[str, object]]:
        with self._lock:
            if time.monotonic() - self._looked_at > _KEPT_S:
                self._found = {
                    "store": _state(parts.store.name, parts.store.ping),
                    "state": _state(parts.state.engine.dialect.name, parts.state.ping),
                    "cache": _state(parts.cache.name, parts.cache.ping),
                }
                self._looked_at = time.monotonic()
            return self._found


def _state(name: str, ping: Callable[[], None]) -> dict[str, object]:
    begun = time.perf_counter()
    try:
        ping()
    except Exception as broken:  # noqa: BLE001  (whatever it is, it is why the dependency is down)
        reason = getattr(broken, "message", None) or type(broken).__name__
        return {"name": name, "state": "down", "reason": reason, "ms": round((time.perf_counter() - begun) * 1000, 1)}
    return {"name": name, "state": "up", "ms": round((time.perf_counter() - begun) * 1000, 1)}
