"""Serves the page at / and its files at /page/…, without a key: they hold nothing but code.

All links in them are relative, so the page works behind any path prefix that a proxy takes away. Its policy forbids
the browser to load, run or send anything that is not of this gateway.
"""

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.auth import OPEN
from service.api.read_headers import is_unchanged
from service.api.streaming import wants_gzip
from service.page.files import PageFile, load_files, page_file

INDEX = "index.html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
_DOCS_MARK = b' data-docs="docs"'
"""What in the page says that /docs is served."""


def install(app: FastAPI, docs_enabled: bool) -> None:
    """Add the page and its files to `app`. Without `docs_enabled` the page has no link to /docs."""
    files = dict(load_files())
    index = files.pop(INDEX)
    if not docs_enabled:
        index = page_file(INDEX, index.content.replace(_DOCS_MARK, b""))

    @app.get("/", include_in_schema=False, openapi_extra=OPEN)
    def page(request: Request) -> Response:
        return _answer(request, index)

    @app.get("/page/{path:path}", include_in_schema=False, openapi_extra=OPEN)
    def page_files(request: Request, path: str) -> Response:
        if path not in files:
            raise HTTPException(404)
        return _answer(request, files[path])


def _answer(request: Request, file: PageFile) -> Response:
    """The file, packed where the browser takes that; 304 where it has this content already.

    The tag is weak (RFC 9110), because it is the same for both encodings.
    """
    etag = f'W/"{file.tag}"'
    headers = {**_HEADERS, "ETag": etag}
    if is_unchanged(etag, request.headers.get("If-None-Match")):
        return Response(status_code=304, headers=headers)
    if wants_gzip(request.headers.get("Accept-Encoding")):
        return Response(file.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
