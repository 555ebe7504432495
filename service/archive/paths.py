"""The rule for paths inside a destination, and for the names of files that are made of a bucket's name and a range.

A path is relative, of segments between slashes. A bucket's name is percent-encoded into a segment, so that no name
climbs, hides or collides: letters, digits, `-`, `_` and inner dots stay, and every other byte of UTF-8 is `%XX`.
"""

import hashlib
import re

from service.domain.timerange import TimeRange, format_time
from service.errors import InvalidParameter

LONGEST_SEGMENT_BYTES = 255
"""What file systems take (NAME_MAX of Linux)."""
_LONGEST_PATH_BYTES = 1000
"""Below the 1,024 bytes of an S3 key, so that a prefix has room."""
_LONGEST_ENCODED = 150
_KEPT = re.compile(rb"[A-Za-z0-9_-]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")


def wrong_path(path: str) -> str | None:
    """Why `path` is no path inside a destination; None: it is one."""
    segments = path.split("/")
    if "" in segments:
        return "it is empty, begins or ends with a slash, or has two of them in a row"
    if any(segment.startswith(".") for segment in segments):
        return "a part of it begins with a dot: it would climb, or hide"
    if _CONTROL.search(path):
        return "it holds a control character or a backslash"
    try:
        sizes = [len(segment.encode()) for segment in segments]
    except UnicodeEncodeError:
        return "it is no Unicode text"
    if max(sizes) > LONGEST_SEGMENT_BYTES or sum(sizes) + len(sizes) > _LONGEST_PATH_BYTES:
        return f"it is too long: {LONGEST_SEGMENT_BYTES} bytes for a part, {_LONGEST_PATH_BYTES} in all"
    return None


def segments_of(path: str) -> tuple[str, ...]:
    """The parts of a path. Raises InvalidParameter for one that is none."""
    reason = wrong_path(path)
    if reason is not None:
        raise InvalidParameter("path", f"{path[:200]!r} is no path inside a backup: {reason}.")
    return tuple(path.split("/"))


def encoded_name(name: str) -> str:
    """`name` as one segment. Different names have different segments.

    What would be longer than 150 bytes is cut at a whole escape and ends in `~` and 32 digits of its SHA-256.
    """
    raw = name.encode()
    pieces = [_encoded_byte(raw, place) for place in range(len(raw))]
    encoded = "".join(pieces)
    if len(encoded) <= _LONGEST_ENCODED:
        return encoded or "%"
    kept = ""
    for piece in pieces:
        if len(kept) + len(piece) > _LONGEST_ENCODED:
            break
        kept += piece
    return f"{kept}~{hashlib.sha256(raw).hexdigest()[:32]}"


def _encoded_byte(raw: bytes, place: int) -> str:
    byte = raw[place : place + 1]
    inner_dot = byte == b"." and 0 < place < len(raw) - 1
    return byte.decode() if inner_dot or _KEPT.match(byte) else f"%{byte[0]:02X}"


def slice_path(number: int, bucket: str, span: TimeRange, extension: str) -> str:
    """Where a slice lies in its backup: `0001-plant%20a/20260131T000000Z-20260201T000000Z.lp.gz`.

    `number` counts the buckets of the backup, so that file systems that do not tell `A` from `a` tell the folders.
    """
    return f"{number:04d}-{encoded_name(bucket)}/{range_text(span)}.{extension}"


def range_text(span: TimeRange) -> str:
    """A range in a file's name: start and stop in UTC, without colons, which not every file system takes."""
    return "-".join(_time_text(time_ns) for time_ns in (span.start_ns, span.stop_ns))


def _time_text(time_ns: int) -> str:
    return format_time(time_ns).replace("-", "").replace(":", "")
