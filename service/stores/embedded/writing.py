"""Which lines of a batch are stored, decided before anything is touched.

The rules are InfluxDB's: a field has one type within a shard group, set by the first line that uses
it there; a time before the retention is refused; a refused line stores nothing of itself.
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
Types = dict[FieldName, dict[int, FieldType]]
_MANY = 4
_STRETCH = 65_536
"""Lines with a disputed field that are looked at before others may go on."""


@dataclass(frozen=True)
class Judgement:
    """`accepted[i]`: whether line i is stored. `refusals`: the others, or the first of them. `new_types`: those that the stored lines set."""

    accepted: Mask
    refusals: tuple[Refusal, ...]
    new_types: tuple[tuple[FieldName, int, FieldType], ...]


@dataclass(frozen=True)
class Rows:
    """Values of one type on their way into its table: sorted by series and time, one for each of both."""

    type: FieldType
    series: npt.NDArray[np.int32]
    times_ns: Ints
    values: pa.Array


def judge(points: Points, bucket: Bucket, known: Types, oldest_ns: int | None, bounds: WriteBounds = UNBOUNDED) -> Judgement:
    """Hold a batch against the types that the bucket has; times before `oldest_ns` are outside its retention."""
    accepted = np.ones(len(points), np.bool_) if oldest_ns is None else points.times_ns >= oldest_ns
    refusals = [_too_old(points, int(line), oldest_ns) for line in np.flatnonzero(~accepted)[: bounds.most_named]] if oldest_ns is not None else []
    claims = _Claims(points, bucket)
    disputed = claims.disputed(known, accepted)
    if disputed:
        before, accepted = accepted, accepted.copy()
        for place, (line, (reason, clash)) in enumerate(claims.settle(disputed, known, before, bounds.check)):
            accepted[line] = False
            if bounds.most_named is None or place < bounds.most_named:
                refusals.append(Refusal(int(points.numbers[line]), "type_conflict", reason, clash))
    refusals = sorted(refusals, key=lambda one: one.line)[: bounds.most_named]
    new = tuple((name, shard, kind) for (name, shard), kinds in claims.made(accepted).items() if shard not in known.get(name, {}) for kind in kinds)
    return Judgement(accepted, tuple(refusals), new)


def _too_old(points: Points, line: int, oldest_ns: int) -> Refusal:
    reason = f"{format_time(int(points.times_ns[line]))} is before {format_time(oldest_ns)}, where the bucket's retention ends."
    return Refusal(int(points.numbers[line]), "outside_retention", reason)


class _Claims:
    """Which types the lines of a batch give to which fields, in which shard groups."""

    def __init__(self, points: Points, bucket: Bucket) -> None:
        self._points = points
        self._shard_ns = bucket.shard_ns
        self._shards, self._shard_of_line = np.unique(shard_numbers(points.times_ns, bucket.shard_ns), return_inverse=True)
        numbers: dict[FieldName, int] = {}
        self._field_of_key = np.array([numbers.setdefault((key.measurement, key.field), len(numbers)) for key in points.keys], np.int64)
        self._fields = list(numbers)

    def made(self, accepted: Mask) -> dict[tuple[FieldName, int], set[FieldType]]:
        claims: dict[tuple[FieldName, int], set[FieldType]] = {}
        for column in self._points.columns:
            for claim in _distinct(self._codes(column)[accepted[column.lines]], len(self._fields) * len(self._shards)):
                claims.setdefault(self._named(int(claim)), set()).add(column.type)
        return claims

    def disputed(self, known: Types, accepted: Mask) -> set[tuple[FieldName, int]]:
        """Field and shard group with more than one type, what is stored included."""
        return {(name, shard) for (name, shard), kinds in self.made(accepted).items() if len(kinds | _stored(known, name, shard)) > 1}

    def settle(
        self, disputed: set[tuple[FieldName, int]], known: Types, accepted: Mask, check: Callable[[], None]
    ) -> Iterator[tuple[int, tuple[str, TypeClash]]]:
        """Walk the lines that use a disputed field, in their order. The lines that lose, each with the reason."""
        settled = {claim: next(iter(_stored(known, *claim)), None) for claim in disputed}
        reasons: dict[tuple[tuple[FieldName, int], FieldType, FieldType], tuple[str, TypeClash]] = {}
        for line, claims in self._uses(disputed, accepted, check):
            conflict = _conflict(claims, settled)
            if conflict is None:
                settled.update(claims)
            else:
                if conflict not in reasons:
                    (measurement, field), _ = conflict[0]
                    reasons[conflict] = self._reason(*conflict), TypeClash(measurement, field, conflict[1])
                yield line, reasons[conflict]

    def _uses(
        self, disputed: set[tuple[FieldName, int]], accepted: Mask, check: Callable[[], None]
    ) -> Iterator[tuple[int, list[tuple[tuple[FieldName, int], FieldType]]]]:
        """Each line that uses a disputed field, ascending, with these fields and their types in it."""
        kinds = [column.type for column in self._points.columns]
        found = []
        for place, column in enumerate(self._points.columns):
            codes = self._codes(column)
            wanted = [int(code) for code in np.unique(codes) if self._named(int(code)) in disputed]
            rows = np.flatnonzero(np.isin(codes, wanted) & accepted[column.lines])
            found.append(np.stack((column.lines[rows].astype(np.int64), codes[rows], np.full(len(rows), place, np.int64))))
        uses = np.concatenate(found, axis=1)
        uses = uses[:, np.argsort(uses[0], kind="stable")]
        for line, group in groupby(_by_stretches(uses, check), key=lambda use: use[0]):
            yield line, [(self._named(code), kinds[place]) for _, code, place in group]

    def _codes(self, column: ValueColumn) -> Ints:
        codes: Ints = self._field_of_key[column.keys] * len(self._shards) + self._shard_of_line[column.lines]
        return codes

    def _named(self, code: int) -> tuple[FieldName, int]:
        field, shard = divmod(code, len(self._shards))
        return self._fields[field], int(self._shards[shard])

    def _reason(self, claim: tuple[FieldName, int], kind: FieldType, holds: FieldType) -> str:
        (measurement, field), shard = claim
        since = format_time(max(shard_start_of(shard, self._shard_ns), EARLIEST_NS))
        return f"Field {field!r} of {measurement!r} is {kind} here and {holds} in the shard group that begins at {since}; send it as {holds}."


def _by_stretches(uses: Ints, check: Callable[[], None]) -> Iterator[tuple[int, int, int]]:
    """The columns of `uses`, made into Python's numbers a stretch at a time."""
    for start in range(0, uses.shape[1], _STRETCH):
        check()
        yield from zip(*uses[:, start : start + _STRETCH].tolist(), strict=True)


def _conflict(
    claims: list[tuple[tuple[FieldName, int], FieldType]], settled: dict[tuple[FieldName, int], FieldType | None]
) -> tuple[tuple[FieldName, int], FieldType, FieldType] | None:
    own: dict[tuple[FieldName, int], FieldType] = {}
    for claim, kind in claims:
        holds = settled[claim] or own.setdefault(claim, kind)
        if holds is not kind:
            return claim, kind, holds
    return None


def _stored(known: Types, name: FieldName, shard: int) -> set[FieldType]:
    kind = known.get(name, {}).get(shard)
    return set() if kind is None else {kind}


def _distinct(codes: Ints, size: int) -> Ints:
    """The distinct codes, all below `size`: by marking where that is cheap, by sorting else."""
    if size > _MANY * len(codes) + 65_536:
        return np.unique(codes)
    seen = np.zeros(size, np.bool_)
    seen[codes] = True
    return np.flatnonzero(seen)


def used_keys(points: Points, accepted: Mask) -> Ints:
    """Places in `points.keys` of the series that the accepted lines write to."""
    used = np.zeros(len(points.keys), np.bool_)
    for column in points.columns:
        used[column.keys[accepted[column.lines]]] = True
    return np.flatnonzero(used)


def rows(points: Points, column: ValueColumn, series_of_key: npt.NDArray[np.int32], accepted: Mask) -> Rows:
    """The accepted values of a column, ready to be stored. Of values for one series and time the last one stays."""
    chosen = np.flatnonzero(accepted[column.lines])
    series = series_of_key[column.keys[chosen]]
    times_ns = points.times_ns[column.lines[chosen]]
    order = np.lexsort((times_ns, series))
    series, times_ns = series[order], times_ns[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (series[1:] != series[:-1]) | (times_ns[1:] != times_ns[:-1])
    return Rows(column.type, series[last], times_ns[last], column.values.take(pa.array(chosen[order[last]])))
