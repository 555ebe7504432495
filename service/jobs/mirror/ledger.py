"""What a mirror knows: of each pair of buckets when it was compared and copied last, and of each slice whether both
buckets are equal.

A slice without a record is unknown. Records are written only after both buckets were asked, or after the target
acknowledged. What they say is never needed to copy right, only to copy less.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.slicing import slice_start
from service.domain.timerange import EARLIEST_NS
from service.jobs.mirror.tables import mirror_pairs, mirror_slices
from service.state.database import StateDatabase

_ROWS = 500
"""At most so many records in one statement."""


@dataclass(frozen=True)
class PairState:
    """When everything was counted last, and when a run over the pair succeeded last (both: when that run began); points
    copied in all."""

    counted_at: float | None
    succeeded_at: float | None
    copied: int


@dataclass(frozen=True)
class SliceTotals:
    """How many slices are in each state, the points that are known to be in both buckets, and those that the target
    refused."""

    states: Mapping[str, int]
    points: int
    rejected: int


class PairLedger:
    """The records of one pair of buckets.

    The slice that holds the first instant there is begins before it, beyond 64 bits: it is stored under that instant.
    """

    def __init__(self, database: StateDatabase, mirror: str, source: str, target: str) -> None:
        self._database = database
        self._key = {"mirror": mirror, "source": source, "target": target}
        self._step_ns = 1

    def look(self, identity: str, step_ns: int) -> PairState | None:
        """What earlier runs left; None when there are none, or when `identity` (what is mirrored from where to where)
        or the length of slices was another one."""
        self._step_ns = step_ns
        with self._database.read() as connection:
            row = connection.execute(sa.select(mirror_pairs).where(_is(mirror_pairs, self._key))).first()
        if row is None or (row.identity, row.step_ns) != (identity, step_ns):
            return None
        return PairState(row.counted_at, row.succeeded_at, row.copied)

    def open(self, identity: str, step_ns: int) -> PairState:
        """Begin a run that changes something.

        Where `look` finds nothing, all that was known of the pair is forgotten first.
        """
        known = self.look(identity, step_ns)
        if known is not None:
            return known
        with self._database.write() as connection:
            connection.execute(sa.delete(mirror_pairs).where(_is(mirror_pairs, self._key)))
            connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key)))
            fresh = {"identity": identity, "step_ns": step_ns, "counted_at": None, "succeeded_at": None, "copied": 0}
            connection.execute(sa.insert(mirror_pairs).values(**self._key, **fresh))
        return PairState(None, None, 0)

    def known(self) -> dict[int, SliceRecord]:
        """By the slice's start, after `open`, or after a `look` that found something."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(mirror_slices).where(_is(mirror_slices, self._key)).order_by(mirror_slices.c.start_ns))
            records = [_record(row, slice_start(row.start_ns, self._step_ns)) for row in rows]
        return {record.start_ns: record for record in records}

    def note(self, records: Iterable[SliceRecord], copied: int = 0) -> None:
        """Put records, and count points that were copied. All or nothing."""
        rows = [_row(self._key, record) for record in records]
        with self._database.write() as connection:
            for start in range(0, len(rows), _ROWS):
                _upsert(connection, rows[start : start + _ROWS])
            if copied:
                mine = sa.update(mirror_pairs).where(_is(mirror_pairs, self._key))
                connection.execute(mine.values(copied=mirror_pairs.c.copied + copied))

    def forget_before(self, start_ns: int) -> None:
        """Of slices that begin before, which a retention has reached, nothing is known any more."""
        with self._database.write() as connection:
            connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key), mirror_slices.c.start_ns < start_ns))

    def forget(self, starts: Sequence[int]) -> None:
        """Of these slices, which are empty in both buckets, nothing is known any more."""
        for begin in range(0, len(starts), _ROWS):
            some = [_stored(start_ns) for start_ns in starts[begin : begin + _ROWS]]
            with self._database.write() as connection:
                connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key), mirror_slices.c.start_ns.in_(some)))

    def succeeded(self, at: float, counted_all: bool) -> None:
        """A run that began at `at` compared and copied all that it had to."""
        values = {"succeeded_at": at, **({"counted_at": at} if counted_all else {})}
        with self._database.write() as connection:
            connection.execute(sa.update(mirror_pairs).where(_is(mirror_pairs, self._key)).values(values))


def pairs_of(database: StateDatabase, mirror: str) -> dict[tuple[str, str], tuple[PairState, SliceTotals]]:
    """Every pair that a run of this mirror ever began, by source and target."""
    by_state = (
        sa.select(
            mirror_slices.c.source, mirror_slices.c.target, mirror_slices.c.state, sa.func.count().label("slices"),
            sa.func.sum(mirror_slices.c.points).label("points"), sa.func.sum(mirror_slices.c.rejected).label("rejected"),
        )
        .where(mirror_slices.c.mirror == mirror)
        .group_by(mirror_slices.c.source, mirror_slices.c.target, mirror_slices.c.state)
    )  # fmt: skip
    with database.read() as connection:
        pairs = connection.execute(sa.select(mirror_pairs).where(mirror_pairs.c.mirror == mirror)).all()
        totals = connection.execute(by_state).all()
    known = {}
    for row in pairs:
        of_pair = [total for total in totals if (total.source, total.target) == (row.source, row.target)]
        states = {state.value: sum(total.slices for total in of_pair if total.state == state.value) for state in SliceState}
        points = sum(int(total.points) for total in of_pair if total.state == "equal")
        slices = SliceTotals(states, points, sum(int(total.rejected) for total in of_pair))
        known[(row.source, row.target)] = (PairState(row.counted_at, row.succeeded_at, row.copied), slices)
    return known


def _is(table: sa.Table, key: Mapping[str, str]) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in key.items()))


def _stored(start_ns: int) -> int:
    return max(start_ns, EARLIEST_NS)


def _record(row: sa.Row[Any], start_ns: int) -> SliceRecord:
    return SliceRecord(
        start_ns,
        SliceState(row.state),
        row.points,
        row.source_counts,
        row.target_counts,
        row.checksum,
        row.rejected,
        row.compared_at,
        row.summed_at,
    )


def _row(key: Mapping[str, str], record: SliceRecord) -> dict[str, Any]:
    return {
        **key,
        "start_ns": _stored(record.start_ns),
        "state": record.state.value,
        "points": record.points,
        "source_counts": record.source_counts,
        "target_counts": record.target_counts,
        "checksum": record.checksum,
        "rejected": record.rejected,
        "compared_at": record.compared_at,
        "summed_at": record.values_compared_at,
    }


def _upsert(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    add = insert(mirror_slices).values(list(rows))
    changed = {name: add.excluded[name] for name in rows[0] if name not in ("mirror", "source", "target", "start_ns")}
    connection.execute(add.on_conflict_do_update(index_elements=["mirror", "source", "target", "start_ns"], set_=changed))
