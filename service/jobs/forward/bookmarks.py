"""The bookmarks of connectors in SQL. A window is accepted once the upstream accepted or refused each of its values.

One transaction writes the position, the counts, the digest and the dead letters of a window: all or none. The position
is merged into what is stored, so it never goes backwards by itself, whichever processes write. A human may set it to
any time. Runs that began before that can no longer move it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa

from service.domain.forwarding import Position
from service.domain.timerange import TimeRange
from service.errors import NotReady
from service.jobs.forward.connector_state import NOTHING_KNOWN, ConnectorState, Stop, document_of, state_of
from service.jobs.forward.counts import Counts
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.jobs.forward.tables import connector_bookmarks as table
from service.jobs.forward.window_digests import WindowDigest, WindowDigests
from service.state.database import StateDatabase
from service.state.inserts import insert_into
from service.transfer.dead_letters import DeadLetter

_NEW_ROW = {
    "ahead": [], "tried": {}, "generation": 0, "version": 0,
    "points_read": 0, "points_accepted": 0, "points_refused": 0, "posts": 0, "posts_unknown": 0,
}  # fmt: skip
_MOST_TRIED = 50
"""Windows that are being sent. There are a few; those of runs that a human ended are forgotten at last."""


class BookmarkMoved(Exception):
    """A human set the bookmark while a run was under way. What the run knows of the position is no longer true."""


@dataclass(frozen=True)
class Acceptance:
    """A window that the upstream decided about. `digest` None: nothing looks back at it."""

    window: TimeRange
    counts: Counts
    dead_letters: Sequence[DeadLetter] = ()
    digest: WindowDigest | None = None


class Bookmarks:
    """The states of all connectors. `clock` gives seconds since 1970."""

    def __init__(self, database: StateDatabase, letters: DeadLetterTable, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self.letters = letters
        self.digests = WindowDigests(database)

    def get(self, name: str) -> ConnectorState:
        """The state of the connector `name`."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(table).where(table.c.name == name)).first()
        return NOTHING_KNOWN if row is None else state_of(row)

    def all(self) -> dict[str, ConnectorState]:
        """The states of all connectors of which something is known, by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table)).all()
        return {row.name: state_of(row) for row in rows}

    def begin(self, name: str, bookmark_ns: int) -> ConnectorState:
        """Set the first bookmark, where there is none yet. Returns the state."""
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            if state.position is None:
                self._change(connection, name, version, began_ns=bookmark_ns, bookmark_ns=bookmark_ns)
        return self.get(name)

    def accept(self, name: str, generation: int, acceptances: Sequence[Acceptance], at: float) -> ConnectorState:
        """Note what was accepted. Returns the state after it.

        Raises BookmarkMoved: a human set the bookmark after `generation`. Raises UpstreamStopped: no room for dead
        letters. In both cases nothing is noted.
        """
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            if state.generation != generation or state.position is None:
                raise BookmarkMoved
            position, counts = state.position, state.counts
            for acceptance in acceptances:
                position = position.with_accepted(acceptance.window)
                counts += acceptance.counts
                self.letters.add_on(connection, name, acceptance.dead_letters)
            digests = [acceptance.digest for acceptance in acceptances if acceptance.digest is not None]
            self.digests.put_on(connection, name, digests)
            tried = _untried(state.tried, [acceptance.window for acceptance in acceptances])
            columns = {**_columns(position), **_count_columns(counts), "tried": tried, "accepted_at": at}
            self._change(connection, name, version, **columns)
        return replace(state, position=position, counts=counts, tried=tried, accepted_at=at)

    def count(
        self, name: str, counts: Counts, dead_letters: Sequence[DeadLetter] = (), windows: Sequence[TimeRange] = ()
    ) -> None:
        """Note what was sent of `windows` outside of the schedule: the position stays.

        Raises UpstreamStopped as `accept` does.
        """
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            self.letters.add_on(connection, name, dead_letters)
            tried = _untried(state.tried, windows)
            self._change(connection, name, version, tried=tried, **_count_columns(state.counts + counts))

    def try_window(self, name: str, window: TimeRange, at: float) -> float | None:
        """Note that `window` is sent from `at` on. Returns when that was noted first, in an earlier run; else None."""
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            known = state.tried.get(_label(window))
            if known is None:
                newest = dict(list(state.tried.items())[-_MOST_TRIED + 1 :])
                self._change(connection, name, version, tried={**newest, _label(window): at})
        return known

    def live_from(self, name: str, generation: int, start_ns: int) -> None:
        """Note where the windows of the live lane begin. Raises BookmarkMoved."""
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            if state.generation != generation:
                raise BookmarkMoved
            self._change(connection, name, version, live_from_ns=start_ns)

    def looked_back(self, name: str, at: float, forget_before_ns: int) -> None:
        """Note a look-back that began at `at`, and forget the digests of windows before `forget_before_ns`."""
        with self._database.write() as connection:
            _, version = self._locked(connection, name)
            self.digests.forget_on(connection, name, forget_before_ns)
            self._change(connection, name, version, looked_back_at=at)

    def set(self, name: str, bookmark_ns: int | None, by: str) -> ConnectorState:
        """Set the bookmark by hand, to any time; None: begin anew, as configured. Digests are forgotten."""
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            self.digests.forget_on(connection, name, None)
            self._change(
                connection,
                name,
                version,
                began_ns=bookmark_ns,
                bookmark_ns=bookmark_ns,
                ahead=[],
                live_from_ns=None,
                looked_back_at=None,
                generation=state.generation + 1,
                set_by=by,
            )
        return self.get(name)

    def stop(self, name: str, code: str, message: str, configuration: str) -> None:
        """Note that the connector does not run by itself any more, and why."""
        with self._database.write() as connection:
            _, version = self._locked(connection, name)
            stop = Stop(self._clock(), code, message, configuration)
            self._change(connection, name, version, stopped=asdict(stop))

    def resume(self, name: str) -> bool:
        """Let the connector run by itself again. Returns whether it was stopped."""
        with self._database.write() as connection:
            state, version = self._locked(connection, name)
            if state.stop is not None:
                self._change(connection, name, version, stopped=None)
        return state.stop is not None

    def _locked(self, connection: sa.Connection, name: str) -> tuple[ConnectorState, int]:
        """The state and version of the row, which is made where it is missing; nobody else changes it meanwhile."""
        new = insert_into(table, connection.dialect).values(name=name, **_NEW_ROW)
        connection.execute(new.on_conflict_do_nothing(index_elements=["name"]))
        row = connection.execute(sa.select(table).where(table.c.name == name).with_for_update()).one()
        return state_of(row), row.version

    def _change(self, connection: sa.Connection, name: str, version: int, **columns: object) -> None:
        """Compare and set. Raises NotReady where another process changed the row in spite of the lock."""
        of_version = sa.update(table).where(table.c.name == name, table.c.version == version)
        if connection.execute(of_version.values(version=version + 1, **columns)).rowcount != 1:
            raise NotReady(f"The bookmark of the connector {name!r} is changed by another process. Try again.")


def _label(window: TimeRange) -> str:
    return f"{window.start_ns}:{window.stop_ns}"


def _untried(tried: Mapping[str, float], windows: Sequence[TimeRange]) -> dict[str, float]:
    """`tried` without these windows."""
    decided = {_label(window) for window in windows}
    return {label: at for label, at in tried.items() if label not in decided}


def _columns(position: Position) -> dict[str, object]:
    return {"bookmark_ns": position.bookmark_ns, "ahead": document_of(position.ahead)}


def _count_columns(counts: Counts) -> dict[str, int]:
    return {
        "points_read": counts.read,
        "points_accepted": counts.accepted,
        "points_refused": counts.refused,
        "posts": counts.posts,
        "posts_unknown": counts.unknown,
    }
