"""The buckets of BUCKETS_FILE at the start of a gateway: those that are absent are made, the others are left alone.

A wrong file stops the start. A store that is away does not: the buckets are made as soon as it answers.
"""

import threading
from collections.abc import Sequence

import structlog

from service.config.bucket_file import read_bucket_file
from service.domain.bucket_specs import differences
from service.domain.schema import BucketSpec
from service.errors import ConfigurationError, InvalidParameter, RetryLater, StoreError
from service.settings import Settings
from service.stores.protocol import Store

_log = structlog.get_logger(__name__)
_RETRY_S = 10.0


def configured_buckets(settings: Settings) -> list[BucketSpec]:
    """The buckets of BUCKETS_FILE; none without the setting. Raises ConfigurationError."""
    file = settings.buckets_file
    if file is None:
        return []
    if not file.is_file():
        raise ConfigurationError(f"BUCKETS_FILE names {file}, and there is no such file. Make it, or unset it.")
    return read_bucket_file(file)


def apply_buckets(store: Store, specs: Sequence[BucketSpec]) -> None:
    """Make what is absent, and log every bucket with how it differs. An existing bucket is never changed.

    Raises ConfigurationError for a bucket that the store cannot have; StoreError and RetryLater when it is away.
    """
    for spec in specs:
        try:
            is_new = store.create_bucket(spec)
        except InvalidParameter as wrong:
            raise ConfigurationError(f"BUCKETS_FILE: the bucket {spec.name!r}: {wrong.message}") from None
        if is_new:
            _log.info("bucket of BUCKETS_FILE created", bucket=spec.name)
            continue
        changes = differences(spec, store.bucket(spec.name))
        if changes:
            change = "fluxgate buckets apply --update changes it"
            _log.warning("bucket of BUCKETS_FILE differs", bucket=spec.name, differences=changes, hint=change)
        else:
            _log.info("bucket of BUCKETS_FILE exists", bucket=spec.name)


class BucketStart:
    """Applies the buckets once at `start`, and if the store is away again every `retry_s` seconds, until `stop`."""

    def __init__(self, store: Store, specs: Sequence[BucketSpec], retry_s: float = _RETRY_S) -> None:
        self._store = store
        self._specs = specs
        self._retry_s = retry_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="buckets-file", daemon=True)

    def start(self) -> None:
        """Raises ConfigurationError for a bucket that the store cannot have."""
        if self._specs and not self._applied():
            self._thread.start()

    def stop(self) -> None:
        """Returns when no call of the store is under way any more, or after ten seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_RETRY_S)

    def _run(self) -> None:
        while not self._stopped.wait(self._retry_s):
            try:
                if self._applied():
                    return
            except ConfigurationError as wrong:
                _log.error("a bucket of BUCKETS_FILE cannot be made", reason=wrong.message)
                return

    def _applied(self) -> bool:
        try:
            apply_buckets(self._store, self._specs)
        except (RetryLater, StoreError) as away:
            _log.warning("buckets of BUCKETS_FILE wait for the store", reason=away.message, again_in_s=self._retry_s)
            return False
        return True
