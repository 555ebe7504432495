"""When each time of a bucket was last changed, in few numbers: which kept windows are older than a change.

Changes are numbered. The map holds disjoint ranges of whole minutes, each with the number of its last change. When
there are too many, neighbours whose changes are the oldest become one with the later number: more is taken for changed
then, never less.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from service.domain.durations import SECOND_NS
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, merge

_CELL_NS = 60 * SECOND_NS
MOST_CHANGES = 512


class Changed(NamedTuple):
    """A range in whole minutes, and the number of its last change."""

    start_ns: int
    stop_ns: int
    number: int


@dataclass(frozen=True)
class ChangeMap:
    """`last`: the number of the last change; 0 before the first. `changes` ascend and do not overlap."""

    last: int = 0
    changes: tuple[Changed, ...] = ()

    def with_change(self, ranges: Iterable[TimeRange], most: int = MOST_CHANGES) -> "ChangeMap":
        """The map after one more change, of all these ranges."""
        number, changes = self.last + 1, list(self.changes)
        for piece in merge(map(_cells, ranges)):
            changes = _overlaid(changes, Changed(piece.start_ns, piece.stop_ns, number))
        return ChangeMap(number, tuple(_coarse(changes, most)))

    def since(self, number: int, span: TimeRange) -> list[TimeRange]:
        """The parts of `span` that changed after the change `number`."""
        first = bisect_right(self.changes, span.start_ns, key=lambda change: change.stop_ns)
        last = bisect_left(self.changes, span.stop_ns, key=lambda change: change.start_ns)
        later = (change for change in self.changes[first:last] if change.number > number)
        parts = (TimeRange(change.start_ns, change.stop_ns).intersect(span) for change in later)
        return [part for part in parts if part is not None]


def _cells(span: TimeRange) -> TimeRange:
    """The whole minutes that `span` touches."""
    start_ns, stop_ns = span.start_ns // _CELL_NS * _CELL_NS, -(-span.stop_ns // _CELL_NS) * _CELL_NS
    return TimeRange(max(start_ns, EARLIEST_NS), min(stop_ns, LATEST_NS + 1))


def _overlaid(changes: list[Changed], newest: Changed) -> list[Changed]:
    first = bisect_right(changes, newest.start_ns, key=lambda change: change.stop_ns)
    last = bisect_left(changes, newest.stop_ns, key=lambda change: change.start_ns)
    parts = [newest]
    for change in changes[first:last]:
        if change.start_ns < newest.start_ns:
            parts.append(change._replace(stop_ns=newest.start_ns))
        if change.stop_ns > newest.stop_ns:
            parts.append(change._replace(start_ns=newest.stop_ns))
    return [*changes[:first], *sorted(parts), *changes[last:]]


def _coarse(changes: list[Changed], most: int) -> list[Changed]:
    """At most `most` ranges: half of those that are too many are joined with the neighbour before, oldest first."""
    if len(changes) <= most:
        return changes
    surplus = len(changes) - most // 2
    by_age = sorted(range(1, len(changes)), key=lambda place: max(changes[place].number, changes[place - 1].number))
    joined = set(by_age[:surplus])
    coarse = changes[:1]
    for place, change in enumerate(changes[1:], 1):
        if place in joined:
            before = coarse[-1]
            coarse[-1] = Changed(before.start_ns, change.stop_ns, max(before.number, change.number))
        else:
            coarse.append(change)
    return coarse
