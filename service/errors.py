"""Every error that Fluxgate raises on purpose, and who has to act on it.

    FluxgateError
    |-- CallerError            the request is wrong: change it
    |   |-- InvalidParameter       a value cannot be read; says what is allowed
    |   |-- InvalidBody            a body cannot be read at all (not JSON, broken gzip)
    |   |-- UnknownBucket          no such bucket; names near ones
    |   |-- NotFound           no such job, section, key
    |   |-- NotAcceptable          no offered format fits Accept
    |   |-- BodyTooLarge           more bytes than the limit, packed or unpacked
    |   |-- BodyTimeout            a body that does not come
    |   |-- TooManyWindows         the read would make more windows than the limit
    |   |-- PointsRefused          lines that do not parse, or that the store refused
    |   |-- VersionConflict        configuration changed since it was read
    |   |-- ClientDisconnected     the client left: nobody sees the answer
    |   |-- Unauthorized           no key, or none that is valid
    |   |-- Forbidden              a valid key without the scope or bucket
    |   `-- TooManyFailedTries     wrong keys too often from one address
    |-- RetryLater             nothing is wrong but the moment: wait and ask again
    |   |-- TooManyReads           every read slot is taken
    |   |-- TooManyWrites          every write slot is taken
    |   |-- WriteTimeout           a write took too long and was ended
    |   |-- StoreBusy              the store asked to wait (429, queue full)
    |   |-- ClientStalled                a client reads nothing while others wait for the same answer
    |   |-- DependencyBusy         every thread that asks a dependency waits for it
    |   `-- NotReady               starting or stopping
    |-- StoreError             the store did not do its part: the operator acts
    |   |-- StoreUnavailable       no connection
    |   |-- StoreTimeout           no answer in time
    |   |-- StoreDenied            the store refuses our token
    |   |-- StoreCancelled         this side ended the call; nobody waits for it
    |   |-- StoreFailed            the store answered an error
    |   |   |-- StoreLimit             it was too much at once
    |   |   |-- LineEndLost            a tag holds a line end, which Flux does not carry
    |   |   `-- WrongMapping           InfluxQL finds another bucket under this name
    |   |-- StoreBroken            an answer that stops early or makes no sense
    |   |   `-- EndMarkMissing             an answer without its end mark
    |   |-- MirrorConflict         a field has another type on the mirror's target
    |   `-- MirrorIncomplete       the target acknowledged points that it does not have
    |-- ArchiveError           where backups lie, or what lies there: the operator acts
    |   |-- ArchiveUnavailable     it cannot be reached, refuses, or is full
    |   |-- ArchiveFileMissing     a file is not there
    |   |-- ArchiveFileExists      a file is there that may not be
    |   |-- ArchiveKeyRefused      the passphrase or key is missing, or opens nothing
    |   `-- BackupDamaged          what lies there is not what the manifest says
    |-- AddressRefused         an address that may not be connected to: whoever named it acts
    `-- ConfigurationError     the process cannot run like this: the operator acts

Each carries a stable `code`; `service.api.problems` gives it a status. Messages say what was
attempted, what was found and what to do; they never hold secrets, nor what another server wrote:
that is `upstream`, which keys with `admin` and the log alone see.

An error carries data, and `message` makes the text of it when somebody reads it. Who knows more than the code that
raised it (which endpoint of a mirror the store is, how many lines were stored) adds that as data; nobody changes text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

LONGEST_UPSTREAM = 500


def printable_line(text: str) -> str:
    """A text of another server as one short line, without what moves a cursor or hides or turns letters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: LONGEST_UPSTREAM * 16])
    return " ".join(shown.split())[:LONGEST_UPSTREAM]


@dataclass(frozen=True)
class Subject:
    """The store that an error is about, and what people call the members of its configuration.

    `name` begins the message; empty for the store that the gateway serves. `rights`: what its token has to allow.
    """

    name: str = ""
    url: str = "INFLUXDB_URL"
    token: str = "INFLUXDB_TOKEN"  # noqa: S105  (the name of a setting, no secret)
    org: str = "INFLUXDB_ORG"
    rights: str = "read and write the buckets served"


SERVED_STORE = Subject()


@dataclass(frozen=True)
class WriteProgress:
    """How far a write came that broke off. Of `lines` lines, `stored` are known to be stored."""

    stored: int
    lines: int

    def __str__(self) -> str:
        return f"{self.stored} of {self.lines} lines are known to be stored; sending all of them again is safe."


class FluxgateError(Exception):
    """Root of the tree. `code` is stable and documented in docs/errors.md.

    `finding`: what was attempted and found. `advice`: what to do, a format whose fields are members of `Subject`.
    `upstream`: what the other server wrote, if one did. `subject`: the store it is about; None for the store served.
    `extra`: further members of the problem document, JSON-ready.
    """

    code = "error"
    advice = ""
    retryable = False
    """Whether a job that failed with it is worth another try with nothing changed."""

    def __init__(self, finding: str, *, upstream: str = "", **extra: object) -> None:
        super().__init__(finding)
        self.finding = finding
        self.upstream = printable_line(upstream)
        self.extra: Mapping[str, object] = extra
        self.subject: Subject | None = None
        self.progress: WriteProgress | None = None

    @property
    def message(self) -> str:
        """The whole text for people: which store, what was found, what to do, what is stored."""
        subject = self.subject or SERVED_STORE
        sentences = [self.finding, self.advice.format_map(asdict(subject)), str(self.progress or "")]
        text = " ".join(filter(None, sentences))
        return f"{subject.name}: {text}" if subject.name else text

    def __str__(self) -> str:
        return self.message


class CallerError(FluxgateError):
    code = "bad_request"


class InvalidParameter(CallerError):
    """`value`, where given, stands before the finding as `parameter='value'`."""

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
        shown = finding if value is None else f"{parameter}={value!r} {finding}"
        super().__init__(shown, upstream=upstream, parameter=parameter, **extra)
        self.parameter = parameter
        self._value, self._finding = value, finding

    def renamed(self, parameter: str) -> "InvalidParameter":
        """The same about a value that its caller knows as `parameter`."""
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


class TooManyWindows(CallerError):
    code = "too_many_windows"


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
    """Carries `retry_after_s`, the seconds after which a new try makes sense."""

    code = "retry_later"
    retryable = True

    def __init__(self, message: str, retry_after_s: float = 1.0, *, upstream: str = "", **extra: object) -> None:
        super().__init__(message, upstream=upstream, **extra)
        self.retry_after_s = retry_after_s


class TooManyReads(RetryLater):
    code = "too_many_reads"


class TooManyWrites(RetryLater):
    code = "too_many_writes"


class WriteTimeout(RetryLater):
    code = "write_timeout"


class StoreBusy(RetryLater):
    code = "store_busy"


class ClientStalled(RetryLater):
    """A client read nothing for so long that others would have had to wait for it."""

    code = "client_stalled"


class DependencyBusy(RetryLater):
    """`dependency` in the document says which one hangs, or has too much to do."""

    code = "dependency_busy"


class NotReady(RetryLater):
    """The service starts or stops, or its state database is away."""

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
    """Half as much at a time may work."""

    code = "store_limit"


class LineEndLost(StoreFailed):
    """Two series may look like one."""

    def __init__(self) -> None:
        lost = "The value of a tag holds a line break, which Flux does not carry exactly"
        super().__init__(f"{lost}: read this measurement raw (every=raw).")


class WrongMapping(StoreFailed):
    """Rows would be those of the other bucket."""


class StoreBroken(StoreError):
    code = "store_broken"


class EndMarkMissing(StoreBroken):
    """The connection ended in good order, but rows may be missing: the store may know why."""


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


class ArchiveFileMissing(ArchiveError):
    code = "archive_file_missing"


class ArchiveFileExists(ArchiveError):
    code = "archive_file_exists"


class ArchiveKeyRefused(ArchiveError):
    code = "archive_key_refused"


class BackupDamaged(ArchiveError):
    """`file` is its path in the destination, `reason` what is wrong with it."""

    code = "backup_damaged"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} is damaged: {reason}.", file=file, reason=reason)
        self.file = file
        self.reason = reason


class AddressRefused(FluxgateError):
    code = "address_refused"


class ConfigurationError(FluxgateError):
    code = "configuration"


BUCKET_ERRORS = (InvalidParameter, StoreFailed)
"""What a store raises for what is odd in one bucket: no reason to leave the others unread."""
