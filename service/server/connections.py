"""The open connections of one worker: how many, from where, and which may be ended for another."""

from collections import defaultdict
from enum import Enum
from typing import Protocol

from service.domain.origins import origin_of
from service.server.bounds import RESERVED, ConnectionBounds


class Connection(Protocol):
    address: str
    since: float
    only_health: bool

    @property
    def waits_for_client(self) -> bool: ...
    def evict(self) -> None: ...


class Admission(Enum):
    """What a new connection may ask."""

    ALL = "all"
    HEALTH = "health"
    NONE = "none"


class Connections:
    """Of a worker that is full, the connection that has waited longest for its client gives way to a new one."""

    def __init__(self) -> None:
        self._by_origin: dict[str, set[Connection]] = defaultdict(set)
        self._all: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, new: Connection, bounds: ConnectionBounds) -> Admission:
        """Count `new` in, unless there is no room."""
        origin = origin_of(new.address)
        near = set() if bounds.is_trusted(new.address) else self._by_origin.get(origin, set())
        room = Admission.ALL
        for group, most in ((near, bounds.connections_per_address), (self._all, bounds.connections)):
            if len(group) >= most and not self._one_gives_way(group):
                reserved = sum(one.only_health for one in self._all)
                room = Admission.HEALTH if reserved < RESERVED else Admission.NONE
                break
        if room is not Admission.NONE:
            self._all.add(new)
            self._by_origin[origin].add(new)
        return room

    def discard(self, ended: Connection) -> None:
        self._all.discard(ended)
        origin = origin_of(ended.address)
        near = self._by_origin.get(origin, set())
        near.discard(ended)
        if not near:
            self._by_origin.pop(origin, None)

    def _one_gives_way(self, group: set[Connection]) -> bool:
        waiting = [one for one in group if one.waits_for_client]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda one: one.since)
        oldest.evict()
        self.discard(oldest)
        return True
