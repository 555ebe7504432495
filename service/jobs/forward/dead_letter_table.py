"""The values that upstreams refused, in the state database: any machine can show them and send them again.

A value that is refused again is kept once. The number for each connector is bounded; nothing is dropped at the bound.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from service.errors import UpstreamStopped
from service.jobs.forward.tables import connector_dead_letters as table
from service.state.database import StateDatabase
from service.state.inserts import insert_into
from service.transfer.dead_letters import DeadLetter

_ROWS = 300
"""The most rows in one statement."""
_SAYS_WHY = ("code", "reason", "status", "upstream")
"""Members that say why a value was refused. They do not tell two values apart."""


@dataclass(frozen=True)
class StoredLetter:
    """A dead letter with its number in the table."""

    number: int
    letter: DeadLetter


@dataclass(frozen=True)
class LetterTotals:
    """How many dead letters there are, and the time of the oldest point among them."""

    count: int = 0
    oldest_ns: int | None = None


class DeadLetterTable:
    """The dead letters of all connectors. `most`: of each connector. `clock` gives seconds since 1970."""

    def __init__(self, database: StateDatabase, clock: Callable[[], float], most: int) -> None:
        self._database = database
        self._clock = clock
        self._most = most

    def add_on(self, connection: sa.Connection, name: str, letters: Sequence[DeadLetter]) -> None:
        """Keep `letters` inside the caller's transaction. Raises UpstreamStopped: there is no room for them."""
        if not letters:
            return
        now = self._clock()
        rows = [
            {
                "name": name,
                "fingerprint": fingerprint(letter),
                "at": now,
                "time_ns": letter["time_ns"],
                "letter": letter,
            }
            for letter in letters
        ]
        for start in range(0, len(rows), _ROWS):
            add = insert_into(table, connection.dialect).values(rows[start : start + _ROWS])
            connection.execute(add.on_conflict_do_nothing(index_elements=["name", "fingerprint"]))
        self.refuse_more(name, _count(connection, name))

    def refuse_more(self, name: str, count: int) -> None:
        """Raises UpstreamStopped: there is no room for `count` letters of `name`."""
        if count > self._most:
            raise UpstreamStopped(
                f"The upstream refuses values, and the connector {name!r} has no room for more dead letters "
                f"(CONNECTOR_MAX_DEAD_LETTERS={self._most}). Look at GET /connector/{name}/dead-letters, mend what "
                "they say, replay or remove them, and resume the connector."
            )

    def totals(self, name: str) -> LetterTotals:
        """What `name` has."""
        query = sa.select(sa.func.count(), sa.func.min(table.c.time_ns)).where(table.c.name == name)
        with self._database.read() as connection:
            return LetterTotals(*connection.execute(query).one())

    def all_totals(self) -> dict[str, LetterTotals]:
        """What each connector has that has any, by name."""
        query = sa.select(table.c.name, sa.func.count(), sa.func.min(table.c.time_ns)).group_by(table.c.name)
        with self._database.read() as connection:
            return {name: LetterTotals(count, oldest_ns) for name, count, oldest_ns in connection.execute(query)}

    def page(self, name: str, after: int, limit: int) -> list[StoredLetter]:
        """Letters with numbers above `after`, in the order in which they were refused."""
        later = sa.select(table.c.number, table.c.letter).where(table.c.name == name, table.c.number > after)
        with self._database.read() as connection:
            rows = connection.execute(later.order_by(table.c.number).limit(limit)).all()
        return [StoredLetter(row.number, row.letter) for row in rows]

    def remove(self, name: str, numbers: Sequence[int]) -> None:
        """Remove letters."""
        with self._database.write() as connection:
            for start in range(0, len(numbers), _ROWS):
                numbered = table.c.number.in_(numbers[start : start + _ROWS])
                connection.execute(sa.delete(table).where(table.c.name == name, numbered))

    def clear(self, name: str) -> int:
        """Remove all letters of `name`, and return how many were there."""
        with self._database.write() as connection:
            return connection.execute(sa.delete(table).where(table.c.name == name)).rowcount


def fingerprint(letter: DeadLetter) -> str:
    """A text that is equal for the same value of the same series and time, whatever the reason."""
    members = {name: member for name, member in letter.items() if name not in _SAYS_WHY}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _count(connection: sa.Connection, name: str) -> int:
    return int(connection.execute(sa.select(sa.func.count()).where(table.c.name == name)).scalar_one())
