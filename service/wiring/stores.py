"""Which stores there are: the one that the gateway serves, and those at the ends of mirrors."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from service.domain.addresses import AddressPolicy
from service.domain.durations import parse_duration
from service.domain.endpoint import EMBEDDED, Endpoint, endpoint_at
from service.errors import ConfigurationError
from service.settings import Settings
from service.sockets import ANYWHERE, Connector
from service.stores.embedded.store import EmbeddedStore
from service.stores.influx.store import InfluxStore
from service.stores.observed import ChangeListener, ObservedStore
from service.stores.opener import Opener, OpenStore


@dataclass(frozen=True)
class ServedStore:
    """The store that the gateway serves, and what is told of its changes.

    `moved_bytes`: how many bytes went over its link so far.
    """

    store: ObservedStore
    listeners: Sequence[ChangeListener]
    moved_bytes: Callable[[], int]


def open_served_store(settings: Settings, listeners: Sequence[ChangeListener]) -> ServedStore:
    """Open the store that the gateway serves. Nobody else gets it but inside its `ObservedStore`."""
    store = _own_store(settings)
    moved_bytes = store.moved_bytes if isinstance(store, InfluxStore) else lambda: 0
    return ServedStore(ObservedStore(store, listeners), listeners, moved_bytes)


def _own_store(settings: Settings) -> EmbeddedStore | InfluxStore:
    if settings.influxdb_url is None:
        return EmbeddedStore(
            settings.data_dir / "store.duckdb",
            memory_mb=settings.embedded_memory_mb,
            threads=settings.embedded_threads,
            shard_ns=parse_duration(settings.embedded_shard, "EMBEDDED_SHARD"),
            clock=time.time_ns,
        )
    return _influx(settings, served_endpoint(settings))


def address_policy(settings: Settings) -> AddressPolicy:
    """Where an endpoint may lead, whoever wrote it. Its setting is named after mirrors, which had it first."""
    return AddressPolicy.PRIVATE_TOO if settings.mirror_private_addresses else AddressPolicy.PUBLIC_ONLY


def _influx(settings: Settings, endpoint: Endpoint) -> InfluxStore:
    """One with no url of its own is that of the operator's setting, which is trusted."""
    return InfluxStore(
        endpoint.url or settings.influxdb_url or "",
        endpoint.token,
        endpoint.org,
        connect_timeout_s=settings.influxdb_connect_timeout_s,
        silence_timeout_s=settings.influxdb_silence_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        packed=endpoint.url is not None and endpoint.is_remote,
        connector=ANYWHERE if endpoint.url is None else Connector(address_policy(settings)),
    )


def served_endpoint(settings: Settings) -> Endpoint:
    """The gateway's own store as an endpoint. Raises ConfigurationError."""
    if settings.influxdb_url is None:
        return Endpoint(None, "", "", EMBEDDED, is_remote=False)
    if settings.influxdb_token is None or settings.influxdb_org is None:
        raise ConfigurationError("INFLUXDB_URL is set, so INFLUXDB_TOKEN and INFLUXDB_ORG are needed too.")
    found = endpoint_at(settings.influxdb_url, settings.influxdb_org, settings.influxdb_token.get_secret_value())
    return replace(found, url=None)


def opener(settings: Settings, own: ServedStore) -> Opener:
    """Stores for the time of a run; the gateway's own is not closed.

    A mirror may name the gateway's own InfluxDB by its url, with another token: its changes are told, too.
    """
    own_identity = served_endpoint(settings).identity

    @contextmanager
    def open_store(endpoint: Endpoint) -> Iterator[OpenStore]:
        if endpoint.url is None:
            yield OpenStore(own.store, own.moved_bytes)
            return
        store = _influx(settings, endpoint)
        is_own = endpoint.identity == own_identity
        try:
            yield OpenStore(ObservedStore(store, own.listeners) if is_own else store, store.moved_bytes)
        finally:
            store.close()

    return open_store
