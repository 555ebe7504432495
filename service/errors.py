"""Every error that Fluxgate raises on purpose, and who has to act on it.

    FluxgateError
    |-- CallerError            the request is wrong: the caller changes it
    |   |-- InvalidParameter       a value cannot be read; the message says what is allowed
    |   |-- InvalidBody            a body cannot be read at all (not JSON, broken gzip)
    |   |-- UnknownBucket          there is no such bucket; the message names similar ones
    |   |-- NotFound               there is no such job, section or key
    |   |-- NotAcceptable          no offered format fits Accept
    |   |-- BodyTooLarge           the body has more bytes than the limit, packed or unpacked
    |   |-- BodyTimeout            the body does not arrive in time
    |   |-- TooManyWindows         the read would make more windows than the limit
    |   |-- TableTooLarge          shape=table would have more columns or cells than the limit
    |   |-- SheetTooSmall          the answer does not fit the sheet of a spreadsheet
    |   |-- UnwritablePoint        line protocol cannot hold a point of the answer
    |   |-- FileRefused            a file that is imported cannot be read, or not as it was said
    |   |-- PointsRefused          lines do not parse, or the store refused them
    |   |-- VersionConflict        the configuration changed since it was read
    |   |-- ClientDisconnected     the client disconnected: nobody sees the answer
    |   |-- Unauthorized           there is no key, or no valid one
    |   |-- Forbidden              the key is valid, but lacks the scope or the bucket
    |   `-- TooManyFailedTries     too many wrong keys came from one address
    |-- RetryLater             the request is right, the moment is not: the caller waits and asks again
    |   |-- TooManyReads           every read slot is taken
    |   |-- TooManyWrites          every write slot is taken
    |   |-- TooManyListeners       too many streams of telemetry are open
    |   |-- WriteTimeout           a write took too long and was ended
    |   |-- StoreBusy              the store asked to wait (429, queue full)
    |   |-- ClientStalled          a client reads nothing while others wait for the same answer
    |   |-- DependencyBusy         every thread that asks a dependency waits for it
    |   `-- NotReady               the service starts or stops
    |-- StoreError             the store failed: the operator acts
    |   |-- StoreUnavailable       there is no connection
    |   |-- StoreTimeout           there is no answer in time
    |   |-- StoreDenied            the store refuses the token
    |   |-- StoreCancelled         the gateway ended the call; nobody waits for it
    |   |-- StoreFailed            the store answered with an error
    |   |   |-- StoreLimit             the request was too large for the store
    |   |   |-- QueryRefused           the store does not take the question, and never will
    |   |   |-- UnreadableText         a name or text is no UTF-8
    |   |   |-- LineEndLost            a tag holds a line break, which Flux does not carry
    |   |   |-- WrongMapping           InfluxQL finds another bucket under this name
    |   |   `-- NotOffered             the server has no such thing, and will not have it later
    |   |-- StoreBroken            an answer stops early or makes no sense
    |   |   |-- EndMarkMissing         an answer has no end mark
    |   |   `-- ShardRefused           the files of one shard are not handed out
    |   |-- MirrorConflict         a field has another type on the mirror's target
    |   `-- MirrorIncomplete       the target acknowledged points that it does not have
    |-- ArchiveError           the place of the backups, or a file there, is wrong: the operator acts
    |   |-- ArchiveUnavailable     the place cannot be reached, refuses, or is full
    |   |   `-- ArchiveUnreachable     there is no answer, or one that says to try again later
    |   |-- ArchiveFileMissing     a file does not exist
    |   |-- ArchiveFileExists      a file exists that must not
    |   |-- ArchiveKeyRefused      the passphrase or key is missing, or does not fit
    |   `-- BackupDamaged          a file differs from what the manifest says
    |-- UpstreamError          the API that a connector posts to does not take it: the operator acts
    |   |-- UpstreamUnavailable    it does not answer, or says to try again later
    |   `-- UpstreamStopped        it refuses in a way that only a human can mend (401, 403, a wrong route)
    |-- AddressRefused         an address must not be connected to: whoever configured it acts
    `-- ConfigurationError     the process cannot run with these settings: the operator acts

Each error carries a stable `code`; `service.api.problems` gives it a status. A message says what was attempted,
what was found and what to do. It never holds secrets or the text of another server. That text is `upstream`;
only the log and keys with `admin` see it.

An error carries data, and `message` makes the text when somebody reads it. Code that knows more than the code that
raised the error adds it as data (which endpoint of a mirror, how many lines were stored). No code changes the text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

LONGEST_UPSTREAM = 500


def printable_line(text: str) -> str:
    """Make one short line of another server's text: unprintable characters become spaces, at most 500 are kept."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: LONGEST_UPSTREAM * 16])
    return " ".join(printable.split())[:LONGEST_UPSTREAM]


@dataclass(frozen=True)
class Subject:
    """The store that an error is about, with the names of the settings that configure it.

    `name` begins the message; it is empty for the served store. `rights` says what the token has to allow.
    """

    name: str = ""
    url: str = "INFLUXDB_URL"
    token: str = "INFLUXDB_TOKEN"  # noqa: S105  (the name of a setting, no secret)
    org: str = "INFLUXDB_ORG"
    rights: str = "read and write the buckets served"


SERVED_STORE = Subject()


@dataclass(frozen=True)
class WriteProgress:
    """How far a write came before it failed: `stored` of `lines` lines are known to be stored."""

    stored: int
    lines: int

    def __str__(self) -> str:
        return f"{self.stored} of {self.lines} lines are known to be stored; sending all of them again is safe."


class FluxgateError(Exception):
    """The root of the tree. `code` is stable, and docs/errors.md documents it.

    `finding` says what was attempted and found. `advice` says what to do; it is a format string with the members of
    `Subject` as fields. `upstream` is the text of the other server, if there is one. `subject` is the store that the
    error is about; None means the served store. `extra` has further members of the problem document, ready for JSON.
    """

    code = "error"
    advice = ""
    retryable = False
    """Whether a job that failed with this error may succeed when it is tried again unchanged."""

    def __init__(self, finding: str, *, upstream: str = "", **extra: object) -> None:
        super().__init__(finding)
        self.finding = finding
        self.upstream = printable_line(upstream)
        self.extra: Mapping[str, object] = extra
        self.subject: Subject | None = None
        self.progress: WriteProgress | None = None

    @property
    def message(self) -> str:
        """The whole text: the store, the finding, the advice and the progress of the write."""
        subject = self.subject or SERVED_STORE
        sentences = [self.finding, self.advice.format_map(asdict(subject)), str(self.progress or "")]
        text = " ".join(filter(None, sentences))
        return f"{subject.name}: {text}" if subject.name else text

    def __str__(self) -> str:
        return self.message


class CallerError(FluxgateError):
    code = "bad_request"


class InvalidParameter(CallerError):
    """A parameter with a wrong value. When `value` is given, the message begins with `parameter='value'`."""

    code = "invalid_parameter"

    def __init__(
        self,
        parameter: str,
        finding: str,
        *,
        value: str | None = None,
        upstream: str = "",
        **extra: object,
    ) -> None:
        text = finding if value is None else f"{parameter}={value!r} {finding}"
        super().__init__(text, upstream=upstream, parameter=parameter, **extra)
        self.parameter = parameter
        self._value, self._finding = value, finding

    def renamed(self, parameter: str) -> "InvalidParameter":
        """The same error under the name that the caller knows the value by."""
        extra = {name: member for name, member in self.extra.items() if name != "parameter"}
        return InvalidParameter(parameter, self._finding, value=self._value, upstream=self.upstream, **extra)


class InvalidBody(CallerError):
    code = "invalid_body"


class UnknownBucket(CallerError):
    code = "unknown_bucket"

    def __init__(self, bucket: str, near: Sequence[str] = (), message: str | None = None) -> None:
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else " GET /buckets lists those your key may see."
        super().__init__(message or f"There is no bucket {bucket!r}.{hint}", bucket=bucket, near=list(near))
        self.bucket = bucket
        self.near = tuple(near)


class NotFound(CallerError):
    code = "not_found"


class NotAcceptable(CallerError):
    code = "not_acceptable"


class BodyTooLarge(CallerError):
    code = "body_too_large"


class BodyTimeout(CallerError):
    code = "body_timeout"


class FileRefused(CallerError):
    """A file of points that cannot be read. The message names the place, as exactly as it is known."""

    code = "file_refused"


class UnwritablePoint(CallerError):
    code = "unwritable_point"


class TooManyWindows(CallerError):
    code = "too_many_windows"


class TableTooLarge(CallerError):
    code = "table_too_large"


class SheetTooSmall(CallerError):
    code = "sheet_too_small"
    advice = "Read a shorter range or longer windows, set limit=, or take format=csv or parquet."


class PointsRefused(CallerError):
    code = "points_refused"


class VersionConflict(CallerError):
    code = "version_conflict"


class ClientDisconnected(CallerError):
    code = "client_disconnected"


class Unauthorized(CallerError):
    code = "unauthorized"


class Forbidden(CallerError):
    code = "forbidden"


class RetryLater(FluxgateError):
    """An error of the moment. `retry_after_s` says after how many seconds a new try makes sense."""

    code = "retry_later"
    retryable = True

    def __init__(self, message: str, retry_after_s: float = 1.0, *, upstream: str = "", **extra: object) -> None:
        super().__init__(message, upstream=upstream, **extra)
        self.retry_after_s = retry_after_s


class TooManyReads(RetryLater):
    code = "too_many_reads"


class TooManyWrites(RetryLater):
    code = "too_many_writes"


class TooManyListeners(RetryLater):
    code = "too_many_listeners"


class WriteTimeout(RetryLater):
    code = "write_timeout"


class StoreBusy(RetryLater):
    code = "store_busy"


class ClientStalled(RetryLater):
    """A client read nothing for so long that other clients would have waited for it."""

    code = "client_stalled"


class DependencyBusy(RetryLater):
    """All threads of a dependency are taken. `dependency` in the problem document names it."""

    code = "dependency_busy"


class NotReady(RetryLater):
    """The service starts or stops, or its state database cannot be reached."""

    code = "not_ready"


class TooManyFailedTries(CallerError):
    code = "too_many_failed_tries"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(FluxgateError):
    code = "store_error"
    retryable = True

    def __init__(self, finding: str, *, advice: str = "", upstream: str = "", **extra: object) -> None:
        super().__init__(finding, upstream=upstream, **extra)
        self.advice = advice


class StoreUnavailable(StoreError):
    code = "store_unavailable"


class StoreTimeout(StoreError):
    code = "store_timeout"


class StoreDenied(StoreError):
    code = "store_denied"
    retryable = False


class StoreCancelled(StoreError):
    code = "cancelled"


class StoreFailed(StoreError):
    code = "store_failed"


class StoreLimit(StoreFailed):
    """The request was too large for the store; half of it may work."""

    code = "store_limit"


class QueryRefused(StoreFailed):
    """The same question gets the same answer."""

    retryable = False


class UnreadableText(StoreFailed):
    """InfluxDB stores any bytes as a name or text, and no answer can carry what is no Unicode.

    `measurement`: the one that it was found in, by the name that the schema has.
    """

    code = "unreadable_text"
    retryable = False

    def __init__(self, finding: str, *, measurement: str | None = None, upstream: str = "") -> None:
        super().__init__(
            finding,
            advice="Select other measurements, fields or tags, or write these points anew under another name.",
            upstream=upstream,
        )
        self.measurement = measurement


class LineEndLost(StoreFailed):
    """The store cannot name a series exactly, so two series would look like one."""

    retryable = False

    def __init__(self) -> None:
        lost = "The value of a tag holds a line break, which Flux does not carry exactly"
        super().__init__(f"{lost}: read this measurement raw (every=raw).")


class WrongMapping(StoreFailed):
    """A mapping leads InfluxQL to another bucket, so a read would return its rows until the mapping changes."""

    retryable = False


class NotOffered(StoreFailed):
    """The server lacks a function that another version or kind of server may have."""

    retryable = False


class StoreBroken(StoreError):
    code = "store_broken"


class EndMarkMissing(StoreBroken):
    """The connection was closed properly, but rows may be missing. The store's log may say why."""


class ShardRefused(StoreBroken):
    """The server may hand out all others."""


class MirrorConflict(StoreError):
    code = "mirror_conflict"
    retryable = False

    def __init__(self, reason: str, bucket: str) -> None:
        super().__init__(
            f"The bucket {bucket!r} of the target does not take a value: {reason}"
            " Repair the target, or set the mirror's on_conflict to skip or as_string.",
            bucket=bucket,
        )


class MirrorIncomplete(StoreError):
    code = "mirror_incomplete"


class ArchiveError(FluxgateError):
    code = "archive_error"


class ArchiveUnavailable(ArchiveError):
    code = "archive_unavailable"


class ArchiveUnreachable(ArchiveUnavailable):
    """An outage of the place. A job that meets it is tried again."""

    retryable = True


class ArchiveFileMissing(ArchiveError):
    code = "archive_file_missing"


class ArchiveFileExists(ArchiveError):
    code = "archive_file_exists"


class ArchiveKeyRefused(ArchiveError):
    code = "archive_key_refused"


class BackupDamaged(ArchiveError):
    """A file of a backup is not what its manifest says. `file` is its path in the destination."""

    code = "backup_damaged"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} is damaged: {reason}.", file=file, reason=reason)
        self.file = file
        self.reason = reason


class UpstreamError(FluxgateError):
    """`upstream` holds the beginning of the answer."""

    code = "upstream_error"
    retryable = True


class UpstreamUnavailable(UpstreamError):
    """`retry_after_s`: how long the upstream asks to wait; None: it does not say."""

    code = "upstream_unavailable"

    def __init__(self, finding: str, *, retry_after_s: float | None = None, upstream: str = "") -> None:
        super().__init__(finding, upstream=upstream)
        self.retry_after_s = retry_after_s


class UpstreamStopped(UpstreamError):
    """Nothing is tried again by itself."""

    code = "upstream_stopped"
    retryable = False


class AddressRefused(FluxgateError):
    code = "address_refused"


class ConfigurationError(FluxgateError):
    code = "configuration"


BUCKET_ERRORS = (InvalidParameter, StoreFailed)
"""Errors that concern one bucket. The other buckets can still be read."""
