"""Lines of one shape: the same measurement, tag keys, and fields with their types, parsed as columns.

The first line of the candidates is the pattern; those that fit it are parsed together. What does not
fit, or holds a value that the column parsers will not take, is given back.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.domain.schema import FieldType
from service.domain.timerange import EARLIEST_NS, LATEST_NS
from service.lineprotocol.names import FIELD_NAME, MAX_KEY_BYTES, Unwritable, read_field_name, read_series
from service.lineprotocol.points_builder import LineGroup, Longs, SeriesNumbers, TypedValues
from service.lineprotocol.single_line import FALSE_WORDS, MAX_STRING_BYTES, TRUE_WORDS

FEWEST_LINES = 16
"""Fewer lines of a shape are quicker parsed one by one."""
_PATTERN = re.compile(rb"((?:,=)*) (=(?:,=)*)( ?)(\r?)\n")
_DIGIT = np.zeros(256, np.bool_)
_DIGIT[list(b"0123456789")] = True
_NUMERIC = _DIGIT.copy()
_NUMERIC[list(b"+-.eE")] = True
_BOOLEAN_START = np.zeros(256, np.bool_)
_BOOLEAN_START[list(b"tTfF")] = True
_TRUE = pa.array(TRUE_WORDS, pa.binary())
_BOOLEANS = pa.array(TRUE_WORDS + FALSE_WORDS, pa.binary())
_NONE = np.zeros(0, np.int64)


class BodyChunk:
    """A stretch of the body, cut at delimiters: `at` are their positions, `firsts` and `counts` those of each line."""

    def __init__(
        self,
        body: bytes,
        origin: int,
        octets: npt.NDArray[np.uint8],
        at: Longs,
        starts: Longs,
        firsts: Longs,
        counts: Longs,
        numbers: Longs,
        unit_ns: int,
        now_ns: int,
        keys: SeriesNumbers,
    ) -> None:
        self.origin, self.bytes, self.at = origin, octets, at
        self.starts, self.firsts, self.counts, self.numbers = starts, firsts, counts, numbers
        self.unit_ns, self.now_ns, self.keys = unit_ns, now_ns, keys
        self.backslashes = body.find(b"\\", origin, origin + len(octets)) >= 0
        self.data = pa.py_buffer(body).slice(origin, len(octets))
        not_numeric = ~_NUMERIC[octets]
        self.not_numeric = np.concatenate(([0], np.cumsum(not_numeric, dtype=np.int32)))

    def texts(self, starts: Longs, stops: Longs, kind: pa.DataType) -> pa.Array:
        """The bytes from each start to its stop, as `kind` (string or binary). Spans ascend and do not overlap."""
        count = len(starts)
        offsets = np.empty(2 * count + 1, np.int32)
        offsets[0:-1:2], offsets[1::2] = starts, stops
        offsets[-1] = stops[-1] if count else 0
        both = pa.Array.from_buffers(kind, 2 * count, [None, pa.py_buffer(offsets), self.data])
        return both.take(pa.array(np.arange(0, 2 * count, 2)))


@dataclass(frozen=True)
class _Shape:
    """Places of the tokens of a line; token k stands before delimiter k."""

    delimiters: bytes
    tags: int
    fields: int
    timed: bool

    @property
    def names(self) -> list[int]:
        return [0, *range(1, 1 + 2 * self.tags, 2), *range(1 + 2 * self.tags, 1 + 2 * (self.tags + self.fields), 2)]

    @property
    def values(self) -> list[int]:
        return list(range(2 + 2 * self.tags, 2 + 2 * (self.tags + self.fields), 2))


def parse_shape(window: BodyChunk, rows: Longs) -> tuple[LineGroup | None, Longs, Longs]:
    """The lines among `rows` that look like the first one: their group, their rows, and rows given up.

    `rows` (ascending) have equal counts of delimiters. The first is always taken or given up.
    """
    shape = _shape(window, int(rows[0]))
    if shape is None:
        return None, _NONE, rows[:1]
    stops = window.at[window.firsts[rows][:, None] + np.arange(len(shape.delimiters))]
    alike = (window.bytes[stops] == np.frombuffer(shape.delimiters, np.uint8)).all(axis=1)
    rows, stops = rows[alike], stops[alike]
    starts = np.empty_like(stops)
    starts[:, 0], starts[:, 1:] = window.starts[rows], stops[:, :-1] + 1
    for token in shape.names:
        fits = _equal_names(window, starts[:, token], stops[:, token])
        if not fits.all():
            rows, starts, stops = rows[fits], starts[fits], stops[fits]
    kinds, fits = _kinds(window, shape, starts, stops)
    if not fits[0] or len(rows) < FEWEST_LINES:
        return None, _NONE, rows[:1] if not fits[0] else rows
    rows, starts, stops = rows[fits], starts[fits], stops[fits]
    return _parse(window, shape, kinds, rows, starts, stops)


def _shape(window: BodyChunk, row: int) -> _Shape | None:
    first = window.firsts[row]
    delimiters = window.bytes[window.at[first : first + window.counts[row]]].tobytes()
    found = _PATTERN.fullmatch(delimiters)
    if found is None:
        return None
    return _Shape(delimiters, len(found[1]) // 2, (len(found[2]) + 1) // 2, bool(found[3]))


def _equal_names(window: BodyChunk, starts: Longs, stops: Longs) -> npt.NDArray[np.bool_]:
    """Which spans hold the same bytes as the first."""
    length = int(stops[0] - starts[0])
    fits: npt.NDArray[np.bool_] = stops - starts == length
    name = window.bytes[starts[0] : stops[0]]
    limit = len(window.bytes) - 1
    for place in range(length):
        fits &= window.bytes[np.minimum(starts + place, limit)] == name[place]
    return fits


def _kinds(window: BodyChunk, shape: _Shape, starts: Longs, stops: Longs) -> tuple[list[FieldType], npt.NDArray[np.bool_]]:
    """The type of each field in the first line, and which lines have these types and nothing unusual."""
    fits: npt.NDArray[np.bool_] = np.all((stops > starts)[:, : 1 + 2 * (shape.tags + shape.fields)], axis=1)
    if shape.timed:
        begin, end = starts[:, shape.values[-1] + 1], stops[:, shape.values[-1] + 1]
        fits &= (end > begin) & (window.not_numeric[end] == window.not_numeric[begin])
    kinds = []
    for token in shape.values:
        begin, end = starts[:, token], stops[:, token]
        initial, final = window.bytes[begin], window.bytes[end - 1]
        strange = window.not_numeric[end] - window.not_numeric[begin]
        kind, same = _kind(initial, final, strange, end - begin)
        kinds.append(kind)
        fits &= same
    return kinds, fits


def _kind(
    initial: npt.NDArray[np.uint8], final: npt.NDArray[np.uint8], strange: npt.NDArray[np.int32], length: Longs
) -> tuple[FieldType, npt.NDArray[np.bool_]]:
    """Type of the first token by its first and last byte, and which tokens have it. `strange`: its bytes no number has."""
    first, last = int(initial[0]), int(final[0])
    if first == 0x22:
        return FieldType.STRING, (initial == 0x22) & (final == 0x22) & (length >= 2) & (length <= MAX_STRING_BYTES)
    if _BOOLEAN_START[first]:
        return FieldType.BOOLEAN, _BOOLEAN_START[initial] & (length <= 5)
    signed = _DIGIT[initial] | (initial == 0x2D)
    if last == 0x69:
        return FieldType.INTEGER, signed & (final == 0x69) & (strange == 1) & (length > 1)
    if last == 0x75:
        return FieldType.UNSIGNED, _DIGIT[initial] & (final == 0x75) & (strange == 1) & (length > 1)
    return FieldType.FLOAT, (signed | (initial == 0x2E)) & (strange == 0)


def _parse(
    window: BodyChunk, shape: _Shape, kinds: list[FieldType], rows: Longs, starts: Longs, stops: Longs
) -> tuple[LineGroup | None, Longs, Longs]:
    """Parse what fits the shape; on a value that the column parsers refuse, look for it by halves."""
    try:
        group, good = _group(window, shape, kinds, rows, starts, stops)
    except Unwritable:
        return None, _NONE, rows
    except pa.ArrowInvalid:
        if len(rows) < 4 * FEWEST_LINES:
            return None, _NONE, rows
        half = len(rows) // 2
        return _parse(window, shape, kinds, rows[:half], starts[:half], stops[:half])
    return group if good.any() else None, rows[good], rows[~good]


def _group(
    window: BodyChunk, shape: _Shape, kinds: list[FieldType], rows: Longs, starts: Longs, stops: Longs
) -> tuple[LineGroup, npt.NDArray[np.bool_]]:
    """The lines as a group, without those that `good` says are not. Raises ArrowInvalid or Unwritable."""
    last_value = shape.values[-1]
    series, good = _series(window, starts[:, 0], stops[:, 2 * shape.tags])
    names = [window.bytes[starts[0, token - 1] : stops[0, token - 1]].tobytes() for token in shape.values]
    longest = max(map(len, names))
    good &= stops[:, 2 * shape.tags] - starts[:, 0] + 4 + longest <= MAX_KEY_BYTES
    times, in_domain = _times(window, shape, starts[:, last_value + 1 :], stops[:, last_value + 1 :], len(rows))
    good &= in_domain
    columns: dict[FieldType, tuple[list[int], pa.Array]] = {}
    for kind in dict.fromkeys(kinds):
        places = [place for place, other in enumerate(kinds) if other is kind]
        tokens = [shape.values[place] for place in places]
        values, sound = _values(window, kind, starts[:, tokens].ravel(), stops[:, tokens].ravel())
        columns[kind] = (places, values)
        good &= sound.reshape(len(rows), len(places)).all(axis=1)
    fields = [window.keys.field(_field_name(name), kind) for name, kind in zip(names, kinds, strict=True)]
    used, local = np.unique(series[good], return_inverse=True)
    table = window.keys.table(used.tolist(), fields)
    lines = np.arange(len(local))
    values_by_kind = {}
    for kind, (places, values) in columns.items():
        kept = values if good.all() else values.filter(pa.array(np.repeat(good, len(places))))
        values_by_kind[kind] = TypedValues(table[local][:, places].ravel(), np.repeat(lines, len(places)), kept)
    prefixes = window.texts(starts[:, 0], stops[:, last_value], pa.binary()).cast(pa.large_binary())
    kept_prefixes = prefixes if good.all() else prefixes.filter(pa.array(good))
    kept_rows = rows[good]
    return LineGroup(window.origin + window.starts[kept_rows], window.numbers[kept_rows], times[good], kept_prefixes, values_by_kind), good


def _field_name(raw: bytes) -> str:
    if FIELD_NAME.fullmatch(raw) is None:
        raise Unwritable("no field name")
    return read_field_name(raw)


def _series(window: BodyChunk, starts: Longs, stops: Longs) -> tuple[Longs, npt.NDArray[np.bool_]]:
    """The number of each line's series, and which lines have one that stands as it is stored."""
    codes = window.texts(starts, stops, pa.binary()).dictionary_encode()
    numbers = np.empty(len(codes.dictionary), np.int64)
    for place, raw in enumerate(codes.dictionary.to_pylist()):
        numbers[place] = _series_number(window.keys, raw)
    series = numbers[codes.indices.to_numpy()]
    return series, series >= 0


def _series_number(keys: SeriesNumbers, raw: bytes) -> int:
    known = keys.known.get(raw)
    if known is None:
        if raw[0] in b"\t\0":
            return -1
        try:
            known = keys.known[raw] = read_series(raw)
        except Unwritable:
            return -1
    return keys.series(known.key) if known.text == raw else -1


def _times(window: BodyChunk, shape: _Shape, starts: Longs, stops: Longs, count: int) -> tuple[Longs, npt.NDArray[np.bool_]]:
    if not shape.timed:
        return np.full(count, window.now_ns, np.int64), np.ones(count, np.bool_)
    ticks = window.texts(starts[:, 0], stops[:, 0], pa.string()).cast(pa.int64()).to_numpy()
    unit_ns = window.unit_ns
    good = (ticks >= -(-EARLIEST_NS // unit_ns)) & (ticks <= LATEST_NS // unit_ns)
    return np.where(good, ticks, 0) * unit_ns, good


def _values(window: BodyChunk, kind: FieldType, starts: Longs, stops: Longs) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """TypedValues of `kind` and which of them can be relied on. Raises ArrowInvalid."""
    sound = np.ones(len(starts), np.bool_)
    if kind is FieldType.STRING:
        texts = window.texts(starts + 1, stops - 1, pa.string())
        if window.backslashes:
            texts = pc.replace_substring_regex(texts, r'\\([\\"])', r"\1")
        return texts, sound
    if kind is FieldType.BOOLEAN:
        words = window.texts(starts, stops, pa.binary())
        sound = pc.is_in(words, value_set=_BOOLEANS).to_numpy(zero_copy_only=False)
        return pc.is_in(words, value_set=_TRUE), sound
    if kind is FieldType.FLOAT:
        numbers = window.texts(starts, stops, pa.string()).cast(pa.float64())
        return numbers, np.isfinite(numbers.to_numpy())
    whole = window.texts(starts, stops - 1, pa.string())
    return whole.cast(pa.int64() if kind is FieldType.INTEGER else pa.uint64()), sound
