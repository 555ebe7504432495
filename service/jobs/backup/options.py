"""What a backup is asked to do: the parameters of its job, read and refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.archive.manifest import BackupKind
from service.domain.timerange import EVER, TimeRange, parse_range, parse_time
from service.errors import InvalidParameter
from service.jobs.parameters import refuse_unknown, refuse_wrong_types

_TEXTS = {"kind", "start", "stop", "comment", "seal_before"}
_SWITCHES = {"compare_values"}
_PARAMETERS = {"buckets", *_TEXTS, *_SWITCHES}
LONGEST_COMMENT = 500
MOST_BUCKETS = 1000


@dataclass(frozen=True)
class BackupOptions:
    """What a backup takes.

    `buckets` None: all. `span`: what is taken of each. `compare_values`: trust no count, and compare every value with
    the backup before. `seal_before_ns`: ranges before it are sealed once they are proven.
    """

    kind: BackupKind = BackupKind.LOGICAL
    buckets: tuple[str, ...] | None = None
    span: TimeRange = EVER
    comment: str = ""
    compare_values: bool = False
    seal_before_ns: int | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "BackupOptions":
        """Raises InvalidParameter."""
        refuse_unknown("A backup", parameters, _PARAMETERS)
        refuse_wrong_types(parameters, _TEXTS, _SWITCHES)
        given = {name: value for name, value in parameters.items() if value is not None}
        seal_before = given.get("seal_before")
        options = cls(
            _kind(given.get("kind", BackupKind.LOGICAL.value)),
            _buckets(given.get("buckets")),
            span_between(given.get("start"), given.get("stop")),
            given.get("comment", ""),
            given.get("compare_values", False),
            None if seal_before is None else parse_time(seal_before, "seal_before"),
        )
        _refuse_unfitting(options)
        return options


def _refuse_unfitting(options: BackupOptions) -> None:
    if len(options.comment) > LONGEST_COMMENT or not options.comment.isprintable():
        raise InvalidParameter(
            "comment",
            f"A comment has at most {LONGEST_COMMENT} characters, without control characters.",
        )
    if options.kind is BackupKind.PHYSICAL and (options.span != EVER or options.seal_before_ns is not None):
        raise InvalidParameter(
            "start", "A physical backup takes whole buckets. Leave the range out, or order kind=logical."
        )


def _kind(text: str) -> BackupKind:
    try:
        return BackupKind(text)
    except ValueError:
        raise InvalidParameter("kind", f"kind={text[:100]!r} is neither logical nor physical.") from None


def _buckets(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise InvalidParameter("buckets", "buckets is a list of names of buckets, or absent for all.")
    if not 1 <= len(names) <= MOST_BUCKETS:
        raise InvalidParameter("buckets", f"Name between 1 and {MOST_BUCKETS} buckets, or leave `buckets` out for all.")
    return tuple(dict.fromkeys(names))


def span_between(start: str | None, stop: str | None) -> TimeRange:
    """The range of two times, of which each may be absent. Raises InvalidParameter."""
    if start is None and stop is None:
        return EVER
    if start is None:
        return TimeRange(EVER.start_ns, parse_time(stop or "", "stop"))
    if stop is None:
        return TimeRange(parse_time(start, "start"), EVER.stop_ns)
    return parse_range(start, stop)
