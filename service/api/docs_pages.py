"""Serves Swagger UI and ReDoc from installed files. The pages load nothing from other hosts."""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service.api.auth import OPEN

_STATIC = Path(fastapi_offline.__file__).parent / "static"
_DOCUMENT, _FILES = "openapi.json", "static"
"""Beside the pages: relative, so that they are found behind any path prefix that a proxy takes away."""
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:;"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""Forbids the browser to load anything from other hosts. ReDoc's script would load a logo."""


def install(app: FastAPI) -> None:
    """Add /docs, /redoc and their files to `app`."""
    app.mount(f"/{_FILES}", StaticFiles(directory=_STATIC), name="static")

    @app.get("/docs", include_in_schema=False, openapi_extra=OPEN)
    def swagger() -> HTMLResponse:
        return _with_policy(
            get_swagger_ui_html(
                openapi_url=_DOCUMENT,
                title="Fluxgate",
                swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
                swagger_css_url=f"{_FILES}/swagger-ui.css",
                swagger_favicon_url=f"{_FILES}/favicon.png",
                swagger_ui_parameters={
                    "persistAuthorization": True,
                    "displayRequestDuration": True,
                    "tryItOutEnabled": True,
                },
            )
        )

    @app.get("/redoc", include_in_schema=False, openapi_extra=OPEN)
    def redoc() -> HTMLResponse:
        return _with_policy(
            get_redoc_html(
                openapi_url=_DOCUMENT,
                title="Fluxgate",
                redoc_js_url=f"{_FILES}/redoc.standalone.js",
                redoc_favicon_url=f"{_FILES}/favicon.png",
                with_google_fonts=False,
            )
        )


def _with_policy(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    return page
