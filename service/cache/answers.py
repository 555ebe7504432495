"""Whole answers: from the cache, shared with whoever asks the same just now, or made.

Every answer is kept under the generation of each bucket it is about. A write through the service
starts a new generation, and what was known of the bucket is out of reach at once; a read that began
before the write stores under the old one. A generation that was lost is a new one: never a stale hit.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from service.cache.codec import pack, unpack
from service.cache.flight import Consumer, Flight, Produced
from service.cache.protocol import Cache

_GENERATION_S = 30 * 86_400.0
_LOCK_S = 15.0
_POLL_S, _LONGEST_POLL_S = 0.02, 0.25
_CHUNK_BYTES = 1024 * 1024
_TOO_BIG = b"too big"
EVERY_BUCKET = "\0every"
"""As a bucket of an answer: it is about all of them, and a write to any drops it."""


@dataclass(frozen=True)
class Served:
    """An answer on its way out. `outcome`: `hit`, `miss`, `shared` or `bypass` (then `reason` says why).

    `chunks` may be taken once; `close` leaves it at any moment, from any thread. `size_bytes` is known of a hit.
    """

    headers: dict[str, str]
    chunks: Iterator[bytes | memoryview]
    outcome: str
    age_s: float
    close: Callable[[], None]
    reason: str = ""
    size_bytes: int | None = None


class AnswerCache:
    """`max_answer_bytes` bounds what is kept or shared. `clock`: seconds since 1970. `on_outcome` hears each outcome."""

    def __init__(
        self, cache: Cache, max_answer_bytes: int, clock: Callable[[], float], on_outcome: Callable[[str], None] = lambda _: None
    ) -> None:
        self._cache = cache
        self._max_answer_bytes = max_answer_bytes
        self._clock = clock
        self.on_outcome = on_outcome
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}
        self._untold: set[str] = set()

    def serve(self, key: str, buckets: Sequence[str], ttl_s: float, produce: Callable[[], Produced], fresh: bool = False) -> Served:
        """The answer under `key`, which is about `buckets`; kept for `ttl_s` (0: not at all). `fresh` does not look in the cache.

        Raises: what `produce` or its chunks raise before the first chunk.
        """
        reason = self._bypass(buckets, ttl_s, fresh)
        name = secrets.token_hex(20) if fresh else self._name(key, buckets)
        if not reason:
            hit = self._hit(name)
            if hit is not None:
                return self._told(hit)
        flight, consumer, outcome = self._board(name, "" if reason else name, ttl_s, produce)
        try:
            headers = flight.headers(consumer)
        except BaseException:
            flight.leave(consumer)
            raise
        if outcome == "miss" and reason:
            outcome = "bypass"
        return self._told(Served(headers, flight.chunks(consumer), outcome, 0.0, lambda: flight.leave(consumer), reason))

    def at_hand(self, key: str, buckets: Sequence[str], ttl_s: float, fresh: bool = False) -> Served | None:
        """The cached answer, when the cache is in this process, so that looking costs no wait; else None."""
        if self._cache.name != "memory" or fresh or ttl_s <= 0:
            return None
        hit = self._hit(self._name(key, buckets))
        return None if hit is None else self._told(hit)

    def touch(self, bucket: str) -> None:
        """Drop what is known of a bucket, and what is about all. While the cache is away, this process asks the store instead."""
        for name in (bucket, EVERY_BUCKET):
            if not self._new_generation(name):
                with self._lock:
                    self._untold.add(name)

    def _new_generation(self, bucket: str) -> bool:
        return self._cache.put(_generation_key(bucket), secrets.token_hex(8).encode(), _GENERATION_S)

    def _told(self, served: Served) -> Served:
        self.on_outcome(served.outcome)
        return served

    def _bypass(self, buckets: Sequence[str], ttl_s: float, fresh: bool) -> str:
        if fresh:
            return "asked"
        if ttl_s <= 0:
            return "off"
        with self._lock:
            untold = [bucket for bucket in buckets if bucket in self._untold]
        for bucket in untold:
            if not self._new_generation(bucket):
                return "cache away"
            with self._lock:
                self._untold.discard(bucket)
        return ""

    def _name(self, key: str, buckets: Sequence[str]) -> str:
        generations = [self._generation(bucket) for bucket in sorted(set(buckets))]
        return hashlib.blake2b("\0".join([key, *generations]).encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()

    def _generation(self, bucket: str) -> str:
        key = _generation_key(bucket)
        found = self._cache.get(key)
        if found is None:
            found = secrets.token_hex(8).encode()
            self._cache.put(key, found, _GENERATION_S)
            found = self._cache.get(key) or found
        return found.decode("ascii", "replace")

    def _hit(self, name: str) -> Served | None:
        value = self._cache.get(name)
        stored = unpack(value) if value is not None else None
        if stored is None:
            return None
        body = stored.body
        pieces = (body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES))
        return Served(stored.headers, pieces, "hit", max(self._clock() - stored.made_at, 0.0), lambda: None, "", len(body))

    def _board(self, name: str, kept_as: str, ttl_s: float, produce: Callable[[], Produced]) -> tuple[Flight, Consumer, str]:
        """Join the flight of this name, or begin one."""
        with self._lock:
            flight = self._flights.get(name)
            consumer = flight.join() if flight is not None else None
            if flight is not None and consumer is not None:
                return flight, consumer, "shared"
            leader = _Leader(self._cache, kept_as, ttl_s, self._clock, produce, lambda: self._land(name, begun))
            begun = Flight(self._max_answer_bytes, leader)
            first = begun.join()
            assert first is not None
            self._flights[name] = begun
        begun.start()
        return begun, first, "miss"

    def _land(self, name: str, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(name) is flight:
                del self._flights[name]


class _Leader:
    """Makes one answer for a flight: under a lock that other processes see, and kept when it is whole. No `name`: not kept."""

    def __init__(
        self, cache: Cache, name: str, ttl_s: float, clock: Callable[[], float], produce: Callable[[], Produced], landed: Callable[[], None]
    ) -> None:
        self._cache = cache
        self._name = name
        self._ttl_s = ttl_s
        self._clock = clock
        self._produce = produce
        self._landed = landed
        self._token: str | None = None

    def produce(self) -> Produced:
        if self._name and self._cache.name != "memory":
            elsewhere = self._made_elsewhere()
            if elsewhere is not None:
                return elsewhere
        return self._produce()

    def outgrown(self) -> None:
        """Let other processes begin on their own instead of waiting for what will not be kept."""
        if self._token is not None:
            self._cache.put(f"{self._name}:mark", _TOO_BIG, _LOCK_S)
            self._unlock()

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        if self._name and whole is not None:
            self._cache.put(self._name, pack(self._clock(), headers, whole), self._ttl_s)
        self._unlock()
        self._landed()

    def _unlock(self) -> None:
        if self._token is not None:
            self._cache.unlock(self._name, self._token)
            self._token = None

    def _made_elsewhere(self) -> Produced | None:
        """Wait for another process that makes the same answer; None when this one shall make it."""
        pause_s, deadline = _POLL_S, time.monotonic() + _LOCK_S
        while True:
            self._token = self._cache.lock(self._name, _LOCK_S)
            if self._token is not None or time.monotonic() > deadline:
                break
            if self._cache.get(f"{self._name}:mark") is not None:
                return None
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)
        value = self._cache.get(self._name)
        stored = unpack(value) if value is not None else None
        if stored is not None:
            return Produced(stored.headers, iter([bytes(stored.body)]), lambda: None)
        return None


def _generation_key(bucket: str) -> str:
    return f"generation:{bucket}"
