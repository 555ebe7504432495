"""The answers of the server itself, before the application: problem documents that end the connection."""

import http
import secrets
from dataclasses import dataclass

import orjson


@dataclass(frozen=True)
class Refusal:
    """An answer after which the connection is closed."""

    status: int
    code: str
    detail: str
    retry_after_s: int | None = None


MALFORMED = Refusal(400, "malformed_request", "This is no HTTP/1.1 request. Send one as RFC 9112 has it.")
TWO_LENGTHS = Refusal(
    400,
    "malformed_request",
    "Content-Length and Transfer-Encoding exclude each other. Send one of them.",
)
LINE_TOO_LONG = Refusal(
    414,
    "uri_too_long",
    "The request line is too long (MAX_REQUEST_LINE_BYTES). Send fewer parameters.",
)
HEAD_TOO_LARGE = Refusal(
    431,
    "headers_too_large",
    "The headers are too large or too many (MAX_HEADER_BYTES, MAX_HEAD_BYTES, MAX_HEADERS). Send less.",
)
HEAD_TOO_SLOW = Refusal(
    408,
    "head_timeout",
    "The request's head did not come in time (HEAD_TIMEOUT_S). Send it at once.",
)
FULL = Refusal(
    503,
    "too_many_connections",
    "All connections are taken (MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS). Come back in a moment.",
    1,
)


def as_bytes(refusal: Refusal) -> bytes:
    """The whole HTTP response, with `Connection: close`."""
    phrase, request_id = http.HTTPStatus(refusal.status).phrase, secrets.token_hex(8)
    document = {
        "type": f"urn:fluxgate:problem:{refusal.code}",
        "title": phrase,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
    }
    body = orjson.dumps(document)
    lines = [
        f"HTTP/1.1 {refusal.status} {phrase}",
        "content-type: application/problem+json",
        f"content-length: {len(body)}",
        f"x-request-id: {request_id}",
        "connection: close",
        *([] if refusal.retry_after_s is None else [f"retry-after: {refusal.retry_after_s}"]),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
