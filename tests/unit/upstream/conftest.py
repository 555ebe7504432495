"""Sinks for a local upstream, whose waits take no time."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from service.upstream.config import Upstream
from service.upstream.sink import HttpSink, open_sink
from tests.support.run_controls import ClockedControl

OpenSink = Callable[..., HttpSink]


@pytest.fixture
def control() -> ClockedControl:
    return ClockedControl()


@pytest.fixture
def sink_for(control: ClockedControl) -> Iterator[OpenSink]:
    """Opens a sink of an upstream under the run `control`, and closes it at the end."""
    with ExitStack() as open_sinks:

        def opened(upstream: Upstream, **options: Any) -> HttpSink:
            parts = {"clock": control.clock, "monotonic": time.monotonic, "chance": lambda: 0.0, **options}
            return open_sinks.enter_context(open_sink(upstream, control, control.log, **parts))

        yield opened
