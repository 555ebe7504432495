"""Serves Swagger UI and ReDoc from installed files. The pages load nothing from other hosts."""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service.api.auth import OPEN

_STATIC = Path(fastapi_offline.__file__).parent / "static"
_STATIC_URL = "/static"
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:;"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""Forbids the browser to load anything from other hosts. ReDoc's script would load a logo."""


def install(app: FastAPI) -> None:
    """Add /docs, /redoc and their files to `app`."""
    app.mount(_STATIC_URL, StaticFiles(directory=_STATIC), name="static")

    @app.get("/docs", include_in_schema=False, openapi_extra=OPEN)
    def swagger(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return _with_policy(
            get_swagger_ui_html(
                openapi_url=f"{root}/openapi.json",
                title="Fluxgate",
                swagger_js_url=f"{root}{_STATIC_URL}/swagger-ui-bundle.js",
                swagger_css_url=f"{root}{_STATIC_URL}/swagger-ui.css",
                swagger_favicon_url=f"{root}{_STATIC_URL}/favicon.png",
                swagger_ui_parameters={
                    "persistAuthorization": True,
                    "displayRequestDuration": True,
                    "tryItOutEnabled": True,
                },
            )
        )

    @app.get("/redoc", include_in_schema=False, openapi_extra=OPEN)
    def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        return _with_policy(
            get_redoc_html(
                openapi_url=f"{root}/openapi.json",
                title="Fluxgate",
                redoc_js_url=f"{root}{_STATIC_URL}/redoc.standalone.js",
                redoc_favicon_url=f"{root}{_STATIC_URL}/favicon.png",
                with_google_fonts=False,
            )
        )


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return page
