"""Makes the application: routes, error handlers, documentation pages and middleware over the parts from `wiring`."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

from fastapi import FastAPI

from service import __version__, demo, logs
from service.api import (
    buckets,
    cache,
    config,
    docs_pages,
    gaps,
    health,
    jobs,
    key_administration,
    keys,
    points,
    problems,
    telemetry,
)
from service.api.auth import with_security
from service.api.body_gate import BodyGateMiddleware
from service.api.config import with_sections
from service.api.deps import Parts
from service.api.head_requests import HeadRequests
from service.api.json_bodies import with_schemas
from service.api.kept_answers import KeptAnswers
from service.api.liveness import Liveness
from service.api.middleware import RequestObserver
from service.api.name_encoding import PathSegmentsMiddleware
from service.api.origins import Origins
from service.api.readiness import readiness_of
from service.errors import ConfigurationError
from service.page import routes as page_routes
from service.reads.memory import limit_arenas
from service.settings import Settings, load_settings, secret_values
from service.wiring import assemble
from service.wiring.buckets import BucketStart, configured_buckets
from service.wiring.reads import warn_of_half_place

_DESCRIPTION = """Gets data out of InfluxDB, exactly.

Send a key as `X-API-Key` or `Authorization: Bearer`.
Errors are problem documents (RFC 9457) with a stable `code`, and say what to do."""
_SIMULATOR_INTERVAL_S = 5.0
_THREAD_SWITCH_S = 0.0005
"""A tenth of Python's default, so that threads that decode and encode delay small requests less."""


def create_app(parts: Parts, simulate: bool = False, bucket_start: BucketStart | None = None) -> FastAPI:
    """Make the application over `parts`, which it closes when it ends.

    `simulate`: a simulated sensor keeps writing. `bucket_start` is stopped before the parts are closed.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts.runtime.start()
        parts.drain.install()
        with _simulator(parts) if simulate else nullcontext():
            yield
        if bucket_start is not None:
            bucket_start.stop()
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
    fastapi_openapi = app.openapi

    def openapi_with_additions() -> dict[str, Any]:
        return with_security(with_sections(with_schemas(fastapi_openapi()), parts.config.sections))

    app.openapi = openapi_with_additions  # type: ignore[method-assign]
    app.state.parts = parts
    app.state.readiness = readiness_of(parts)
    routers = (
        buckets.router,
        points.router,
        gaps.router,
        telemetry.router,
        cache.router,
        *parts.routers,
        jobs.router,
        config.router,
        key_administration.router,
        keys.router,
        health.router,
    )
    for router in routers:
        app.include_router(router)
    page_routes.install(app, parts.docs_enabled)
    if parts.docs_enabled:
        docs_pages.install(app)
    problems.install(app)
    app.add_middleware(KeptAnswers, parts=parts)
    app.add_middleware(HeadRequests)
    app.add_middleware(Liveness)
    app.add_middleware(Origins, origins=parts.cors_origins)
    app.add_middleware(PathSegmentsMiddleware)
    app.add_middleware(BodyGateMiddleware)
    app.add_middleware(RequestObserver, metrics=parts.metrics)
    return app


def app_from_environment() -> FastAPI:
    """Make the application of a server process. FLUXGATE_DEMO=1 adds demo data and a simulated sensor."""
    settings = load_settings()
    configure_logs(settings)
    sys.setswitchinterval(_THREAD_SWITCH_S)
    limit_arenas()
    simulated = os.environ.get("FLUXGATE_DEMO") == "1" and settings.influxdb_url is None
    parts = assemble(with_demo_place(settings) if simulated else settings)
    warn_of_half_place(settings, parts.config)
    if simulated:
        demo.fill_if_empty(parts.store, time.time_ns())
    return create_app(parts, simulated, start_buckets(parts, settings))


def start_buckets(parts: Parts, settings: Settings) -> BucketStart:
    """Make the buckets of BUCKETS_FILE, or wait for the store. Raises ConfigurationError after closing the parts."""
    bucket_start = BucketStart(parts.store, configured_buckets(settings))
    try:
        bucket_start.start()
    except ConfigurationError:
        parts.close()
        raise
    return bucket_start


def with_demo_place(settings: Settings) -> Settings:
    """`settings` with the coordinates of the demo, unless they have some."""
    if settings.latitude is not None or settings.longitude is not None:
        return settings
    return settings.model_copy(update={"latitude": demo.LATITUDE, "longitude": demo.LONGITUDE})


def configure_logs(settings: Settings) -> None:
    """Configure the logs of this process as `settings` says, without its secrets."""
    logs.configure(settings.log_level, settings.log_json, secret_values(settings))


@contextmanager
def _simulator(parts: Parts) -> Iterator[None]:
    simulator = demo.Simulator(parts.store, _SIMULATOR_INTERVAL_S)
    simulator.start()
    yield
    simulator.stop()
