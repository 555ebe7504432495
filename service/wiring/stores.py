"""Opens stores: the store that the gateway serves, and the stores of jobs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from service.domain.addresses import AddressPolicy
from service.domain.durations import parse_duration
from service.domain.endpoint import EMBEDDED, Endpoint, endpoint_at
from service.errors import ConfigurationError
from service.settings import Settings
from service.sockets import ANYWHERE, Connector
from service.stores.embedded.store import EmbeddedStore
from service.stores.influx.physical import PhysicalBackups, PhysicalOpener
from service.stores.influx.store import InfluxStore
from service.stores.influx.transport import Transport
from service.stores.observed import ChangeListener, ObservedStore
from service.stores.opener import Opener, OpenStore
from service.stores.protocol import Store


@dataclass(frozen=True)
class ServedStore:
    """The store that the gateway serves, and the listeners to its changes.

    `moved_bytes` gives the number of bytes sent and received so far.
    """

    store: ObservedStore
    listeners: Sequence[ChangeListener]
    moved_bytes: Callable[[], int]


def open_served_store(settings: Settings, listeners: Sequence[ChangeListener]) -> ServedStore:
    """Open the store that the gateway serves. It is only handed out inside its `ObservedStore`."""
    store = _served_store(settings)
    moved_bytes = store.moved_bytes if isinstance(store, InfluxStore) else lambda: 0
    return ServedStore(ObservedStore(store, listeners), listeners, moved_bytes)


def _served_store(settings: Settings) -> EmbeddedStore | InfluxStore:
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
    """The addresses that a configured endpoint may have. The setting's name says mirrors, but it is for all jobs."""
    return AddressPolicy.PRIVATE_TOO if settings.mirror_private_addresses else AddressPolicy.PUBLIC_ONLY


def _influx(settings: Settings, endpoint: Endpoint) -> InfluxStore:
    """An InfluxDB. An endpoint without a url means INFLUXDB_URL, which the operator wrote, so it is trusted."""
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
    """The endpoint of the served store. Raises ConfigurationError."""
    if settings.influxdb_url is None:
        return Endpoint(None, "", "", EMBEDDED, is_remote=False)
    if settings.influxdb_token is None or settings.influxdb_org is None:
        raise ConfigurationError("INFLUXDB_URL is set, so INFLUXDB_TOKEN and INFLUXDB_ORG are needed too.")
    endpoint = endpoint_at(settings.influxdb_url, settings.influxdb_org, settings.influxdb_token.get_secret_value())
    return replace(endpoint, url=None)


def opener(settings: Settings, served: ServedStore) -> Opener:
    """A function that opens stores for the time of a run. The served store stays open after it.

    An endpoint may name the served InfluxDB by its url, with another token. Its changes reach the listeners too.
    """
    served_identity = served_endpoint(settings).identity

    @contextmanager
    def open_store(endpoint: Endpoint) -> Iterator[OpenStore]:
        if endpoint.url is None:
            yield OpenStore(served.store, served.moved_bytes)
            return
        store = _influx(settings, endpoint)
        is_served = endpoint.identity == served_identity
        try:
            yield OpenStore(ObservedStore(store, served.listeners) if is_served else store, store.moved_bytes)
        finally:
            store.close()

    return open_store


def physical_opener(settings: Settings) -> PhysicalOpener | None:
    """Opens the files of the gateway's own InfluxDB; None: it is the embedded store, or no operator token is set."""
    url, token, org = settings.influxdb_url, settings.influxdb_operator_token, settings.influxdb_org
    if url is None or token is None or org is None:
        return None

    @contextmanager
    def open_physical(other_token: str | None) -> Iterator[PhysicalBackups]:
        transport = Transport(
            url,
            other_token or token.get_secret_value(),
            org,
            connect_timeout_s=settings.influxdb_connect_timeout_s,
            silence_timeout_s=settings.influxdb_silence_timeout_s,
        )
        client = PhysicalBackups(transport)
        try:
            yield client
        finally:
            client.close()

    return open_physical


@contextmanager
def scratch_store(settings: Settings, file: Path) -> Iterator[Store]:
    """An embedded store on a file of its own, for a short time: nobody else sees it."""
    store = EmbeddedStore(
        file,
        memory_mb=settings.embedded_memory_mb,
        threads=settings.embedded_threads,
        shard_ns=parse_duration(settings.embedded_shard, "EMBEDDED_SHARD"),
        clock=time.time_ns,
    )
    try:
        yield store
    finally:
        store.close()
