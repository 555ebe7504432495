"""Backups in a bucket of S3-compatible object storage, by the library obstore (the extra `s3`).

An object appears whole or not at all. What a killed upload leaves is invisible to lists; a lifecycle rule of the bucket
(abort incomplete multipart uploads) removes it. The bucket's default retention makes object lock: then uploads carry
checksums, which such buckets demand (`checksums`).
"""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.archive.destination import READ_BYTES, Sink, StoredFile
from service.archive.paths import segments_of, wrong_path
from service.errors import (
    ArchiveFileExists,
    ArchiveFileMissing,
    ArchiveUnavailable,
    ArchiveUnreachable,
    ConfigurationError,
    FluxgateError,
    InvalidParameter,
)

if TYPE_CHECKING:
    from obstore import WritableFile
    from obstore.store import S3Store

_PART_BYTES = 8 * 1024 * 1024
"""S3 takes at most 10,000 parts, so that a file may have 80 GB."""
_PARTS_AT_ONCE = 4
_RANGE_BYTES = 4 * READ_BYTES
_SMALLEST_TIMEOUT_S = 1.0
_STATUS = re.compile(r"Server returned non-2xx status code: (\d{3}) ")
"""How obstore 0.12 words an answer that is an error; the body follows."""
_NO_ANSWER = ("error sending request", "request or response body error", "timed out")
"""How obstore 0.12 words an answer that does not come, or breaks off."""
_STORAGE_FULL = 507


@dataclass(frozen=True)
class BucketAddress:
    """Where the bucket is, and who asks. Everything lies below `prefix`, which may be empty.

    `endpoint` absent: Amazon's own of `region`. `timeout_s` bounds one request, which carries at most 8 MiB, and three
    times as long a request with its repetitions. `checksums`: send a SHA-256 with every upload.
    """

    bucket: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    endpoint: str | None = None
    prefix: str = ""
    timeout_s: float = 60.0
    checksums: bool = False

    def __post_init__(self) -> None:
        if self.prefix and wrong_path(self.prefix) is not None:
            raise InvalidParameter("prefix", f"The prefix {self.prefix!r} is no path: {wrong_path(self.prefix)}.")
        if self.timeout_s < _SMALLEST_TIMEOUT_S:
            raise InvalidParameter("timeout_s", f"A timeout has at least {_SMALLEST_TIMEOUT_S:g} s.")


class ObjectStorage:
    """A `Destination` in a bucket. Raises ConfigurationError when obstore is not installed."""

    def __init__(self, address: BucketAddress) -> None:
        self._address = address
        self._store = _opened(address)

    @property
    def name(self) -> str:
        return f"s3://{self._address.bucket}/{self._address.prefix}".rstrip("/")

    @contextmanager
    def create(self, path: str) -> Iterator[Sink]:
        import obstore

        segments_of(path)
        with self._translated("Writing", path):
            upload = obstore.open_writer(self._store, path, buffer_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        sink = _UploadSink(upload, self, path)
        try:
            yield sink
        except Exception:
            if sink.failure is not None:
                raise sink.failure from None
            raise
        finally:
            sink.closed = True
        if sink.failure is not None:
            raise sink.failure
        with self._translated("Writing", path):
            upload.close()  # an upload that is not closed never becomes an object

    def write_new(self, path: str, content: bytes) -> None:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        segments_of(path)
        with self._translated("Writing", path):
            try:
                obstore.put(self._store, path, content, mode="create")
            except AlreadyExistsError:
                message = f"{self.name}/{path} is there already, and it may not be replaced. Does another backup run?"
                raise ArchiveFileExists(message) from None

    def read(self, path: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        import obstore

        segments_of(path)
        if stop is not None and stop <= start:
            self._demand(path)
            return
        with self._translated("Reading", path):
            size = self._demand(path)
            if start >= size:
                return
            last = size if stop is None else min(stop, size)
            for position in range(start, last, _RANGE_BYTES):  # so that no request lasts as long as a whole file
                until = min(position + _RANGE_BYTES, last)
                yield bytes(obstore.get_range(self._store, path, start=position, end=until))

    def size(self, path: str) -> int | None:
        import obstore

        segments_of(path)
        with self._translated("Looking at", path), suppress(FileNotFoundError):
            return int(obstore.head(self._store, path)["size"])
        return None

    def files(self, folder: str) -> Iterator[StoredFile]:
        import obstore

        segments_of(folder)
        with self._translated("Listing", folder):
            for batch in obstore.list(self._store, prefix=folder):
                for entry in batch:
                    yield StoredFile(str(entry["path"]), int(entry["size"]))

    def folders(self) -> list[str]:
        import obstore

        with self._translated("Listing", ""):
            return sorted(str(prefix) for prefix in obstore.list_with_delimiter(self._store)["common_prefixes"])

    def delete(self, path: str) -> None:
        import obstore

        segments_of(path)
        with self._translated("Deleting", path), suppress(FileNotFoundError):
            obstore.delete(self._store, path)

    def link(self, source: str, path: str) -> bool:
        segments_of(path)
        self._demand(source)
        return False

    def clear_unfinished(self, folder: str) -> int:
        segments_of(folder)
        return 0

    def delete_folder(self, folder: str) -> int:
        removed = 0
        for file in list(self.files(folder)):
            self.delete(file.path)
            removed += 1
        return removed

    def close(self) -> None:
        """Connections close by themselves when they are idle."""

    def _demand(self, path: str) -> int:
        size = self.size(path)
        if size is None:
            raise ArchiveFileMissing(f"There is no file {self.name}/{path}.")
        return size

    @contextmanager
    def _translated(self, attempt: str, path: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        where = f"{self.name}/{path}".rstrip("/")
        try:
            yield
        except FluxgateError:
            raise
        except FileNotFoundError as failure:
            if attempt == "Reading":
                raise ArchiveFileMissing(f"There is no file {where}.") from None
            if "NoSuchBucket" not in str(failure):
                raise
            raise self._unavailable(attempt, where, failure) from failure
        except (BaseError, OSError) as failure:
            raise self._unavailable(attempt, where, failure) from failure

    def _unavailable(self, attempt: str, where: str, failure: Exception) -> ArchiveUnavailable:
        words = str(failure).partition("\n\nDebug source")[0]
        kind, finding = _judged(words, self._address.bucket)
        return kind(f"{attempt} {where} failed: {finding}.", upstream=words)


def _judged(words: str, bucket: str) -> tuple[type[ArchiveUnavailable], str]:
    """The error that obstore's `words` make, and its finding. An outage alone is ArchiveUnreachable."""
    answer = _STATUS.search(words)
    status = int(answer[1]) if answer else None
    if status == 404 and "NoSuchBucket" in words:
        return ArchiveUnavailable, f"there is no bucket {bucket!r}. Make it, or name another"
    if status in (401, 403):
        return ArchiveUnavailable, "the storage refuses the key. Check the access key and its rights"
    if status == _STORAGE_FULL:
        return ArchiveUnavailable, "the storage is full. Free space there"
    if status is not None and (status == 429 or status >= 500):
        return ArchiveUnreachable, f"the storage answers {status}, as in an outage. Try again later"
    if status is None and any(sign in words for sign in _NO_ANSWER):
        return ArchiveUnreachable, "no answer. Check the endpoint and the network, and try again"
    return ArchiveUnavailable, "the storage answered an error. Its words are in the log"


class _UploadSink:
    """Takes bytes for an upload. What the storage refuses is kept in `failure` too."""

    def __init__(self, upload: "WritableFile", storage: ObjectStorage, path: str) -> None:
        self.size = 0
        self.closed = False
        self.failure: FluxgateError | None = None
        self._upload = upload
        self._storage = storage
        self._path = path

    def write(self, data: bytes | memoryview, /) -> int:
        try:
            with self._storage._translated("Writing", self._path):
                self._upload.write(bytes(data))
        except FluxgateError as failure:
            self.failure = failure
            raise
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Parts go when they are full."""


def _opened(address: BucketAddress) -> "S3Store":
    try:
        from obstore.store import S3Store
    except ImportError:
        raise ConfigurationError(
            "Object storage needs the package obstore: pip install 'fluxgate-gateway[s3]'."
        ) from None
    plain = address.endpoint is not None and address.endpoint.startswith("http://")
    options: dict[str, Any] = {"endpoint": address.endpoint} if address.endpoint else {}
    if address.checksums:
        options["checksum_algorithm"] = "SHA256"
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        region=address.region,
        access_key_id=address.access_key_id,
        secret_access_key=address.secret_access_key,
        client_options={"allow_http": plain, "timeout": f"{address.timeout_s:g}s"},
        retry_config={"max_retries": 5, "retry_timeout": dt.timedelta(seconds=3 * address.timeout_s)},
        **options,
    )
