"""Parses lines of one shape as columns: lines with the same measurement, tag keys, and fields with their types.

The first line is the pattern, and the lines that fit it are parsed together. Lines that do not fit, or that hold a
value that the column parsers do not take, are returned to the caller.
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
"""Fewer lines of a shape are parsed faster one by one."""
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
Flags = npt.NDArray[np.bool_]


class BodyChunk:
    """A part of the body, cut at delimiters.

    `at` holds their positions. Line i starts at `starts[i]` and has `counts[i]` delimiters from index `firsts[i]` on.
    """

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
        series: SeriesNumbers,
    ) -> None:
        self.origin, self.bytes, self.at = origin, octets, at
        self.starts, self.firsts, self.counts, self.numbers = starts, firsts, counts, numbers
        self.unit_ns, self.now_ns, self.series = unit_ns, now_ns, series
        self.backslashes = body.find(b"\\", origin, origin + len(octets)) >= 0
        self.data = pa.py_buffer(body).slice(origin, len(octets))
        not_numeric = ~_NUMERIC[octets]
        self.not_numeric = np.concatenate(([0], np.cumsum(not_numeric, dtype=np.int32)))

    def texts(self, starts: Longs, stops: Longs, arrow_type: pa.DataType) -> pa.Array:
        """The bytes from each start to its stop, as `arrow_type` (string, binary). Spans ascend and do not overlap."""
        count = len(starts)
        offsets = np.empty(2 * count + 1, np.int32)
        offsets[0:-1:2], offsets[1::2] = starts, stops
        offsets[-1] = stops[-1] if count else 0
        both = pa.Array.from_buffers(arrow_type, 2 * count, [None, pa.py_buffer(offsets), self.data])
        return both.take(pa.array(np.arange(0, 2 * count, 2)))


@dataclass(frozen=True)
class _Shape:
    """How the tokens of a line follow each other. Token k is the text before delimiter k."""

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


def parse_shape(chunk: BodyChunk, rows: Longs) -> tuple[LineGroup | None, Longs, Longs]:
    """Parse those of `rows` that look like the first: their group, their rows, and the rows to parse one by one.

    `rows` ascend and have equal counts of delimiters. The first is always in one of the two results.
    """
    shape = _shape(chunk, int(rows[0]))
    if shape is None:
        return None, _NONE, rows[:1]
    stops = chunk.at[chunk.firsts[rows][:, None] + np.arange(len(shape.delimiters))]
    is_alike = (chunk.bytes[stops] == np.frombuffer(shape.delimiters, np.uint8)).all(axis=1)
    rows, stops = rows[is_alike], stops[is_alike]
    starts = np.empty_like(stops)
    starts[:, 0], starts[:, 1:] = chunk.starts[rows], stops[:, :-1] + 1
    for token in shape.names:
        fits = _equal_names(chunk, starts[:, token], stops[:, token])
        if not fits.all():
            rows, starts, stops = rows[fits], starts[fits], stops[fits]
    types, fits = _types(chunk, shape, starts, stops)
    if not fits[0] or len(rows) < FEWEST_LINES:
        return None, _NONE, rows[:1] if not fits[0] else rows
    rows, starts, stops = rows[fits], starts[fits], stops[fits]
    return _parse(chunk, shape, types, rows, starts, stops)


def _shape(chunk: BodyChunk, row: int) -> _Shape | None:
    first = chunk.firsts[row]
    delimiters = chunk.bytes[chunk.at[first : first + chunk.counts[row]]].tobytes()
    match = _PATTERN.fullmatch(delimiters)
    if match is None:
        return None
    return _Shape(delimiters, len(match[1]) // 2, (len(match[2]) + 1) // 2, bool(match[3]))


def _equal_names(chunk: BodyChunk, starts: Longs, stops: Longs) -> Flags:
    """Whether each span holds the same bytes as the first."""
    length = int(stops[0] - starts[0])
    fits: Flags = stops - starts == length
    name = chunk.bytes[starts[0] : stops[0]]
    limit = len(chunk.bytes) - 1
    for offset in range(length):
        fits &= chunk.bytes[np.minimum(starts + offset, limit)] == name[offset]
    return fits


def _types(chunk: BodyChunk, shape: _Shape, starts: Longs, stops: Longs) -> tuple[list[FieldType], Flags]:
    """The type of each field in the first line, and whether each line has these types and nothing unusual."""
    fits: Flags = np.all((stops > starts)[:, : 1 + 2 * (shape.tags + shape.fields)], axis=1)
    if shape.timed:
        begin, end = starts[:, shape.values[-1] + 1], stops[:, shape.values[-1] + 1]
        fits &= (end > begin) & (chunk.not_numeric[end] == chunk.not_numeric[begin])
    types = []
    for token in shape.values:
        begin, end = starts[:, token], stops[:, token]
        initial, final = chunk.bytes[begin], chunk.bytes[end - 1]
        not_numeric_count = chunk.not_numeric[end] - chunk.not_numeric[begin]
        field_type, same = _type(initial, final, not_numeric_count, end - begin)
        types.append(field_type)
        fits &= same
    return types, fits


def _type(
    initial: npt.NDArray[np.uint8],
    final: npt.NDArray[np.uint8],
    not_numeric_count: npt.NDArray[np.int32],
    length: Longs,
) -> tuple[FieldType, Flags]:
    """The type of the first token by its first and last byte, and whether each token has it.

    `not_numeric_count` counts the bytes of each token that no number has.
    """
    first, last = int(initial[0]), int(final[0])
    if first == 0x22:
        return FieldType.STRING, (initial == 0x22) & (final == 0x22) & (length >= 2) & (length <= MAX_STRING_BYTES)
    if _BOOLEAN_START[first]:
        return FieldType.BOOLEAN, _BOOLEAN_START[initial] & (length <= 5)
    signed = _DIGIT[initial] | (initial == 0x2D)
    if last == 0x69:
        return FieldType.INTEGER, signed & (final == 0x69) & (not_numeric_count == 1) & (length > 1)
    if last == 0x75:
        return FieldType.UNSIGNED, _DIGIT[initial] & (final == 0x75) & (not_numeric_count == 1) & (length > 1)
    return FieldType.FLOAT, (signed | (initial == 0x2E)) & (not_numeric_count == 0)


def _parse(
    chunk: BodyChunk,
    shape: _Shape,
    types: list[FieldType],
    rows: Longs,
    starts: Longs,
    stops: Longs,
) -> tuple[LineGroup | None, Longs, Longs]:
    """Parse lines that fit the shape. Where the column parsers refuse a value, half of the lines are tried again."""
    try:
        group, good = _group(chunk, shape, types, rows, starts, stops)
    except Unwritable:
        return None, _NONE, rows
    except pa.ArrowInvalid:
        if len(rows) < 4 * FEWEST_LINES:
            return None, _NONE, rows
        half = len(rows) // 2
        return _parse(chunk, shape, types, rows[:half], starts[:half], stops[:half])
    return group if good.any() else None, rows[good], rows[~good]


def _group(
    chunk: BodyChunk,
    shape: _Shape,
    types: list[FieldType],
    rows: Longs,
    starts: Longs,
    stops: Longs,
) -> tuple[LineGroup, Flags]:
    """The lines that can be parsed, as a group, and whether each line can. Raises ArrowInvalid or Unwritable."""
    last_value = shape.values[-1]
    series, good = _series(chunk, starts[:, 0], stops[:, 2 * shape.tags])
    names = [chunk.bytes[starts[0, token - 1] : stops[0, token - 1]].tobytes() for token in shape.values]
    longest = max(map(len, names))
    good &= stops[:, 2 * shape.tags] - starts[:, 0] + 4 + longest <= MAX_KEY_BYTES
    times, in_domain = _times(chunk, shape, starts[:, last_value + 1 :], stops[:, last_value + 1 :], len(rows))
    good &= in_domain
    columns: dict[FieldType, tuple[list[int], pa.Array]] = {}
    for field_type in dict.fromkeys(types):
        indices = [index for index, other in enumerate(types) if other is field_type]
        tokens = [shape.values[index] for index in indices]
        values, sound = _values(chunk, field_type, starts[:, tokens].ravel(), stops[:, tokens].ravel())
        columns[field_type] = (indices, values)
        good &= sound.reshape(len(rows), len(indices)).all(axis=1)
    named = zip(names, types, strict=True)
    fields = [chunk.series.field_number(_field_name(name), field_type) for name, field_type in named]
    used, local = np.unique(series[good], return_inverse=True)
    table = chunk.series.field_series_numbers(used.tolist(), fields)
    lines = np.arange(len(local))
    values_by_type = {}
    for field_type, (indices, values) in columns.items():
        kept = values if good.all() else values.filter(pa.array(np.repeat(good, len(indices))))
        values_by_type[field_type] = TypedValues(table[local][:, indices].ravel(), np.repeat(lines, len(indices)), kept)
    prefixes = chunk.texts(starts[:, 0], stops[:, last_value], pa.binary()).cast(pa.large_binary())
    kept_prefixes = prefixes if good.all() else prefixes.filter(pa.array(good))
    kept_rows = rows[good]
    line_starts, numbers = chunk.origin + chunk.starts[kept_rows], chunk.numbers[kept_rows]
    return LineGroup(line_starts, numbers, times[good], kept_prefixes, values_by_type), good


def _field_name(raw: bytes) -> str:
    if FIELD_NAME.fullmatch(raw) is None:
        raise Unwritable("no field name")
    return read_field_name(raw)


def _series(chunk: BodyChunk, starts: Longs, stops: Longs) -> tuple[Longs, Flags]:
    """The number of the series of each line, and whether the line writes the series as InfluxDB stores it."""
    codes = chunk.texts(starts, stops, pa.binary()).dictionary_encode()
    numbers = np.empty(len(codes.dictionary), np.int64)
    for code, raw in enumerate(codes.dictionary.to_pylist()):
        numbers[code] = _series_number(chunk.series, raw)
    series = numbers[codes.indices.to_numpy()]
    return series, series >= 0


def _series_number(numbers: SeriesNumbers, raw: bytes) -> int:
    """The number of a series; -1 when the single-line parser must decide about it."""
    series = numbers.known.get(raw)
    if series is None:
        if raw[0] in b"\t\0":
            return -1
        try:
            series = numbers.known[raw] = read_series(raw)
        except Unwritable:
            return -1
    return numbers.series_number(series.key) if series.text == raw else -1


def _times(
    chunk: BodyChunk,
    shape: _Shape,
    starts: Longs,
    stops: Longs,
    count: int,
) -> tuple[Longs, Flags]:
    """The time of each line in ns, and whether InfluxDB can store it. Raises ArrowInvalid."""
    if not shape.timed:
        return np.full(count, chunk.now_ns, np.int64), np.ones(count, np.bool_)
    ticks = chunk.texts(starts[:, 0], stops[:, 0], pa.string()).cast(pa.int64()).to_numpy()
    unit_ns = chunk.unit_ns
    good = (ticks >= -(-EARLIEST_NS // unit_ns)) & (ticks <= LATEST_NS // unit_ns)
    return np.where(good, ticks, 0) * unit_ns, good


def _values(chunk: BodyChunk, field_type: FieldType, starts: Longs, stops: Longs) -> tuple[pa.Array, Flags]:
    """The values of one type, and whether each of them is valid. Raises ArrowInvalid."""
    sound = np.ones(len(starts), np.bool_)
    if field_type is FieldType.STRING:
        texts = chunk.texts(starts + 1, stops - 1, pa.string())
        if chunk.backslashes:
            texts = pc.replace_substring_regex(texts, r'\\([\\"])', r"\1")
        return texts, sound
    if field_type is FieldType.BOOLEAN:
        words = chunk.texts(starts, stops, pa.binary())
        sound = pc.is_in(words, value_set=_BOOLEANS).to_numpy(zero_copy_only=False)
        return pc.is_in(words, value_set=_TRUE), sound
    if field_type is FieldType.FLOAT:
        numbers = chunk.texts(starts, stops, pa.string()).cast(pa.float64())
        return numbers, np.isfinite(numbers.to_numpy())
    whole = chunk.texts(starts, stops - 1, pa.string())
    return whole.cast(pa.int64() if field_type is FieldType.INTEGER else pa.uint64()), sound
