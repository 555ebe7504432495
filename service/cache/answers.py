"""Whole answers: taken from the cache, shared with others who ask the same at this moment, or produced.

Every answer is kept under the state of each bucket that it is about (`generations` says what that promises). The state
is taken before the store is asked, so a read that began before a write is never the answer to a request that came after
it. Without a cache nothing is kept, and requests that are under way at the same time are still shared.
"""

import hashlib
import math
import secrets
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from service.cache.cancel_token import CancelToken
from service.cache.codec import StoredAnswer
from service.cache.coordinated_producer import CoordinatedProducer, stored_answer
from service.cache.generations import EVERY_BUCKET, CacheStamp, Generations
from service.cache.protocol import Cache
from service.cache.single_flight import Consumer, Flight, Produced

__all__ = ["EVERY_BUCKET", "AnswerCache", "CancelToken", "Produced", "Served"]

_CHUNK_BYTES = 1024 * 1024
_BLIND_JOIN_S = 1.0
"""While a shared cache is away, writes through other workers are not seen. Then only a flight this young is joined."""


@dataclass(frozen=True)
class Served:
    """An answer for one client. `outcome`: `hit`, `miss`, `shared` or `bypass` (then `reason` says why).

    `chunks` may be read once; `close` stops that at any moment, from any thread. `size_bytes` is known of a hit.
    `age_s` counts from the moment at which the store was asked.
    """

    headers: dict[str, str]
    chunks: Iterator[bytes | memoryview]
    outcome: str
    age_s: float
    close: Callable[[], None]
    reason: str = ""
    size_bytes: int | None = None
    etag: str = ""
    """A weak entity tag, of a kept answer."""


class AnswerCache:
    """Serves answers, and drops those about a bucket that was written to. Thread-safe.

    `max_answer_bytes`: larger answers are neither kept nor shared. `clock`: seconds since 1970. `on_outcome` is called
    with each outcome. `longest_s`: how long an answer may be under way.

    An answer under way holds at most `max_answer_bytes` (or 4 MB) and one chunk, and as much again while it is put into
    the cache.
    """

    def __init__(
        self,
        cache: Cache,
        max_answer_bytes: int,
        clock: Callable[[], float],
        on_outcome: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        longest_s: float = math.inf,
    ) -> None:
        self._cache = cache
        self._max_answer_bytes = max_answer_bytes
        self._clock = clock
        self.on_outcome = on_outcome
        self._monotonic = monotonic
        self._longest_s = longest_s
        self._generations = Generations(cache)
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Flight] = {}

    def serve(
        self,
        key: str,
        buckets: Sequence[str],
        ttl_s: float,
        produce: Callable[[], Produced],
        fresh: bool = False,
        cancel_token: CancelToken | None = None,
    ) -> Served:
        """The answer under `key`, which is about `buckets`; kept for `ttl_s` (0: not at all).

        `fresh`: it is produced anew, and neither kept nor shared. `cancel_token` ends the wait for the first chunk when
        the client leaves.

        Raises: what `produce` or its chunks raise before the first chunk.
        """
        cancel_token = cancel_token or CancelToken()
        if fresh:
            return self._produced(secrets.token_hex(20), None, "asked", 0.0, produce, cancel_token)
        stamp = self._generations.of(buckets)
        name = _name(key, stamp) if ttl_s > 0 else None
        reason = "" if name is not None else "cache away" if ttl_s > 0 else "off"
        answer = stored_answer(self._cache, name) if name is not None else None
        if answer is not None:
            return self._counted(self._hit(answer))
        return self._produced((key, stamp), name, reason, ttl_s, produce, cancel_token)

    def cached(self, key: str, buckets: Sequence[str], ttl_s: float, fresh: bool = False) -> Served | None:
        """The cached answer, where the cache is in this process, so that a look-up costs no wait; else None."""
        if self._cache.shared or fresh or ttl_s <= 0:
            return None
        name = _name(key, self._generations.of(buckets))
        answer = stored_answer(self._cache, name) if name is not None else None
        return None if answer is None else self._counted(self._hit(answer))

    @property
    def under_way(self) -> int:
        """How many answers are being produced."""
        return len(self._flights)

    @property
    def waiting_clients(self) -> int:
        """How many clients read the answers under way."""
        with self._lock:
            return sum(flight.consumers for flight in self._flights.values())

    def invalidate(self, bucket: str) -> None:
        """Drop the answers about a bucket, and those about all buckets.

        While the cache is away, this process asks the store instead.
        """
        self._generations.invalidate(bucket)

    def _counted(self, served: Served) -> Served:
        self.on_outcome(served.outcome)
        return served

    def _hit(self, answer: StoredAnswer) -> Served:
        body = answer.body
        pieces = (body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES))
        etag = f'W/"{answer.digest}"' if answer.digest else ""
        return Served(answer.headers, pieces, "hit", self._age_s(answer.made_at), lambda: None, "", len(body), etag)

    def _age_s(self, made_at: float) -> float:
        return max(self._clock() - made_at, 0.0)

    def _produced(
        self,
        key: Hashable,
        name: str | None,
        reason: str,
        ttl_s: float,
        produce: Callable[[], Produced],
        cancel_token: CancelToken,
    ) -> Served:
        """The answer of the flight of `key`, which is joined or begun; it is kept under `name`."""
        with self._lock:
            flight = self._flights.get(key)
            consumer = self._join(flight, reason) if flight is not None else None
            joined = consumer is not None
            if flight is None or consumer is None:
                flight, consumer = self._begin(key, name, ttl_s, produce)
        cancel_token.on_cancel(partial(flight.leave, consumer))
        try:
            headers = flight.headers(consumer)
        except BaseException:
            flight.leave(consumer)
            raise
        made_elsewhere_at = flight.producer.made_elsewhere_at
        outcome = "shared" if joined or made_elsewhere_at is not None else "bypass" if reason else "miss"
        age_s = 0.0 if made_elsewhere_at is None else self._age_s(made_elsewhere_at)
        served = Served(headers, flight.chunks(consumer), outcome, age_s, lambda: flight.leave(consumer), reason)
        return self._counted(served)

    def _join(self, flight: Flight, reason: str) -> Consumer | None:
        is_blind = self._cache.shared and reason == "cache away"
        return None if is_blind and self._monotonic() - flight.begun_at > _BLIND_JOIN_S else flight.join()

    def _begin(
        self,
        key: Hashable,
        name: str | None,
        ttl_s: float,
        produce: Callable[[], Produced],
    ) -> tuple[Flight, Consumer]:
        producer = CoordinatedProducer(self._cache, name, ttl_s, self._clock, produce, lambda: self._end(key, flight))
        flight = Flight(self._max_answer_bytes, producer, self._monotonic, self._longest_s)
        consumer = flight.add_consumer()
        self._flights[key] = flight
        try:
            flight.start()
        except RuntimeError:  # no more threads: nobody may wait for what will never begin
            del self._flights[key]
            raise
        return flight, consumer

    def _end(self, key: Hashable, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]


def _name(key: str, stamp: CacheStamp) -> str | None:
    """The name of an answer, the same in every process; None when the cache does not know the state of the buckets."""
    if stamp.tokens is None:
        return None
    return hashlib.blake2b("\0".join([key, *stamp.tokens]).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
