"""What a test does when a server or a program that it needs is not on this machine."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.support.servers import ServerMissing

MISSING = "server missing: "
T = TypeVar("T")


def or_skip(start: Callable[[], T]) -> T:
    """What `start` gives. Without the server the test is skipped, or fails where FLUXGATE_REQUIRE_SERVERS is 1."""
    try:
        return start()
    except ServerMissing as missing:
        if os.environ.get("FLUXGATE_REQUIRE_SERVERS") == "1":
            pytest.fail(f"FLUXGATE_REQUIRE_SERVERS=1, and {missing}", pytrace=False)
        pytest.skip(f"{MISSING}{missing}")
