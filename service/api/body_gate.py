"""The door for bodies, in front of every route: no byte of one is taken before the key is accepted.

`service.api.auth` accepts a request, and what reads a body opens it. Until then the bytes stay in the socket, and an
`Expect: 100-continue` stays unanswered. An answer to a body that was not taken ends the connection.
"""

import anyio
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge

UNASKED_BYTES = 64 * 1024
"""A body that no route asked for is dropped up to this size, so that an idle `{}` costs no connection."""
_GONE: Message = {"type": "http.disconnect"}


class BodyGate:
    """The body of one request: announced, perhaps accepted, perhaps opened, perhaps complete."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        self._receive = receive
        extension = scope.get("extensions", {}).get("fluxgate.client_disconnect")
        self._disconnect = extension["wait"] if extension else anyio.sleep_forever
        self._coded = b"transfer-encoding" in headers
        self._expects_continue = b"expect" in headers
        self._accepted = self._opened = self._complete = False
        self._dropped = 0
        self.length = 0 if self._coded else _length(headers.get(b"content-length", b"0"))

    @property
    def present(self) -> bool:
        return self._coded or self.length > 0

    @property
    def ends_connection(self) -> bool:
        """The rest of the body is neither taken nor small, so nothing can follow it on this connection."""
        small = not self._coded and not self._opened and not self._expects_continue and self.length <= UNASKED_BYTES
        return self.present and not self._complete and not small

    def accept(self, takes_body: bool) -> None:
        """The key is accepted. Raises BodyTooLarge when the route takes no body and a large one is announced."""
        if not takes_body and self.length > UNASKED_BYTES:
            raise BodyTooLarge(f"This route takes no body, and one of {self.length} bytes was announced. Send none.")
        self._accepted = True

    def open(self) -> None:
        if not self._accepted:
            raise RuntimeError("A body was asked for before the key was accepted: the route must depend on `requires` first.")
        self._opened = True

    async def receive(self) -> Message:
        """The next of the body once it is open; else only whether the client has gone."""
        if not self.present or self._opened:
            return self._noted(await self._receive())
        if not self._accepted:
            return _GONE
        if self._expects_continue:
            await self._disconnect()  # asking the server would invite the body
            return _GONE
        while self._dropped <= UNASKED_BYTES:
            message = self._noted(await self._receive())
            if message["type"] == "http.disconnect" or self._complete:
                return {**message, "body": b""}
            self._dropped += len(message.get("body", b""))
        return _GONE

    def _noted(self, message: Message) -> Message:
        self._complete = self._complete or not message.get("more_body", False)
        return message


class BodyGateMiddleware:
    """Gives every request its gate, and ends the connection behind an answer to a body that was not taken."""

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
    gate: BodyGate = request.scope["body_gate"]
    return gate


def accept(request: Request) -> None:
    """The key of `request` is accepted, with the scope that its route needs. Raises BodyTooLarge."""
    extra = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    gate_of(request).accept(takes_body="requestBody" in extra)


def _length(text: bytes) -> int:
    """Of the digits that count, the server takes at most 20; Python refuses to read more than 4300."""
    return int(text.lstrip(b"0")[:20] or b"0") if text.isdigit() else 0
