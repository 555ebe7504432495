"""The records of a mirror: when each pair of buckets was compared and copied last, and whether each slice is equal.

A slice without a record is unknown. Records are written only after both buckets were asked, or after the target
acknowledged. A run without records copies the same points; records only save it work.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.slicing import slice_start
from service.domain.timerange import EARLIEST_NS
from service.jobs.mirror.lateness import note_lateness
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.tables import mirror_pairs, mirror_slices
from service.state.database import StateDatabase
from service.state.inserts import insert_into

_ROWS = 500
"""The most records in one statement."""
_SLICE_KEY = ("mirror", "source", "target", "start_ns")


@dataclass(frozen=True)
class PairState:
    """`counted_at`: when the last run that counted everything began. `succeeded_at`: when the last successful run did.

    `copied`: how many points all runs copied.
    """

    counted_at: float | None
    succeeded_at: float | None
    copied: int


@dataclass(frozen=True)
class SliceTotals:
    """How many slices are in each state, the points in equal slices, and the values that the target refused."""

    states: Mapping[str, int]
    points: int
    rejected: int


class PairLedger:
    """The records of one pair of buckets.

    The slice with the earliest instant begins before that instant, outside 64 bits. Its row has the instant as start.
    """

    def __init__(self, database: StateDatabase, mirror: str, source: str, target: str) -> None:
        self._database = database
        self._key = {"mirror": mirror, "source": source, "target": target}
        self._step_ns = 1

    def find(self, identity: str, step_ns: int) -> PairState | None:
        """The state that earlier runs left.

        None: there is none, or it is of another `identity` (what is mirrored from where to where) or slice length.
        """
        self._step_ns = step_ns
        with self._database.read() as connection:
            row = connection.execute(sa.select(mirror_pairs).where(_is(mirror_pairs, self._key))).first()
        if row is None or (row.identity, row.step_ns) != (identity, step_ns):
            return None
        return PairState(row.counted_at, row.succeeded_at, row.copied)

    def open(self, identity: str, step_ns: int) -> PairState:
        """The state to begin a run with. Where `find` gives none, all records of the pair are removed first."""
        state = self.find(identity, step_ns)
        if state is not None:
            return state
        with self._database.write() as connection:
            connection.execute(sa.delete(mirror_pairs).where(_is(mirror_pairs, self._key)))
            connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key)))
            fresh = {"identity": identity, "step_ns": step_ns, "counted_at": None, "succeeded_at": None, "copied": 0}
            connection.execute(sa.insert(mirror_pairs).values(**self._key, **fresh))
        return PairState(None, None, 0)

    def records(self) -> dict[int, SliceRecord]:
        """All records of the pair, by the start of their slice. To be called after `open`, or a `find` with a state."""
        of_pair = sa.select(mirror_slices).where(_is(mirror_slices, self._key)).order_by(mirror_slices.c.start_ns)
        with self._database.read() as connection:
            rows = connection.execute(of_pair).all()
        records = [_record(row, slice_start(row.start_ns, self._step_ns)) for row in rows]
        return {record.start_ns: record for record in records}

    def put(self, records: Iterable[SliceRecord], copied: int = 0) -> None:
        """Store records, and add to the points that were copied: both or neither."""
        rows = [_row(self._key, record) for record in records]
        with self._database.write() as connection:
            for start in range(0, len(rows), _ROWS):
                _upsert(connection, rows[start : start + _ROWS])
            if copied:
                of_pair = sa.update(mirror_pairs).where(_is(mirror_pairs, self._key))
                connection.execute(of_pair.values(copied=mirror_pairs.c.copied + copied))

    def note_lateness(self, context: PairContext, late_ns: int, now: float) -> None:
        """Keep how late points of the pair were, at `now` (seconds since 1970)."""
        note_lateness(self._database, context, late_ns, now)

    def forget_before(self, start_ns: int) -> None:
        """Remove the records of slices that begin before `start_ns`: a retention has reached them."""
        is_earlier = mirror_slices.c.start_ns < start_ns
        with self._database.write() as connection:
            connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key), is_earlier))

    def forget(self, starts: Sequence[int]) -> None:
        """Remove the records of these slices: they are empty in both buckets."""
        for begin in range(0, len(starts), _ROWS):
            batch = [_stored(start_ns) for start_ns in starts[begin : begin + _ROWS]]
            is_in_batch = mirror_slices.c.start_ns.in_(batch)
            with self._database.write() as connection:
                connection.execute(sa.delete(mirror_slices).where(_is(mirror_slices, self._key), is_in_batch))

    def succeeded(self, at: float, counted_all: bool) -> None:
        """Note that a run which began at `at` succeeded. `counted_all`: it counted the whole buckets."""
        values = {"succeeded_at": at, **({"counted_at": at} if counted_all else {})}
        with self._database.write() as connection:
            connection.execute(sa.update(mirror_pairs).where(_is(mirror_pairs, self._key)).values(values))


def pairs_of(database: StateDatabase, mirror: str) -> dict[tuple[str, str], tuple[PairState, SliceTotals]]:
    """State and totals of every pair that a run of this mirror has begun, by source and target."""
    by_state = (
        sa.select(
            mirror_slices.c.source, mirror_slices.c.target, mirror_slices.c.state,
            sa.func.count().label("slices"),
            sa.func.sum(mirror_slices.c.points).label("points"),
            sa.func.sum(mirror_slices.c.rejected).label("rejected"),
        )
        .where(mirror_slices.c.mirror == mirror)
        .group_by(mirror_slices.c.source, mirror_slices.c.target, mirror_slices.c.state)
    )  # fmt: skip
    with database.read() as connection:
        pairs = connection.execute(sa.select(mirror_pairs).where(mirror_pairs.c.mirror == mirror)).all()
        totals = connection.execute(by_state).all()
    by_pair = {}
    for row in pairs:
        of_pair = [total for total in totals if (total.source, total.target) == (row.source, row.target)]
        counts = {total.state: total.slices for total in of_pair}
        states = {state.value: counts.get(state.value, 0) for state in SliceState}
        points = sum(int(total.points) for total in of_pair if total.state == "equal")
        slices = SliceTotals(states, points, sum(int(total.rejected) for total in of_pair))
        by_pair[(row.source, row.target)] = (PairState(row.counted_at, row.succeeded_at, row.copied), slices)
    return by_pair


@dataclass(frozen=True)
class SliceSummary:
    """A slice as a calendar shows it. `start_ns` is as in the row; `rejected` values the target refused."""

    start_ns: int
    state: SliceState
    points: int
    rejected: int
    compared_at: float


def newest_slices(
    database: StateDatabase, mirror: str, source: str, target: str, before_ns: int, limit: int
) -> tuple[int, list[SliceSummary]] | None:
    """The length of a pair's slices (ns), and those that begin before `before_ns`, the newest first, at most `limit`.

    None: no run of the mirror has begun with this pair.
    """
    key = {"mirror": mirror, "source": source, "target": target}
    columns = mirror_slices.c
    newest = (
        sa.select(columns.start_ns, columns.state, columns.points, columns.rejected, columns.compared_at)
        .where(_is(mirror_slices, key), columns.start_ns < before_ns)
        .order_by(columns.start_ns.desc())
        .limit(limit)
    )
    with database.read() as connection:
        step_ns = connection.execute(sa.select(mirror_pairs.c.step_ns).where(_is(mirror_pairs, key))).scalar()
        rows = connection.execute(newest).all()
    if step_ns is None:
        return None
    summaries = [
        SliceSummary(row.start_ns, SliceState(row.state), row.points, row.rejected, row.compared_at) for row in rows
    ]
    return step_ns, summaries


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
    add = insert_into(mirror_slices, connection.dialect).values(list(rows))
    changed = {name: add.excluded[name] for name in rows[0] if name not in _SLICE_KEY}
    connection.execute(add.on_conflict_do_update(index_elements=_SLICE_KEY, set_=changed))
