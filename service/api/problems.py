"""Turns errors into RFC 9457 problem documents: all errors have the same shape.

Each class of `service.errors` has a status here; a test fails when one is missing. An unexpected error is a 500
without internals, and the log has its traceback under the request's id.
"""

import http
import math
from collections.abc import Mapping

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from service import errors
from service.api.presented_key import challenges
from service.api.upstream_visibility import sees_upstream
from service.config.validation_errors import plain_reason

MEDIA_TYPE = "application/problem+json"
STATUSES: Mapping[type[errors.FluxgateError], int] = {
    errors.FluxgateError: 500,
    errors.CallerError: 400,
    errors.InvalidParameter: 422,
    errors.InvalidBody: 400,
    errors.UnknownBucket: 404,
    errors.NotFound: 404,
    errors.NotAcceptable: 406,
    errors.BodyTooLarge: 413,
    errors.BodyTimeout: 408,
    errors.TooManyWindows: 422,
    errors.TableTooLarge: 422,
    errors.SheetTooSmall: 422,
    errors.UnwritablePoint: 422,
    errors.FileRefused: 422,
    errors.PointsRefused: 422,
    errors.VersionConflict: 409,
    errors.ClientDisconnected: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.TooManyFailedTries: 429,
    errors.RetryLater: 503,
    errors.TooManyReads: 429,
    errors.TooManyWrites: 429,
    errors.TooManyListeners: 429,
    errors.WriteTimeout: 503,
    errors.StoreBusy: 503,
    errors.ClientStalled: 503,
    errors.DependencyBusy: 503,
    errors.NotReady: 503,
    errors.StoreError: 502,
    errors.StoreUnavailable: 503,
    errors.StoreTimeout: 504,
    errors.StoreDenied: 502,
    errors.StoreCancelled: 502,
    errors.StoreFailed: 502,
    errors.StoreLimit: 502,
    errors.QueryRefused: 502,
    errors.UnreadableText: 502,
    errors.LineEndLost: 502,
    errors.WrongMapping: 502,
    errors.NotOffered: 502,
    errors.ShardRefused: 502,
    errors.StoreBroken: 502,
    errors.EndMarkMissing: 502,
    errors.MirrorConflict: 502,
    errors.MirrorIncomplete: 502,
    errors.ArchiveError: 502,
    errors.ArchiveUnavailable: 503,
    errors.ArchiveUnreachable: 503,
    errors.ArchiveFileMissing: 502,
    errors.ArchiveFileExists: 409,
    errors.ArchiveKeyRefused: 502,
    errors.BackupDamaged: 502,
    errors.UpstreamError: 502,
    errors.UpstreamUnavailable: 503,
    errors.UpstreamStopped: 502,
    errors.AddressRefused: 502,
    errors.ConfigurationError: 500,
}
_UNAVAILABLE_RETRY_S = 5.0
_log = structlog.get_logger(__name__)


def status_of(error: errors.FluxgateError) -> int:
    """The status of the nearest class that has one."""
    return next(STATUSES[error_class] for error_class in type(error).__mro__ if error_class in STATUSES)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    extra: Mapping[str, object] | None = None,
) -> Response:
    """A response with a problem document. `extra` adds members to the fixed ones."""
    document = {
        **(extra or {}),
        "type": f"urn:fluxgate:problem:{code}",
        "title": http.HTTPStatus(status).phrase if status in http.HTTPStatus.__members__.values() else "Error",
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.scope.get("request_id", ""),
    }
    return Response(orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS), status, media_type=MEDIA_TYPE)


def problem_of(request: Request, error: errors.FluxgateError) -> Response:
    """The response to `error`. Server errors are logged."""
    status = status_of(error)
    upstream = {"upstream": error.upstream} if error.upstream and sees_upstream(request) else {}
    answer = problem(request, status, error.code, error.message, {**error.extra, **upstream})
    default_s = _UNAVAILABLE_RETRY_S if isinstance(error, errors.StoreUnavailable) else None
    retry_after_s = getattr(error, "retry_after_s", default_s)
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if status == 401:
        answer.headers["WWW-Authenticate"] = challenges(request)
    if status >= 500:
        _log.warning("request failed", code=error.code, detail=error.message, upstream=error.upstream, status=status)
    return answer


def install(app: FastAPI) -> None:
    """Make `app` answer every error with a problem document."""

    @app.exception_handler(errors.FluxgateError)
    def known(request: Request, error: errors.FluxgateError) -> Response:
        return problem_of(request, error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        wrong = [
            {"where": ".".join(map(str, entry["loc"])), "problem": plain_reason(entry["type"], entry["msg"])}
            for entry in error.errors()
        ]
        detail = "; ".join(f"{entry['where']}: {entry['problem']}" for entry in wrong[:5])
        return problem(
            request,
            422,
            "invalid_parameter",
            f"The request does not fit: {detail}.",
            {"errors": wrong[:20]},
        )

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> Response:
        status, path = error.status_code, request.url.path
        codes = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
        details = {
            404: f"There is nothing at {path}. See /docs.",
            405: f"{request.method} is not for {path}. See /docs.",
        }
        answer = problem(request, status, codes.get(status, "error"), details.get(status, str(error.detail)))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        _log.error("unexpected error", exc_info=error)
        detail = "Something unexpected went wrong. The log says more under this request's id."
        return problem(request, 500, "internal", detail)
