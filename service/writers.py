"""Opens a store for a `Writer`, in a program that has no gateway in between.

from fluxgate_client import Writer
from service.writers import open_embedded

with open_embedded("data") as target, Writer(target, bucket="Lab") as writer:
    writer.write(…)

The embedded store belongs to one process: no gateway runs on the same folder. With InfluxDB, a running gateway does not
know of these writes, and may give answers from its cache for some seconds more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.settings import Settings, load_settings
from service.transfer.store_target import StoreTarget
from service.wiring.stores import open_served_store


@contextmanager
def open_configured() -> Iterator[StoreTarget]:
    """The store that the environment and `.env` configure, as the gateway serves it. Raises ConfigurationError."""
    with _opened(load_settings()) as target:
        yield target


@contextmanager
def open_embedded(data_dir: str | Path) -> Iterator[StoreTarget]:
    """The embedded store in the folder that DATA_DIR names for a gateway."""
    with _opened(_settings(data_dir=Path(data_dir), influxdb_url=None)) as target:
        yield target


@contextmanager
def open_influxdb(url: str, token: str, org: str) -> Iterator[StoreTarget]:
    """An InfluxDB 2 or Cloud."""
    with _opened(_settings(influxdb_url=url, influxdb_token=token, influxdb_org=org)) as target:
        yield target


def _settings(**members: Any) -> Settings:  # noqa: ANN401  (values of any setting)
    return Settings(_env_file=None, **members)  # type: ignore[call-arg]


@contextmanager
def _opened(settings: Settings) -> Iterator[StoreTarget]:
    store = open_served_store(settings, []).store
    try:
        yield StoreTarget(store)
    finally:
        store.close()
