"""A request body as pieces that a thread pulls, one at a time: for bodies that no memory holds.

The bounds of other bodies are not for it. It has a bound of its own on its bytes, and BODY_SILENCE_S on each wait.
"""

import math
from collections.abc import Iterator

from anyio import from_thread
from fastapi import Request

from service.api.bodies import body_pieces
from service.api.body_bound import BodyBound
from service.api.body_gate import gate_of
from service.api.deps import parts_of
from service.errors import BodyTooLarge, InvalidBody


class BodyStream:
    """The body of `request`, of at most `most_bytes`, which `setting` says. Its key must be accepted before.

    Raises, when it is made, InvalidBody for a packed body, and BodyTooLarge when Content-Length announces too much.
    """

    def __init__(self, request: Request, most_bytes: int, setting: str) -> None:
        coding = request.headers.get("Content-Encoding", "identity").strip().lower()
        if coding != "identity":
            raise InvalidBody(f"Content-Encoding: {coding[:50]} is not supported here. Send the body as it is.")
        self._most_bytes = most_bytes
        self._setting = setting
        if gate_of(request).length > most_bytes:
            raise self._too_large()
        silence_s = parts_of(request).limits.body_silence_s
        bound = BodyBound(most_bytes, most_bytes, setting, setting, silence_s, math.inf)
        self._pieces = body_pieces(request, bound)

    def pieces(self) -> Iterator[bytes]:
        """The body, from a thread of the event loop that serves the request.

        Raises BodyTooLarge, BodyTimeout; InvalidBody when the client disconnects.
        """
        received = 0
        while (piece := from_thread.run(self._next)) is not None:
            received += len(piece)
            if received > self._most_bytes:
                raise self._too_large()
            yield piece

    async def _next(self) -> bytes | None:
        return await anext(self._pieces, None)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"The body has more than {self._most_bytes} bytes, which {self._setting} allows. Raise it.")
