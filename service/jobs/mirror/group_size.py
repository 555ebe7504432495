"""How many points a run copies before it reads them back: more when that is quick, fewer when it is slow."""

from dataclasses import dataclass, replace

_FIRST_POINTS, _FIRST_POINTS_LOCAL = 400_000, 1_000_000
"""The size of the first group: over a link of unknown speed and quota, and where both buckets are on this machine."""
_MOST_POINTS, _FEWEST_POINTS = 2_000_000, 10_000
_POINT_BYTES = 50
"""About so many bytes go over both links for one point."""
_QUICK_S, _SLOW_S = 3.0, 20.0


@dataclass(frozen=True)
class GroupSize:
    """At most `points`, which never grow beyond `limit`."""

    points: int
    limit: int

    @classmethod
    def first(cls, is_remote: bool, budget_bytes: int | None) -> "GroupSize":
        """A group takes at most a quarter of what the budget lets over the links in five minutes."""
        limit = _MOST_POINTS
        if budget_bytes is not None:
            limit = max(_FEWEST_POINTS, min(_MOST_POINTS, budget_bytes // 4 // _POINT_BYTES))
        return cls(min(_FIRST_POINTS if is_remote else _FIRST_POINTS_LOCAL, limit), limit)

    def after(self, had_to_wait: bool, took_s: float) -> "GroupSize":
        """The size of the next group. `had_to_wait`: a store asked to wait."""
        if had_to_wait or took_s > _SLOW_S:
            return replace(self, points=max(_FEWEST_POINTS, self.points // 2))
        return replace(self, points=min(self.limit, self.points * 2)) if took_s < _QUICK_S else self
