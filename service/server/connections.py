"""Counts the open connections of one worker, and decides which connections it accepts and which it evicts."""

from collections import defaultdict
from enum import Enum
from typing import Protocol

from service.domain.origins import origin_of
from service.server.bounds import RESERVED_CONNECTIONS, ConnectionBounds


class Connection(Protocol):
    """A connection as it is counted here. `since` is the loop time of its last progress."""

    address: str
    since: float
    only_health: bool

    @property
    def waits_for_client(self) -> bool: ...

    def evict(self) -> None: ...


class Admission(Enum):
    """What a new connection may request: anything, only /health/, or nothing."""

    ALL = "all"
    HEALTH = "health"
    NONE = "none"


class Connections:
    """The connections of a worker. When it is full, the connection that waits longest for its client is evicted."""

    def __init__(self) -> None:
        self._by_origin: dict[str, set[Connection]] = defaultdict(set)
        self._all: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, new: Connection, bounds: ConnectionBounds) -> Admission:
        """Count `new`, unless its admission is NONE. A bound that is reached evicts an idle connection."""
        origin = origin_of(new.address)
        same_origin = set() if bounds.is_trusted(new.address) else self._by_origin.get(origin, set())
        admission = Admission.ALL
        for group, most in ((same_origin, bounds.connections_per_address), (self._all, bounds.connections)):
            if len(group) >= most and not self._evict_oldest(group):
                reserved = sum(connection.only_health for connection in self._all)
                admission = Admission.HEALTH if reserved < RESERVED_CONNECTIONS else Admission.NONE
                break
        if admission is not Admission.NONE:
            self._all.add(new)
            self._by_origin[origin].add(new)
        return admission

    def discard(self, ended: Connection) -> None:
        """Forget a connection that has ended or is evicted."""
        self._all.discard(ended)
        origin = origin_of(ended.address)
        same_origin = self._by_origin.get(origin, set())
        same_origin.discard(ended)
        if not same_origin:
            self._by_origin.pop(origin, None)

    def _evict_oldest(self, group: set[Connection]) -> bool:
        """Evict the connection of `group` that waits longest for its client; False when none waits."""
        waiting = [connection for connection in group if connection.waits_for_client]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda connection: connection.since)
        oldest.evict()
        self.discard(oldest)
        return True
