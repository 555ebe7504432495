"""What is known of a connector: its position, what it did so far, and why it is stopped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from service.domain.forwarding import Position
from service.domain.timerange import TimeRange
from service.jobs.forward.counts import NONE, Counts


@dataclass(frozen=True)
class Stop:
    """Why a connector does not run by itself, and since when (seconds since 1970).

    `configuration`: the identity of the connector that was stopped. A changed connector is no longer stopped.
    """

    at: float
    code: str
    message: str
    configuration: str


@dataclass(frozen=True)
class ConnectorState:
    """`position` None: no run has begun yet. `began_ns`: where the position was set last.

    `live_from_ns`: where the windows begin that the live lane sends; back-fill sends those before. `generation` grows
    when a human sets the bookmark. `accepted_at` and `looked_back_at`: seconds since 1970. `tried`: windows
    that are being sent, with the moment of the first try, where the upstream forgets keys.
    """

    position: Position | None = None
    began_ns: int | None = None
    live_from_ns: int | None = None
    generation: int = 0
    set_by: str | None = None
    accepted_at: float | None = None
    looked_back_at: float | None = None
    tried: Mapping[str, float] = field(default_factory=dict)
    stop: Stop | None = None
    counts: Counts = NONE

    def is_stopped(self, configuration: str) -> bool:
        """Whether the connector with this identity is stopped."""
        return self.stop is not None and self.stop.configuration == configuration


NOTHING_KNOWN = ConnectorState()


def state_of(row: sa.Row[Any]) -> ConnectorState:
    """The state in a row of `connector_bookmarks`."""
    return ConnectorState(
        None if row.bookmark_ns is None else Position(row.bookmark_ns, ranges_of(row.ahead)),
        row.began_ns,
        row.live_from_ns,
        row.generation,
        row.set_by,
        row.accepted_at,
        row.looked_back_at,
        row.tried,
        None if row.stopped is None else Stop(**row.stopped),
        Counts(row.points_read, row.points_accepted, row.points_refused, row.posts, row.posts_unknown),
    )


def ranges_of(document: list[list[int]]) -> tuple[TimeRange, ...]:
    """The ranges that `document_of` wrote."""
    return tuple(TimeRange(start_ns, stop_ns) for start_ns, stop_ns in document)


def document_of(ranges: tuple[TimeRange, ...]) -> list[list[int]]:
    """Ranges as JSON."""
    return [[piece.start_ns, piece.stop_ns] for piece in ranges]
