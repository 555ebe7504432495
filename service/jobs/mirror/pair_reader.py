"""What slices hold, asked of one side or of both at the same time: with patience, and in halves where all at once is too much."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from service.domain.mirror_slices import Part
from service.domain.timerange import TimeRange
from service.frames.slices import summed
from service.jobs.mirror.pair_context import Ground
from service.transfer.bucket_reader import SeriesDigests, Side, Tallies, Totals, both
from service.transfer.splitting import Halver

K = TypeVar("K")
V = TypeVar("V")


class SliceReader:
    """For the pair of `ground`. Every method raises what `Halver.call` does."""

    def __init__(self, ground: Ground, halver: Halver) -> None:
        self._ground = ground
        self._halver = halver

    def tally(self, side: Side, span: TimeRange, step_ns: int) -> Tallies:
        """What slices of `step_ns` hold, by counts (see `Side.tally`)."""
        return summed(self._halver.call(lambda piece: side.tally(self._ground.parts, piece, step_ns), span, step_ns))

    def digest(self, side: Side, span: TimeRange, step_ns: int) -> Tallies:
        """What slices of `step_ns` hold, by every value."""
        return self.points(lambda parts, piece: side.digest(parts, piece, step_ns), span)

    def points(self, ask: Callable[[Sequence[Part], TimeRange], Mapping[K, V]], span: TimeRange) -> dict[K, V]:
        """What `ask` makes of the points of `span`, put together from pieces of it."""
        return summed(self._halver.call(lambda piece: ask(self._ground.parts, piece), span, self._ground.finest_ns))

    def tallies(self, span: TimeRange, step_ns: int) -> tuple[Tallies, Tallies]:
        """`tally` of the source and of the target."""
        return both(lambda side: self.tally(side, span, step_ns), self._ground.source, self._ground.target)

    def digests(self, span: TimeRange, step_ns: int) -> tuple[Tallies, Tallies]:
        """`digest` of the source and of the target."""
        return both(lambda side: self.digest(side, span, step_ns), self._ground.source, self._ground.target)

    def totals(self, span: TimeRange, step_ns: int) -> tuple[Totals, Totals] | None:
        """How many points slices hold in the source and in the target; None where one of them can only tell it series by series."""

        def of_side(side: Side) -> Totals | None:
            found = self._halver.call(lambda piece: side.totals(self._ground.parts, piece, step_ns), span, step_ns)
            return None if any(one is None for one in found) else summed(one for one in found if one is not None)

        here, there = both(of_side, self._ground.source, self._ground.target)
        return None if here is None or there is None else (here, there)

    def series(self, span: TimeRange) -> tuple[SeriesDigests, SeriesDigests]:
        """What each series holds in the source and in the target."""
        return both(lambda side: self.points(side.series, span), self._ground.source, self._ground.target)
