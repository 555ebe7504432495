"""A gate for the body of every request: no byte is read before the key is accepted.

`service.api.auth` accepts a request, and the code that reads the body opens its gate. Until then the bytes stay in the
socket, and `Expect: 100-continue` is not answered. After an answer to an unread body, the connection is closed.
"""

import anyio
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge

IGNORED_BODY_BYTES = 64 * 1024
"""A body that no route reads is dropped up to this size, so that a needless `{}` does not close the connection."""
_DISCONNECT: Message = {"type": "http.disconnect"}


class BodyGate:
    """The body of one request. `accept` comes before `open`, and `open` before the first byte is read."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        extension = scope.get("extensions", {}).get("fluxgate.client_disconnect")
        self._disconnect = extension["wait"] if extension else anyio.sleep_forever
        self._is_chunked = b"transfer-encoding" in headers
        self._expects_continue = b"expect" in headers
        self._accepted = self._opened = self._complete = False
        self._dropped = 0
        self.length = 0 if self._is_chunked else _length(headers.get(b"content-length", b"0"))

    @property
    def present(self) -> bool:
        return self._is_chunked or self.length > 0

    @property
    def ends_connection(self) -> bool:
        """Whether the rest of the body is unread and not small, so that no further request can follow it."""
        is_small = not self._is_chunked and self.length <= IGNORED_BODY_BYTES
        can_be_dropped = is_small and not self._opened and not self._expects_continue
        return self.present and not self._complete and not can_be_dropped

    def accept(self, takes_body: bool) -> None:
        """Note that the key is accepted. Raises BodyTooLarge for a large body when the route takes none."""
        if not takes_body and self.length > IGNORED_BODY_BYTES:
            raise BodyTooLarge(f"This route takes no body, and one of {self.length} bytes was announced. Send none.")
        self._accepted = True

    def open(self) -> None:
        """Allow the body to be read. Raises RuntimeError before the key is accepted."""
        if not self._accepted:
            raise RuntimeError(
                "A body was read before the key was accepted: the route must depend on `requires` first.",
            )
        self._opened = True

    async def receive(self) -> Message:
        """The next message of an open body; otherwise only the message that the client disconnected."""
        if not self.present or self._opened:
            return self._track(await self._receive())
        if not self._accepted:
            return _DISCONNECT
        if self._expects_continue:
            await self._disconnect()  # `receive` would make the server ask for the body
            return _DISCONNECT
        while self._dropped <= IGNORED_BODY_BYTES:
            message = self._track(await self._receive())
            if message["type"] == "http.disconnect" or self._complete:
                return {**message, "body": b""}
            self._dropped += len(message.get("body", b""))
        return _DISCONNECT

    def _track(self, message: Message) -> Message:
        self._complete = self._complete or not message.get("more_body", False)
        return message


class BodyGateMiddleware:
    """Gives every request a gate, and closes the connection after an answer to an unread body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        gate = scope["body_gate"] = BodyGate(scope, receive)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and gate.ends_connection:
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        await self._app(scope, gate.receive, answer)


def gate_of(request: Request) -> BodyGate:
    """The gate of `request`."""
    gate: BodyGate = request.scope["body_gate"]
    return gate


def accept(request: Request) -> None:
    """Note that the key of `request` is accepted and has the scope of its route. Raises BodyTooLarge."""
    extra = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    gate_of(request).accept(takes_body="requestBody" in extra)


def _length(text: bytes) -> int:
    """The announced length, from at most 20 digits as the server reads it. Python's `int` refuses more than 4300."""
    return int(text.lstrip(b"0")[:20] or b"0") if text.isdigit() else 0
