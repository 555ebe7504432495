"""Reads request bodies within bounds: on the bytes as sent, on the bytes once unpacked, and on the time."""

import math
from collections.abc import AsyncIterator, Callable

import anyio
from fastapi import Request

from service.api.body_bound import BodyBound, too_large
from service.api.body_gate import gate_of
from service.api.deps import parts_of
from service.api.gzip_unpacker import GzipUnpacker
from service.api.limits import Limits
from service.errors import BodyTimeout, InvalidBody


def points_bound(limits: Limits) -> BodyBound:
    """The bounds of a body of points."""
    sizes = limits.max_body_bytes, limits.max_unpacked_bytes
    return BodyBound(*sizes, "MAX_BODY_MB", "MAX_UNPACKED_MB", limits.body_silence_s, limits.body_timeout_s)


def document_bound(limits: Limits) -> BodyBound:
    """The bounds of a JSON document."""
    size, setting = limits.max_document_bytes, "MAX_DOCUMENT_KB"
    return BodyBound(size, size, setting, setting, limits.body_silence_s, limits.body_timeout_s)


async def read_body(
    request: Request,
    bound: BodyBound,
    charge: Callable[[int], None] = lambda _size: None,
) -> bytes:
    """The body, unpacked when it is gzip. The key of the request must be accepted before.

    `charge` is called with the unpacked size of each piece, and may raise to refuse it.

    Raises:
        BodyTooLarge: more bytes than a limit; raised before reading when Content-Length announces them.
        BodyTimeout: the body does not arrive in time.
        InvalidBody: the coding is broken or unknown, or the client disconnected.
    """
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip"):
        raise InvalidBody(f"Content-Encoding: {coding[:50]} is not supported. Send the body plain or as gzip.")
    unpacker = None if coding == "identity" else GzipUnpacker(bound)
    pieces, sent = [], 0
    async for piece in body_pieces(request, bound):
        sent += len(piece)
        if sent > bound.most_bytes:
            raise too_large(bound.most_bytes, f"as sent ({bound.setting})")
        plain = piece
        if unpacker is not None:
            plain = await parts_of(request).pools.parsing.run(unpacker.unpack, piece)
        charge(len(plain))
        pieces.append(plain)
    if unpacker is not None and not unpacker.complete and sent:
        raise InvalidBody("The gzip body ends too early. Send it whole.")
    return b"".join(pieces)


async def body_pieces(request: Request, bound: BodyBound) -> AsyncIterator[bytes]:
    """The pieces of the body as they arrive. Raises BodyTooLarge, BodyTimeout, InvalidBody.

    Only an announced length is held against `bound.most_bytes`; whoever takes the pieces counts them.
    """
    gate = gate_of(request)
    if gate.length > bound.most_bytes:
        raise too_large(bound.most_bytes, f"as sent ({bound.setting})")
    gate.open()
    deadline = anyio.current_time() + bound.whole_s
    while True:
        wait_s = min(bound.silence_s, deadline - anyio.current_time())
        with anyio.move_on_after(max(wait_s, 0)) as waiting:
            message = await request.receive()
        if waiting.cancelled_caught:
            raise BodyTimeout(_silence(bound))
        if message["type"] == "http.disconnect":
            raise InvalidBody("The connection ended before the body did. Send it whole.")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _silence(bound: BodyBound) -> str:
    silence = f"nothing for {bound.silence_s:g} s (BODY_SILENCE_S)"
    if math.isinf(bound.whole_s):
        return f"The body did not come: {silence}. Send it over a better link."
    finding = f"The body did not come: {silence}, or not whole after {bound.whole_s:g} s (BODY_TIMEOUT_S)."
    return f"{finding} Send it in smaller parts, or over a better link."
