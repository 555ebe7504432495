"""Stores as most tests want them.

An embedded one, one of a real InfluxDB, and one some of whose methods are replaced.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.domain.durations import parse_duration
from service.stores.embedded.store import EmbeddedStore
from service.stores.influx.store import InfluxStore
from service.stores.protocol import Store
from tests.support.servers import InfluxServer


def embedded_store(path: Path, shard: str = "1w") -> EmbeddedStore:
    shard_ns = parse_duration(shard, "shard")
    return EmbeddedStore(path, memory_mb=256, threads=2, shard_ns=shard_ns, clock=time.time_ns)


def influx_store(influx: InfluxServer, *, url: str | None = None, token: str | None = None) -> InfluxStore:
    """A store of `influx`, or of what stands before it at `url`."""
    address, key = url or influx.url, token or influx.token
    return InfluxStore(address, key, influx.org, connect_timeout_s=5, silence_timeout_s=30, read_timeout_s=60)


class Through:
    """A store that is another one, but for `methods` and what a subclass replaces."""

    def __init__(self, store: Store, **methods: Callable[..., Any]) -> None:
        self.store = store
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)
