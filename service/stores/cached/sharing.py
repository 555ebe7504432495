"""Reads that lack the same windows: one asks the store for them, the others wait until they are kept.

Waiting saves work and guards nothing: who has waited long enough asks the store itself. Whoever asks belongs to no
other read, and when it fails or leaves, one of those that wait asks instead.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from service.cache.coordinated_producer import LOCK_S, RenewingLock
from service.cache.protocol import Cache
from service.domain.timerange import TimeRange

_FIRST_POLL_S, _LONGEST_POLL_S = 0.02, 0.25


@dataclass(eq=False)
class Claim:
    """Ranges of one key that a read asks the store for, until it calls `release`."""

    name: str
    ranges: tuple[TimeRange, ...]
    is_late: bool = False
    """Whether others have kept something since the ranges were found to be missing."""
    is_kept_later: bool = False
    """Whether the rows are being kept: then the end of the read does not end the claim."""
    ended: threading.Event = field(default_factory=threading.Event)
    locks: list[RenewingLock] = field(default_factory=list)
    release: Callable[[], None] = lambda: None

    def overlaps(self, ranges: Sequence[TimeRange]) -> bool:
        return any(mine.intersect(other) is not None for mine in self.ranges for other in ranges)


class Sharing:
    """The claims of this process and, by locks of a shared cache, of all others. Thread-safe."""

    def __init__(self, cache: Cache, on_wait: Callable[[], object]) -> None:
        self._cache = cache
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._claims: dict[str, list[Claim]] = {}
        self.ended = 0
        """How many claims have ended."""

    def claim(self, name: str, ranges: Sequence[TimeRange], until: float, ended: int) -> Claim | None:
        """A claim on `ranges`, `is_late` when claims have ended since there were `ended` ones.

        None: another read of this process had a claim on some of them, and it is over now. After `until` (monotonic
        seconds) nobody is waited for.
        """
        with self._lock:
            claims = self._claims.setdefault(name, [])
            others = [claim for claim in claims if claim.overlaps(ranges)]
            left_s = until - time.monotonic()
            if not others or left_s <= 0:
                claim = Claim(name, tuple(ranges), is_late=self.ended != ended)
                claim.release = lambda: self._end(claim)
                claims.append(claim)
                return claim
        self._on_wait()
        others[0].ended.wait(left_s)
        return None

    def lock(self, claim: Claim, until: float, is_kept: Callable[[], bool]) -> bool:
        """Lock the first range of the claim against other processes. False: another one has kept windows of it."""
        if not self._cache.shared:
            return True
        name, pause_s, waited = f"windows:{claim.name}:{claim.ranges[0].start_ns}", _FIRST_POLL_S, False
        while True:
            token = self._cache.lock(name, LOCK_S)
            if waited and is_kept():
                if token is not None:
                    self._cache.unlock(name, token)
                return False
            if token is not None:
                claim.locks.append(RenewingLock(self._cache, name, token))
                return True
            if time.monotonic() > until:
                return True
            if not waited:
                self._on_wait()
            waited = claim.is_late = True
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)

    def _end(self, claim: Claim) -> None:
        """May be called again, without effect."""
        with self._lock:
            claims = self._claims.get(claim.name, [])
            if claim in claims:
                claims.remove(claim)
                self.ended += 1
            if not claims:
                self._claims.pop(claim.name, None)
            locks, claim.locks = claim.locks, []
        for lock in locks:
            lock.release()
        claim.ended.set()
