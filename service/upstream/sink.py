"""Delivers batches to an upstream over HTTP."""

import random
import time
from collections.abc import Callable
from typing import Self

from service.sockets import Resolver, resolve_host
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.config import Upstream
from service.upstream.protocol import Batch, Delivered


class HttpSink:
    """An upstream as a `Sink`, and a context manager that closes its connections.

    Threads may share it: `deliver` of several batches may run at one time, and at most `upstream.in_flight` posts are
    under way.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        """Send a batch until each of its values is accepted or refused (`Sink.deliver`).

        `first_tried_s`: when it was first tried (seconds since 1970), where an earlier run did that.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_sink(
    upstream: Upstream,
    control: RunControl,
    log: Log,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
    resolve: Resolver = resolve_host,
) -> HttpSink:
    """A sink for `upstream`. Nothing is connected to before the first batch.

    `control` ends deliveries and waits; `log` takes what people should know. `clock`: seconds since 1970. `chance`: a
    random number in [0, 1). `resolve`: the addresses of a host.

    Raises InvalidParameter: a file with certificates or a key holds none.
    """
    return HttpSink(upstream)
