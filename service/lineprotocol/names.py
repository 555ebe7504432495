"""Names in line protocol: how InfluxDB 2.9.1 reads them, and how to write them so that it reads the same.

Every name that goes into line protocol is quoted here. A name that the grammar cannot hold is refused with the reason;
nothing is replaced or cut. Rules: influxdb models/points.go and pkg/escape.
"""

import itertools
import re
from dataclasses import dataclass

from service.domain.series import SeriesKey

MAX_KEY_BYTES = 65_535
"""Most bytes of measurement and tags, escaped, plus 4 and the field name (models.MaxKeyLength, seriesKeySize)."""
KEY_TOO_LONG = f"measurement, tags and field name take more than the {MAX_KEY_BYTES} bytes that InfluxDB holds"
RESERVED_TAGS = ("time", "_field", "_measurement")
_LOOK_AGAIN = re.compile(rb"[\\\n\r\0]")
_NOT_PLAIN = frozenset(("", *RESERVED_TAGS))
_UNNAMEABLE = re.compile("[\0\r]")
_NOT_NAMED = "holds a NUL or CR, which InfluxQL cannot name: it could not be read again"

_MEASUREMENT_ESCAPE = re.compile(rb'\\([, ="])')
_TAG_ESCAPE = re.compile(rb"\\([, =])")
_UNESCAPED_COMMA = re.compile(rb"(?<!\\),")
_UNESCAPED_EQUALS = re.compile(rb"(?<!\\)=")
_EARLY_SPACE = re.compile(rb"(?<!\\)(?:\\\\)+ ")
FIELD_NAME = re.compile(rb"(?:[^\\=, ]|\\.)+", re.DOTALL)
_TAG_SPECIAL = re.compile(r"([, =])")
_MEASUREMENT_SPECIAL = re.compile(r"([, ])")
_PLAIN_TAG = re.compile(r"[!-+\--<>-\[\]-~]{1,1000}")
"""Short printable ASCII without comma, equals sign, space and backslash: it needs no quoting."""
_FIELD_SPECIAL = re.compile(r'([, =]|(?<=\\)")')


class Unwritable(ValueError):
    """A name or value that line protocol cannot hold. The message names it and the reason."""


@dataclass(frozen=True)
class WrittenSeries:
    """A series, and the bytes that name it to InfluxDB at the beginning of a line."""

    key: SeriesKey
    text: bytes


def read_series(raw: bytes) -> WrittenSeries:
    """The series that `raw` (`measurement,tag=value,...`, valid UTF-8) names.

    Its `text` equals `raw` unless the measurement holds `\\=` or `\\"`: InfluxDB removes those backslashes from the
    name but not from the key that it stores, and would not find the series again (models.MakeKey).

    Raises:
        Unwritable: the grammar does not allow `raw`, or InfluxDB reads it in two ways.
    """
    plain = _read_plain(raw)
    if plain is not None:
        return plain
    if b"\n" in raw:
        reason = "a backslash at the end of the line joins it with the next one"
        raise Unwritable(f"{reason}; a name or tag cannot hold a line feed")
    if len(raw) > MAX_KEY_BYTES:
        raise Unwritable(f"measurement and tags take {len(raw)} bytes; InfluxDB holds at most {MAX_KEY_BYTES}")
    pieces = _UNESCAPED_COMMA.split(raw) if b"\\" in raw else raw.split(b",")
    if not pieces[0]:
        raise Unwritable("the measurement is missing")
    name, written = _measurement(pieces[0])
    if _UNNAMEABLE.search(name):
        raise Unwritable(f"the measurement {name!r} {_NOT_NAMED}")
    tags = [_tag(piece) for piece in pieces[1:]]
    if len(tags) > 1:
        tags.sort()
        _check_duplicates(tags)
    return WrittenSeries(SeriesKey(name, tuple(tags)), written + raw[len(pieces[0]) :])


def _read_plain(raw: bytes) -> WrittenSeries | None:
    """The series of a key without backslashes and control characters, read fast; None for any other key."""
    if len(raw) > MAX_KEY_BYTES or _LOOK_AGAIN.search(raw):
        return None
    name, *pieces = raw.decode().split(",")
    tags = [tuple(piece.split("=")) for piece in pieces]
    keys = {tag[0] for tag in tags}
    if not name or len(keys) != len(tags) or not keys.isdisjoint(_NOT_PLAIN):
        return None
    if any(len(tag) != 2 or not tag[1] for tag in tags):
        return None
    return WrittenSeries(SeriesKey(name, tuple(sorted(tags))), raw)  # type: ignore[arg-type]


def _measurement(raw: bytes) -> tuple[str, bytes]:
    if b"\\" not in raw:
        return raw.decode(), raw
    name = _MEASUREMENT_ESCAPE.sub(rb"\1", raw)
    if _MEASUREMENT_ESCAPE.search(name):
        reason = 'has a backslash before a comma, space, = or ", which InfluxDB cannot find again'
        raise Unwritable(f"the measurement {_shown(raw)} {reason}")
    return name.decode(), re.sub(rb"([, ])", rb"\\\1", name)


def _tag(piece: bytes) -> tuple[str, str]:
    key, value = _cut_tag(piece)
    if not key:
        raise Unwritable("a tag key is missing" if not value else f"the tag value {_shown(value)} has no key")
    if not value:
        raise Unwritable(f"the tag {_shown(key)} has no value; leave the tag out instead")
    if b"\\" in piece:
        if _EARLY_SPACE.search(key):
            reason = "has a backslash before a space, which InfluxDB reads in two ways"
            raise Unwritable(f"the tag key {_shown(key)} {reason}")
        key, value = _TAG_ESCAPE.sub(rb"\1", key), _TAG_ESCAPE.sub(rb"\1", value)
    name = key.decode()
    if _UNNAMEABLE.search(name):
        raise Unwritable(f"the tag key {name!r} {_NOT_NAMED}")
    if name in RESERVED_TAGS:
        raise Unwritable(f"{name!r} cannot be a tag key: InfluxDB keeps that name for itself")
    return name, value.decode()


def _cut_tag(piece: bytes) -> tuple[bytes, bytes]:
    if b"\\" not in piece:
        key, _, value = piece.partition(b"=")
        extra = b"=" in value
    else:
        parts = _UNESCAPED_EQUALS.split(piece, maxsplit=1)
        key, value = parts[0], parts[1] if len(parts) == 2 else b""
        extra = _UNESCAPED_EQUALS.search(value) is not None
    if extra:
        raise Unwritable(f"the value of the tag {_shown(key)} has an = without a backslash before it")
    return key, value


def _check_duplicates(tags: list[tuple[str, str]]) -> None:
    for (key, _), (next_key, _) in itertools.pairwise(tags):
        if key == next_key:
            raise Unwritable(f"the tag {key!r} stands twice")


def read_field_name(raw: bytes) -> str:
    """The field that `raw`, which FIELD_NAME matches, names.

    Raises:
        Unwritable: InfluxDB drops the name, or reads it in two ways.
    """
    if raw.endswith(b"\\"):
        raise Unwritable(f"the field name {_shown(raw)} ends in a backslash, which InfluxDB reads in two ways")
    if b"\0" in raw or b"\r" in raw:
        raise Unwritable(f"the field name {_shown(raw)} {_NOT_NAMED}")
    if raw.startswith(b"\t"):
        raise Unwritable("a field name cannot begin with a tab: InfluxDB drops it")
    if b"\n" in raw:
        raise Unwritable("a field name cannot hold a line feed")
    name = (_MEASUREMENT_ESCAPE.sub(rb"\1", raw) if b"\\" in raw else raw).decode()
    if name == "time":
        raise Unwritable("a field cannot be named time: InfluxDB drops it. The time stands last in the line")
    return name


def quote_measurement(name: str) -> bytes:
    """`name` as it begins a line. Raises Unwritable."""
    _check_name(name, "a measurement")
    if name[0] in "#\t":
        reason = f"cannot begin with {name[0]!r}: the line would be a comment, or lose it"
        raise Unwritable(f"the measurement {_brief(name)} {reason}")
    raw = _MEASUREMENT_SPECIAL.sub(r"\\\1", name).encode()
    if raw.endswith(b"\\") or _read_back(raw) != SeriesKey(name):
        raise Unwritable(f"the measurement {_brief(name)} has a backslash where line protocol cannot hold one")
    return raw


def quote_tag(key: str, value: str) -> bytes:
    """`key=value` as a line holds it. Raises Unwritable."""
    if _PLAIN_TAG.fullmatch(value) and _PLAIN_TAG.fullmatch(key) and key not in RESERVED_TAGS:
        return f"{key}={value}".encode()
    _check_name(key, "a tag key")
    _check_text(value, f"the value of the tag {_brief(key)}")
    if key in RESERVED_TAGS:
        raise Unwritable(f"{_brief(key)} cannot be a tag key: InfluxDB keeps that name for itself")
    raw = (_TAG_SPECIAL.sub(r"\\\1", key) + "=" + _TAG_SPECIAL.sub(r"\\\1", value)).encode()
    if raw.endswith(b"\\") or _read_back(b"m," + raw) != SeriesKey("m", ((key, value),)):
        raise Unwritable(f"the tag {_brief(key)}={_brief(value)} has a backslash where line protocol cannot hold one")
    return raw


def quote_field(name: str) -> bytes:
    """`name` as a line holds it before the `=` of a field. Raises Unwritable."""
    _check_name(name, "a field name")
    raw = _FIELD_SPECIAL.sub(r"\\\1", name).encode()
    if FIELD_NAME.fullmatch(raw) is None or read_field_name(raw) != name:
        raise Unwritable(f"the field name {_brief(name)} has a backslash where line protocol cannot hold one")
    return raw


def _read_back(raw: bytes) -> SeriesKey | None:
    try:
        series = read_series(raw)
    except Unwritable:
        return None
    return series.key if series.text == raw else None


def _check_name(name: str, what: str) -> None:
    _check_text(name, what)
    if _UNNAMEABLE.search(name):
        raise Unwritable(f"{what} that {_NOT_NAMED}: {_brief(name)}")


def _check_text(text: str, what: str) -> None:
    if not text:
        raise Unwritable(f"{what} cannot be empty")
    if "\n" in text:
        raise Unwritable(f"{what} cannot hold a line feed: {_brief(text)}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unwritable(f"{what} holds half a surrogate pair, which is no text: {_brief(text)}") from None


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="replace")
    return repr(text if len(text) <= 60 else text[:60] + "...")


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
