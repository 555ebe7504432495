"""Decides which lines of a batch are stored, before the file is changed.

The rules are InfluxDB's. A field has one type within a shard group: that of the first line that uses it there. A time
before the retention is refused. No value of a refused line is stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.domain.schema import Bucket, FieldType
from service.domain.shards import shard_start_of
from service.domain.timerange import EARLIEST_NS, format_time
from service.frames.points import Points, ValueColumn
from service.stores.embedded.catalog import FieldName, shard_numbers
from service.stores.protocol import UNBOUNDED, Refusal, TypeClash, WriteBounds

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
FieldShard = tuple[FieldName, int]
"""A field in one shard group. It has one type there."""
Types = dict[FieldName, dict[int, FieldType]]
Conflict = tuple[FieldShard, FieldType, FieldType]
"""A field in a shard group, the type that a line sends, and the type that the field has."""
_SPARSE = 4
_LINES_BETWEEN_CHECKS = 65_536
"""After so many lines with a disputed field, `check` is called."""


@dataclass(frozen=True)
class CheckedBatch:
    """`accepted[i]`: whether line i is stored. `refusals`: the other lines, or the first of them.

    `new_types`: the types that the stored lines give to fields.
    """

    accepted: Mask
    refusals: tuple[Refusal, ...]
    new_types: tuple[tuple[FieldName, int, FieldType], ...]


@dataclass(frozen=True)
class Rows:
    """Values for the table of one type, sorted by series and time. Each series has one value at a time."""

    type: FieldType
    series: npt.NDArray[np.int32]
    times_ns: Ints
    values: pa.Array


def check_batch(
    points: Points,
    bucket: Bucket,
    stored: Types,
    oldest_ns: int | None,
    bounds: WriteBounds = UNBOUNDED,
) -> CheckedBatch:
    """Compare a batch with the `stored` types of the bucket. Times before `oldest_ns` are outside its retention."""
    accepted = np.ones(len(points), np.bool_) if oldest_ns is None else points.times_ns >= oldest_ns
    refusals: list[Refusal] = []
    if oldest_ns is not None:
        too_old = np.flatnonzero(~accepted)[: bounds.most_named]
        refusals = [_too_old(points, int(line), oldest_ns) for line in too_old]
    field_types = _FieldTypes(points, bucket)
    disputed = field_types.disputed(stored, accepted)
    if disputed:
        before, accepted = accepted, accepted.copy()
        for place, (line, (reason, clash)) in enumerate(field_types.refused(disputed, stored, before, bounds.check)):
            accepted[line] = False
            if bounds.most_named is None or place < bounds.most_named:
                refusals.append(Refusal(int(points.numbers[line]), "type_conflict", reason, clash))
    refusals = sorted(refusals, key=lambda refusal: refusal.line)[: bounds.most_named]
    new = []
    for (name, shard), types in field_types.sent(accepted).items():
        if shard not in stored.get(name, {}):
            new += [(name, shard, field_type) for field_type in types]
    return CheckedBatch(accepted, tuple(refusals), tuple(new))


def _too_old(points: Points, line: int, oldest_ns: int) -> Refusal:
    time, oldest = format_time(int(points.times_ns[line])), format_time(oldest_ns)
    reason = f"{time} is before {oldest}, where the bucket's retention ends."
    return Refusal(int(points.numbers[line]), "outside_retention", reason)


class _FieldTypes:
    """The types that the lines of a batch give to fields, by shard group."""

    def __init__(self, points: Points, bucket: Bucket) -> None:
        self._points = points
        self._shard_ns = bucket.shard_ns
        shards = shard_numbers(points.times_ns, bucket.shard_ns)
        self._shards, self._shard_of_line = np.unique(shards, return_inverse=True)
        numbers: dict[FieldName, int] = {}
        fields = [numbers.setdefault((key.measurement, key.field), len(numbers)) for key in points.keys]
        self._field_of_key = np.array(fields, np.int64)
        self._fields = list(numbers)

    def sent(self, accepted: Mask) -> dict[FieldShard, set[FieldType]]:
        """The types that the accepted lines send for each field in each shard group."""
        types: dict[FieldShard, set[FieldType]] = {}
        for column in self._points.columns:
            codes = self._codes(column)[accepted[column.lines]]
            for code in _distinct(codes, len(self._fields) * len(self._shards)):
                types.setdefault(self._field_shard(int(code)), set()).add(column.type)
        return types

    def disputed(self, stored: Types, accepted: Mask) -> set[FieldShard]:
        """Fields in shard groups that have more than one type, stored and sent types together."""
        sent = self.sent(accepted).items()
        return {key for key, types in sent if len(types | _stored_type(stored, *key)) > 1}

    def refused(
        self,
        disputed: set[FieldShard],
        stored: Types,
        accepted: Mask,
        check: Callable[[], None],
    ) -> Iterator[tuple[int, tuple[str, TypeClash]]]:
        """The lines that send another type than a disputed field has, in their order, each with the reason.

        The first line that uses a field in a shard group decides on its type, unless it has one already.
        """
        decided = {key: next(iter(_stored_type(stored, *key)), None) for key in disputed}
        reasons: dict[Conflict, tuple[str, TypeClash]] = {}
        for line, sent in self._uses(disputed, accepted, check):
            conflict = _conflict(sent, decided)
            if conflict is None:
                decided.update(sent)
            else:
                if conflict not in reasons:
                    (measurement, field), _ = conflict[0]
                    reasons[conflict] = self._reason(*conflict), TypeClash(measurement, field, conflict[1])
                yield line, reasons[conflict]

    def _uses(
        self,
        disputed: set[FieldShard],
        accepted: Mask,
        check: Callable[[], None],
    ) -> Iterator[tuple[int, list[tuple[FieldShard, FieldType]]]]:
        """Each line that uses a disputed field, ascending, with these fields and their types in it."""
        types = [column.type for column in self._points.columns]
        uses_of_columns = []
        for place, column in enumerate(self._points.columns):
            codes = self._codes(column)
            disputed_codes = [int(code) for code in np.unique(codes) if self._field_shard(int(code)) in disputed]
            rows = np.flatnonzero(np.isin(codes, disputed_codes) & accepted[column.lines])
            lines, places = column.lines[rows].astype(np.int64), np.full(len(rows), place, np.int64)
            uses_of_columns.append(np.stack((lines, codes[rows], places)))
        uses = np.concatenate(uses_of_columns, axis=1)
        uses = uses[:, np.argsort(uses[0], kind="stable")]
        for line, group in groupby(_checked_uses(uses, check), key=lambda use: use[0]):
            yield line, [(self._field_shard(code), types[place]) for _, code, place in group]

    def _codes(self, column: ValueColumn) -> Ints:
        codes: Ints = self._field_of_key[column.keys] * len(self._shards) + self._shard_of_line[column.lines]
        return codes

    def _field_shard(self, code: int) -> FieldShard:
        field, shard = divmod(code, len(self._shards))
        return self._fields[field], int(self._shards[shard])

    def _reason(self, key: FieldShard, sent: FieldType, stored: FieldType) -> str:
        (measurement, field), shard = key
        since = format_time(max(shard_start_of(shard, self._shard_ns), EARLIEST_NS))
        finding = f"Field {field!r} of {measurement!r} is {sent} here"
        return f"{finding} and {stored} in the shard group that begins at {since}; send it as {stored}."


def _checked_uses(uses: Ints, check: Callable[[], None]) -> Iterator[tuple[int, int, int]]:
    """The columns of `uses` as Python numbers. `check` is called in between."""
    for start in range(0, uses.shape[1], _LINES_BETWEEN_CHECKS):
        check()
        yield from zip(*uses[:, start : start + _LINES_BETWEEN_CHECKS].tolist(), strict=True)


def _conflict(
    sent: list[tuple[FieldShard, FieldType]],
    decided: dict[FieldShard, FieldType | None],
) -> Conflict | None:
    """The first conflict of one line. None: it has none."""
    within_line: dict[FieldShard, FieldType] = {}
    for key, field_type in sent:
        valid_type = decided[key] or within_line.setdefault(key, field_type)
        if valid_type is not field_type:
            return key, field_type, valid_type
    return None


def _stored_type(stored: Types, name: FieldName, shard: int) -> set[FieldType]:
    field_type = stored.get(name, {}).get(shard)
    return set() if field_type is None else {field_type}


def _distinct(codes: Ints, size: int) -> Ints:
    """The distinct codes, all below `size`: by a mask where that is cheap, else by sorting."""
    if size > _SPARSE * len(codes) + 65_536:
        return np.unique(codes)
    seen = np.zeros(size, np.bool_)
    seen[codes] = True
    return np.flatnonzero(seen)


def used_keys(points: Points, accepted: Mask) -> Ints:
    """The places in `points.keys` of the series that the accepted lines write to."""
    used = np.zeros(len(points.keys), np.bool_)
    for column in points.columns:
        used[column.keys[accepted[column.lines]]] = True
    return np.flatnonzero(used)


def rows(points: Points, column: ValueColumn, series_of_key: npt.NDArray[np.int32], accepted: Mask) -> Rows:
    """The accepted values of a column, ready to be stored. Of several values at one time of a series the last stays."""
    selected = np.flatnonzero(accepted[column.lines])
    series = series_of_key[column.keys[selected]]
    times_ns = points.times_ns[column.lines[selected]]
    order = np.lexsort((times_ns, series))
    series, times_ns = series[order], times_ns[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (times_ns[1:] != times_ns[:-1])
    return Rows(column.type, series[last], times_ns[last], column.values.take(pa.array(selected[order[last]])))
