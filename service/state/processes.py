"""Signs of life of the processes that share a state database: gateways, workers and schedulers.

A process that ends by itself says so. One that was killed is missed once it has been silent for `ALIVE_S`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from service.domain.roles import Role
from service.state.database import StateDatabase
from service.state.inserts import insert_into
from service.state.tables import processes

BEAT_EVERY_S = 10.0
ALIVE_S = 3 * BEAT_EVERY_S
"""A process is alive while its last sign of life is not older."""
_KEPT_S = 7 * 86_400.0


@dataclass(frozen=True)
class Process:
    """A process by its name (host, process id and some letters), and the version of Fluxgate that it runs."""

    name: str
    role: Role
    version: str


@dataclass(frozen=True)
class RolePresence:
    """How many processes of a role are alive, and when one of them last was, in seconds since 1970; None: never."""

    alive: int
    seen_at: float | None


class ProcessStore:
    """Signs of life. `clock` gives seconds since 1970. Every method raises NotReady."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def beat(self, process: Process) -> None:
        """Note that `process` is alive now."""
        now = self._clock()
        row = {"role": process.role.value, "version": process.version, "seen_at": now, "left_at": None}
        add = insert_into(processes, self._database.engine.dialect).values(name=process.name, started_at=now, **row)
        self._database.change(add.on_conflict_do_update(index_elements=["name"], set_=row))

    def leave(self, process: Process) -> None:
        """Note that `process` ends now."""
        now = self._clock()
        ends = sa.update(processes).where(processes.c.name == process.name).values(seen_at=now, left_at=now)
        self._database.change(ends)

    def presence(self) -> dict[Role, RolePresence]:
        """The presence of every role."""
        is_alive = processes.c.left_at.is_(None) & (processes.c.seen_at > self._clock() - ALIVE_S)
        count = sa.func.sum(sa.case((is_alive, 1), else_=0))
        query = sa.select(processes.c.role, count, sa.func.max(processes.c.seen_at)).group_by(processes.c.role)
        with self._database.read() as connection:
            rows = {role: RolePresence(int(alive), seen_at) for role, alive, seen_at in connection.execute(query)}
        return {role: rows.get(role.value, RolePresence(0, None)) for role in Role}

    def prune(self) -> None:
        """Forget processes that have been silent for a week, except the newest of each role."""
        newest = sa.select(sa.func.max(processes.c.seen_at)).group_by(processes.c.role)
        old = processes.c.seen_at < self._clock() - _KEPT_S
        self._database.change(sa.delete(processes).where(old, processes.c.seen_at.not_in(newest)))
