"""A gateway as its own process with limits of the test's own, so that an attack can be measured from outside."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.gateways import Gateway, running_gateway


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway over an embedded store; settings by their environment names."""
    with ExitStack() as running:
        count = 0

        def start(**settings: str) -> Gateway:
            nonlocal count
            count += 1
            return running.enter_context(running_gateway(tmp_path / f"gateway{count}", settings))

        yield start
