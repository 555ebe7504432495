"""The digests of accepted windows, so that a look-back sends again only what has changed since.

A window is known by its slot: the multiple of the length of windows in which it begins. Digests of another length say
nothing about windows of now.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from service.domain.timerange import TimeRange, floor_to
from service.frames.slice_digest import SliceDigest
from service.jobs.forward.tables import connector_windows as table
from service.state.database import StateDatabase
from service.state.inserts import insert_into

_ROWS = 300
"""The most rows in one statement."""


@dataclass(frozen=True)
class WindowDigest:
    """The digest of the values that were accepted of the slot at `slot_ns`, which is `length_ns` long."""

    slot_ns: int
    length_ns: int
    digest: str

    @classmethod
    def of(cls, window: TimeRange, length_ns: int, digest: SliceDigest) -> "WindowDigest":
        return cls(floor_to(window.start_ns, length_ns), length_ns, digest_text(digest))


def digest_text(digest: SliceDigest) -> str:
    """A text that is equal when the values are equal to the bit."""
    return f"{digest.counts}:{digest.checksum}"


class WindowDigests:
    """The digests of all connectors."""

    def __init__(self, database: StateDatabase) -> None:
        self._database = database

    def known(self, name: str, span: TimeRange, length_ns: int) -> dict[int, str]:
        """The digests of slots of this length that touch `span`, by their start."""
        first_ns = floor_to(span.start_ns, length_ns)
        in_span = (table.c.slot_ns >= first_ns) & (table.c.slot_ns < span.stop_ns)
        query = sa.select(table.c.slot_ns, table.c.digest)
        with self._database.read() as connection:
            rows = connection.execute(query.where(table.c.name == name, table.c.length_ns == length_ns, in_span)).all()
        return {row.slot_ns: row.digest for row in rows}

    def put_on(self, connection: sa.Connection, name: str, digests: Sequence[WindowDigest]) -> None:
        """Keep digests inside the caller's transaction."""
        rows = [
            {"name": name, "slot_ns": digest.slot_ns, "length_ns": digest.length_ns, "digest": digest.digest}
            for digest in digests
        ]
        for start in range(0, len(rows), _ROWS):
            add = insert_into(table, connection.dialect).values(rows[start : start + _ROWS])
            new = {"length_ns": add.excluded.length_ns, "digest": add.excluded.digest}
            connection.execute(add.on_conflict_do_update(index_elements=["name", "slot_ns"], set_=new))

    def forget_on(self, connection: sa.Connection, name: str, before_ns: int | None) -> None:
        """Remove the digests of slots that begin before `before_ns`; None: all."""
        of_connector = sa.delete(table).where(table.c.name == name)
        connection.execute(of_connector if before_ns is None else of_connector.where(table.c.slot_ns < before_ns))
