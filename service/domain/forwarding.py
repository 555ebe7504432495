"""How far a connector is: the bookmark, accepted ranges beyond it, and the windows that are still to be sent.

The bookmark is a time: the upstream accepted everything before it. Newer windows may be accepted before older ones.
They are kept as ranges, and the bookmark moves over them once it touches them. So nothing is sent twice, and nothing
is skipped. Pure arithmetic on nanoseconds since 1970.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from service.domain.timerange import TimeRange, floor_to, merge, subtract

MOST_RANGES = 500
"""The most accepted ranges beyond a bookmark. Where one more would arise, the oldest windows come first."""

_READ_NS = 6 * 3_600 * 10**9


@dataclass(frozen=True)
class Position:
    """`bookmark_ns`: everything before it is accepted. `ahead`: what is accepted beyond it.

    The ranges of `ahead` are ascending, do not touch each other, and begin after the bookmark.
    """

    bookmark_ns: int
    ahead: tuple[TimeRange, ...] = ()

    def __post_init__(self) -> None:
        edges = [self.bookmark_ns, *(edge for piece in self.ahead for edge in (piece.start_ns, piece.stop_ns))]
        if any(later <= earlier for earlier, later in pairwise(edges)):
            raise ValueError(f"no position: {self.bookmark_ns} and {self.ahead}")

    def with_accepted(self, window: TimeRange) -> "Position":
        """The position after `window` was accepted, too. The bookmark never gets smaller."""
        later = [piece for piece in merge([*self.ahead, window]) if piece.stop_ns > self.bookmark_ns]
        if later and later[0].start_ns <= self.bookmark_ns:
            return Position(later[0].stop_ns, tuple(later[1:]))
        return Position(self.bookmark_ns, tuple(later))

    def pending(self, span: TimeRange) -> list[TimeRange]:
        """What of `span` is not accepted yet, ascending. What lies before the bookmark is never pending."""
        if span.stop_ns <= self.bookmark_ns:
            return []
        return subtract(TimeRange(max(span.start_ns, self.bookmark_ns), span.stop_ns), self.ahead)

    @property
    def newest_ns(self) -> int:
        """Where the newest accepted range ends."""
        return self.ahead[-1].stop_ns if self.ahead else self.bookmark_ns


def windows_of(spans: Iterable[TimeRange], every_ns: int) -> Iterator[TimeRange]:
    """The windows of `spans`, in their order: cut at each multiple of `every_ns` since 1970."""
    for span in spans:
        start_ns = span.start_ns
        while start_ns < span.stop_ns:
            stop_ns = min(floor_to(start_ns, every_ns) + every_ns, span.stop_ns)
            yield TimeRange(start_ns, stop_ns)
            start_ns = stop_ns


def count_windows(spans: Iterable[TimeRange], every_ns: int) -> int:
    """How many windows `windows_of` gives."""
    return sum(-(-span.stop_ns // every_ns) - span.start_ns // every_ns for span in spans)


def whole_windows_ns(every_ns: int) -> int:
    """The length of the pieces in which many windows are read at once: whole windows, about six hours."""
    return max(1, _READ_NS // every_ns) * every_ns


def horizon_ns(now_ns: int, settle_ns: int, every_ns: int) -> int:
    """Where the newest window ends whose points have had `settle_ns` to arrive."""
    return floor_to(now_ns - settle_ns, every_ns)


def live_from_ns(end_ns: int, interval_ns: int, every_ns: int) -> int:
    """Where the windows begin that are newer than back-fill: those of the last interval, and one more.

    `end_ns`: the horizon. `interval_ns`: the time between two runs.
    """
    return end_ns - every_ns * (-(-max(interval_ns, every_ns) // every_ns) + 1)
