"""How late points of a bucket arrive: measured from the counts that a mirror compares anyway, and kept by day.

The measure belongs to both buckets of a pair: what is late in the source is as late in the copy.
"""

import hashlib
from collections.abc import Mapping

import sqlalchemy as sa

from service.domain.endpoint import Endpoint
from service.domain.lateness import KEPT_DAYS, lateness_ns
from service.domain.mirror_slices import SliceRecord, SliceState
from service.domain.slicing import slice_range, slice_start
from service.frames.slice_digest import SliceDigest
from service.jobs.mirror.pair_context import PairContext
from service.jobs.mirror.tables import mirror_lateness
from service.state.database import StateDatabase
from service.state.inserts import insert_into
from service.transfer.bucket_reader import SliceDigests

_DAY_S = 86_400
_NOTHING = SliceDigest()


class LatenessMeter:
    """Measures in one run how late the points of a pair are. `late_ns` is the most so far.

    `last_run_at`: when the last successful run began, in seconds since 1970; None: there was none, and nothing can be
    measured.
    """

    def __init__(self, context: PairContext) -> None:
        self.last_run_at: float | None = None
        self.late_ns = 0
        self._context = context

    def add(
        self,
        source: SliceDigests,
        pieces: tuple[SliceDigests, SliceDigests],
        step_ns: int,
        known: Mapping[int, SliceRecord],
    ) -> None:
        """Look at what a slice gained. `source`: the counts of the source by slice; `pieces`: those of both buckets by
        pieces of `step_ns`; `known`: the records before the run.

        A slice that was not equal before lacks points for another reason, and so may one that has no more than then.
        """
        if self.last_run_at is None:
            return
        in_source, in_target = pieces
        gained = (
            slice_range(start_ns, step_ns)
            for start_ns, digest in in_source.items()
            if digest.count > in_target.get(start_ns, _NOTHING).count and self._has_gained(start_ns, source, known)
        )
        late_ns = lateness_ns(gained, int(self.last_run_at * 1e9), self._context.mirror.rescan_ns)
        self.late_ns = max(self.late_ns, late_ns)

    def _has_gained(self, time_ns: int, source: SliceDigests, known: Mapping[int, SliceRecord]) -> bool:
        start_ns = slice_start(time_ns, self._context.step_ns)
        record = known.get(start_ns)
        if record is None:
            return True
        return record.state is SliceState.EQUAL and source.get(start_ns, _NOTHING).count > record.points


def note_lateness(database: StateDatabase, context: PairContext, late_ns: int, now: float) -> None:
    """Keep the most that was measured today, of both buckets of a pair, and drop days that no longer count."""
    day = int(now // _DAY_S)
    mirror, pair, table = context.mirror, context.pair, mirror_lateness
    buckets = ((mirror.source, pair.source), (mirror.target, pair.target))
    with database.write() as connection:
        for key in ({"store": store_key(endpoint), "bucket": bucket} for endpoint, bucket in buckets):
            new = insert_into(table, connection.dialect).values(**key, day=day, late_ns=late_ns)
            connection.execute(new.on_conflict_do_nothing())
            is_bucket = sa.and_(table.c.store == key["store"], table.c.bucket == key["bucket"])
            is_less = sa.and_(is_bucket, table.c.day == day, table.c.late_ns < late_ns)
            connection.execute(sa.update(table).where(is_less).values(late_ns=late_ns))
            connection.execute(sa.delete(table).where(is_bucket, table.c.day <= day - KEPT_DAYS))


def measured_lateness(database: StateDatabase, endpoint: Endpoint, now: float) -> dict[str, int]:
    """How late the points of each bucket of a store were in the last days, in ns; buckets without a finding are
    absent.
    """
    table, first_day = mirror_lateness, int(now // _DAY_S) - KEPT_DAYS + 1
    of_store = sa.and_(table.c.store == store_key(endpoint), table.c.day >= first_day)
    latest = sa.select(table.c.bucket, sa.func.max(table.c.late_ns)).where(of_store).group_by(table.c.bucket)
    with database.read() as connection:
        return {bucket: int(late_ns) for bucket, late_ns in connection.execute(latest)}


def store_key(endpoint: Endpoint) -> str:
    """How the rows of a store are marked."""
    return hashlib.sha256(repr(endpoint.identity).encode()).hexdigest()
