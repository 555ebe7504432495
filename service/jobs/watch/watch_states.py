"""What is known of each watch, in the state database: its silent series, and notices that nobody has taken yet.

A look stores the silent series and the notices about changes in one transaction, before anything is posted. So a
process may die at any moment: no change is lost, and none is noticed twice.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from service.domain.series import SeriesKey
from service.domain.silence import Change
from service.domain.timerange import format_time
from service.errors import RetryLater
from service.jobs.watch.tables import watch_states
from service.state.database import StateDatabase

Notice = Mapping[str, Any]
"""What is posted about a change, as JSON. `id` is the same whenever the notice is posted again."""


@dataclass(frozen=True)
class WatchState:
    """`looked_at`: of the last look that worked, seconds since 1970. `error`: why the last one did not, or a post.

    `series`: how many were seen. `silent`: the last point of each silent one. `version` grows with each change.
    """

    bucket: str = ""
    looked_at: float | None = None
    error: str | None = None
    series: int = 0
    silent: Mapping[SeriesKey, int] = field(default_factory=dict)
    notices: Sequence[Notice] = ()
    version: int = 0


def notice_of(watch: str, bucket: str, change: Change) -> Notice:
    """The notice about a change."""
    document = {
        "watch": watch,
        "bucket": bucket,
        "series": {"measurement": change.series.measurement, "tags": dict(change.series.tags)},
        "state": "silent" if change.is_silent else "back",
        "since": format_time(change.since_ns),
    }
    digest = hashlib.blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=16)
    return {"id": digest.hexdigest(), **document}


class WatchStates:
    """The states by the name of the watch. Every method raises NotReady."""

    def __init__(self, database: StateDatabase) -> None:
        self._database = database

    def all(self) -> dict[str, WatchState]:
        with self._database.read() as connection:
            return {row.name: _state(row) for row in connection.execute(sa.select(watch_states))}

    def get(self, name: str) -> WatchState:
        """The state of a watch; that of a new one where nothing is known."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(watch_states).where(watch_states.c.name == name)).first()
        return WatchState() if row is None else _state(row)

    def replace(self, name: str, state: WatchState) -> WatchState:
        """Store `state`, which was made of the stored one, with its version; the result has the next version.

        Raises RetryLater when another process has stored something meanwhile.
        """
        stored = dataclasses.replace(state, version=state.version + 1)
        values = {**_columns(state), "version": stored.version}
        with self._database.write() as connection:
            if not state.version and _row(connection, name) is None:
                connection.execute(sa.insert(watch_states).values(name=name, **values))
            else:
                is_known = sa.and_(watch_states.c.name == name, watch_states.c.version == state.version)
                if not connection.execute(sa.update(watch_states).where(is_known).values(values)).rowcount:
                    raise RetryLater("Another process looked at the same time. The next look goes on from there.")
        return stored

    def taken(self, name: str, notice_id: str) -> None:
        """Forget a notice that the webhook has taken."""
        self._change(name, lambda row: {"notices": [each for each in row.notices if each["id"] != notice_id]})

    def failed(self, name: str, error: str) -> None:
        """Note why a look or a post did not work. A watch that was never looked at gets its row."""
        error = error.replace("\0", "\ufffd")  # PostgreSQL's texts cannot hold a NUL
        if not self._change(name, lambda row: {"error": error}):
            self.replace(name, WatchState(error=error))

    def keep_only(self, names: Collection[str]) -> None:
        """Forget the watches of other names."""
        is_other = watch_states.c.name.not_in(sorted(names))
        with self._database.read() as connection:
            others = connection.execute(sa.select(watch_states.c.name).where(is_other)).all()
        if others:
            self._database.change(sa.delete(watch_states).where(is_other))

    def _change(self, name: str, changed: Callable[[Any], dict[str, Any]]) -> bool:
        """Change the row of a watch; False when there is none."""
        with self._database.write() as connection:
            row = _row(connection, name)
            if row is None:
                return False
            values = {**changed(row), "version": row.version + 1}
            connection.execute(sa.update(watch_states).where(watch_states.c.name == name).values(values))
        return True


def _row(connection: sa.Connection, name: str) -> Any:  # noqa: ANN401  (a row has the columns as attributes)
    return connection.execute(sa.select(watch_states).where(watch_states.c.name == name).with_for_update()).first()


def _columns(state: WatchState) -> dict[str, Any]:
    silent = [[series.measurement, list(map(list, series.tags)), last] for series, last in state.silent.items()]
    return {
        "bucket": state.bucket,
        "looked_at": state.looked_at,
        "error": state.error,
        "series": state.series,
        "silent": silent,
        "notices": list(state.notices),
    }


def _state(row: Any) -> WatchState:  # noqa: ANN401
    silent = {SeriesKey(measurement, tuple(map(tuple, tags))): last_ns for measurement, tags, last_ns in row.silent}
    return WatchState(row.bucket, row.looked_at, row.error, row.series, silent, tuple(row.notices), row.version)
