"""The door for bodies sees a client leave without inviting its body, and reads lengths of any number of digits."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from service.api.body_gate import BodyGate

pytestmark = pytest.mark.anyio


async def invited() -> Message:
    raise AssertionError("asking the server invites the body")


async def test_a_client_that_expects_to_be_asked_for_its_body_is_seen_to_leave() -> None:
    """It used to be waited for without end: the slot of its read was never free again."""
    left = asyncio.Event()
    scope: dict[str, Any] = {
        "headers": [(b"content-length", b"1"), (b"expect", b"100-continue")],
        "extensions": {"fluxgate.client_disconnect": {"wait": left.wait}},
    }
    gate = BodyGate(scope, invited)
    gate.accept(takes_body=False)
    message = asyncio.ensure_future(gate.receive())
    await asyncio.sleep(0)
    assert not message.done()
    left.set()
    assert await asyncio.wait_for(message, 5) == {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("length", "number"),
    [
        (b"0" * 5000, 0),
        (b"0" * 5000 + b"12", 12),
        (b"", 0),
        (b"-1", 0),
        (b"9" * 20, 10**20 - 1),
        (b"9" * 5000, 10**20 - 1),
    ],
)
def test_a_length_may_have_5000_digits(length: bytes, number: int) -> None:
    """Python refuses to read more than 4300: it was 500."""
    assert BodyGate({"headers": [(b"content-length", length)]}, invited).length == number
