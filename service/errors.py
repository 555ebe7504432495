"""Every error that Fluxgate raises on purpose, and who has to act on it.

    FluxgateError
    |-- CallerError            the request is wrong: change it
    |   |-- InvalidParameter       a value cannot be read; says what is allowed
    |   |-- InvalidBody            a body cannot be read at all (not JSON, broken gzip)
    |   |-- UnknownBucket          no such bucket; names near ones
    |   |-- UnknownThing           no such job, section, key
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
    |   |-- StoreBusy              the store asked for patience (429, queue full)
    |   |-- DependencyBusy         every thread that asks a dependency waits for it
    |   `-- NotReady               starting or stopping
    |-- StoreError             the store did not do its part: the operator acts
    |   |-- StoreUnavailable       no connection
    |   |-- StoreTimeout           no answer in time
    |   |-- StoreDenied            the store refuses our token
    |   |-- StoreFailed            the store answered an error
    |   |   `-- StoreLimit            it was too much at once
    |   |-- StoreBroken            an answer that stops early or makes no sense
    |   |-- MirrorConflict         a field has another type on the mirror's target
    |   `-- MirrorIncomplete       the target acknowledged points that it does not have
    |-- AddressRefused         an address that may not be connected to: whoever named it acts
    `-- ConfigurationError     the process cannot run like this: the operator acts

Each carries a stable `code`; `service.api.problems` gives it a status. Messages say what was
attempted, what was found and what to do; they never hold secrets, nor what another server wrote:
that is `upstream`, which keys with `admin` and the log alone see.
"""

from collections.abc import Mapping, Sequence

LONGEST_UPSTREAM = 500


def readable(text: str) -> str:
    """A text of another server as one short line: nothing that moves a cursor, hides letters or turns their direction."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: LONGEST_UPSTREAM * 16])
    return " ".join(shown.split())[:LONGEST_UPSTREAM]


class FluxgateError(Exception):
    """Root of the tree. `code` is stable and documented in docs/errors.md. `upstream`: what the other server wrote, if one did."""

    code = "error"
    mended_by_time = False
    """Whether a job that failed with it is worth another try with nothing changed."""

    def __init__(self, message: str, *, upstream: str = "", **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.upstream = readable(upstream)
        self.extra: Mapping[str, object] = extra
        """Further members of the problem document, JSON-ready."""


class CallerError(FluxgateError):
    code = "bad_request"


class InvalidParameter(CallerError):
    code = "invalid_parameter"

    def __init__(self, parameter: str, message: str, *, upstream: str = "", **extra: object) -> None:
        super().__init__(message, upstream=upstream, parameter=parameter, **extra)
        self.parameter = parameter


class InvalidBody(CallerError):
    code = "invalid_body"


class UnknownBucket(CallerError):
    code = "unknown_bucket"

    def __init__(self, bucket: str, near: Sequence[str] = (), message: str | None = None) -> None:
        hint = f" Did you mean {', '.join(map(repr, near))}?" if near else " GET /buckets lists those your key may see."
        super().__init__(message or f"There is no bucket {bucket!r}.{hint}", bucket=bucket, near=list(near))
        self.bucket = bucket


class UnknownThing(CallerError):
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
    mended_by_time = True

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
    mended_by_time = True


class StoreUnavailable(StoreError):
    code = "store_unavailable"


class StoreTimeout(StoreError):
    code = "store_timeout"


class StoreDenied(StoreError):
    code = "store_denied"
    mended_by_time = False


class StoreFailed(StoreError):
    code = "store_failed"


class StoreLimit(StoreFailed):
    """Half as much at a time may work."""

    code = "store_limit"


class StoreBroken(StoreError):
    code = "store_broken"


class MirrorConflict(StoreError):
    code = "mirror_conflict"
    mended_by_time = False

    def __init__(self, reason: str, bucket: str) -> None:
        super().__init__(
            f"The bucket {bucket!r} of the target does not take a value: {reason}"
            " Repair the target, or set the mirror's on_conflict to skip or as_string.",
            bucket=bucket,
        )


class MirrorIncomplete(StoreError):
    code = "mirror_incomplete"


class AddressRefused(FluxgateError):
    code = "address_refused"


class ConfigurationError(FluxgateError):
    code = "configuration"


OF_ONE_BUCKET = (InvalidParameter, StoreFailed)
"""What a store raises for what is odd in one bucket: no reason to leave the others unread."""
