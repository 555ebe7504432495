"""The application: routes, errors, docs_pages and middleware around the parts that wiring made."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI

from service import __version__, demo, logs
from service.api import buckets, config, docs_pages, health, jobs, points, problems, telemetry
from service.api.auth import with_security
from service.api.body_gate import BodyGateMiddleware
from service.api.config import with_sections
from service.api.deps import Parts
from service.api.json_bodies import with_schemas
from service.api.middleware import RequestObserver
from service.api.name_encoding import PathSegmentsMiddleware
from service.api.readiness import readiness_of
from service.reads.memory import limit_arenas
from service.settings import Settings, load_settings, secret_values
from service.wiring import assemble

_DESCRIPTION = """Gets data out of InfluxDB, exactly.

Send a key as `X-API-Key` or `Authorization: Bearer`. Errors are problem documents (RFC 9457) with a stable `code` that say what to do."""
_SIMULATED_EVERY_S = 5.0
_SWITCH_S = 0.0005
"""Threads that decode and encode give way to the one that answers small requests ten times as often as Python's default."""


def create_app(parts: Parts, simulate: bool = False) -> FastAPI:
    """The application over `parts`, which it closes at its end. `simulate`: a sensor of the demo keeps writing."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts.runtime.start()
        with _simulator(parts) if simulate else _nothing():
            yield
        parts.close()

    app = FastAPI(
        title="Fluxgate",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if parts.docs_enabled else None,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    plain_document = app.openapi

    def described() -> dict[str, Any]:
        return with_security(with_sections(with_schemas(plain_document()), parts.config.sections))

    app.openapi = described  # type: ignore[method-assign]
    app.state.parts = parts
    app.state.readiness = readiness_of(parts)
    of_data, of_service = (buckets, points, telemetry), (jobs, config, health)
    for router in (*(part.router for part in of_data), *parts.routers, *(part.router for part in of_service)):
        app.include_router(router)
    if parts.docs_enabled:
        docs_pages.install(app)
    problems.install(app)
    app.add_middleware(PathSegmentsMiddleware)
    app.add_middleware(BodyGateMiddleware)
    app.add_middleware(RequestObserver, metrics=parts.metrics)
    return app


def app_from_environment() -> FastAPI:
    """The application that a server process runs. FLUXGATE_DEMO=1: with demo data and a simulated sensor."""
    settings = load_settings()
    configure_logs(settings)
    sys.setswitchinterval(_SWITCH_S)
    limit_arenas()
    parts = assemble(settings)
    simulated = os.environ.get("FLUXGATE_DEMO") == "1" and parts.store.name == "embedded"
    if simulated:
        demo.fill_if_empty(parts.store, time.time_ns())
    return create_app(parts, simulated)


def configure_logs(settings: Settings) -> None:
    logs.configure(settings.log_level, settings.log_json, secret_values(settings))


@contextmanager
def _simulator(parts: Parts) -> Iterator[None]:
    simulator = demo.Simulator(parts.store, _SIMULATED_EVERY_S)
    simulator.start()
    yield
    simulator.stop()


@contextmanager
def _nothing() -> Iterator[None]:
    yield
