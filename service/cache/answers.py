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
from service.cache.refreshes import InBackground, Refreshes, in_thread
from service.cache.single_flight import Consumer, Flight, Produced

__all__ = ["EVERY_BUCKET", "AnswerCache", "CancelToken", "Produced", "Served"]

_CHUNK_BYTES = 1024 * 1024
_BLIND_JOIN_S = 1.0
"""While a shared cache is away, writes through other workers are not seen. Then only a flight this young is joined."""


@dataclass(frozen=True)
class Served:
    """An answer for one client. `outcome`: `hit`, `stale`, `miss`, `shared` or `bypass` (then `reason` says why).

    `chunks` may be read once; `close` stops that at any moment, from any thread. `size_bytes` is known of a kept
    answer. `age_s` counts from the moment at which the store was asked.
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


@dataclass(frozen=True)
class _Making:
    """How an answer is made. `key`: of its flight. `name`: under which it is kept; None: it is not."""

    key: Hashable
    name: str | None
    ttl_s: float
    stale_s: float
    produce: Callable[[], Produced]


class AnswerCache:
    """Serves answers, and drops those about a bucket that was written to. Thread-safe.

    `max_answer_bytes`: larger answers are neither kept nor shared. `clock`: seconds since 1970. `on_outcome` is called
    with each outcome. `longest_s`: how long an answer may be under way. `in_background` runs refreshes.

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
        in_background: InBackground = in_thread,
    ) -> None:
        self._cache = cache
        self._max_answer_bytes = max_answer_bytes
        self._clock = clock
        self.on_outcome = on_outcome
        self._monotonic = monotonic
        self._longest_s = longest_s
        self._generations = Generations(cache)
        self._refreshes = Refreshes(cache, in_background)
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
        stale_s: float = 0.0,
    ) -> Served:
        """The answer under `key`, which is about `buckets`; kept for `ttl_s` (0: not at all).

        `fresh`: it is produced anew, and neither kept nor shared. `cancel_token` ends the wait for the first chunk when
        the client leaves. `stale_s`: for so long after its life it is served as it is, and made anew in the background.

        Raises: what `produce` or its chunks raise before the first chunk.
        """
        cancel_token = cancel_token or CancelToken()
        if fresh:
            making = _Making(secrets.token_hex(20), None, 0.0, 0.0, produce)
            return self._counted(self._produced(making, "asked", cancel_token))
        stamp = self._generations.of(buckets)
        name = _name(key, stamp) if ttl_s > 0 else None
        reason = "" if name is not None else "cache away" if ttl_s > 0 else "off"
        making = _Making((key, stamp), name, ttl_s, stale_s, produce)
        answer = stored_answer(self._cache, name) if name is not None else None
        if name is not None and answer is not None:
            past_s = self._clock() - answer.fresh_until
            if past_s <= 0:
                return self._counted(self._kept(answer, "hit"))
            if past_s <= stale_s:
                self._refreshes.begin(name, partial(self._refreshed, making))
                return self._counted(self._kept(answer, "stale"))
        return self._counted(self._produced(making, reason, cancel_token))

    def cached(self, key: str, buckets: Sequence[str], ttl_s: float, fresh: bool = False) -> Served | None:
        """The cached answer, where the cache is in this process, so that a look-up costs no wait; else None.

        It is none that is stale: whoever serves that begins its refresh, with the question of this moment.
        """
        if self._cache.shared or fresh or ttl_s <= 0:
            return None
        name = _name(key, self._generations.of(buckets))
        answer = stored_answer(self._cache, name) if name is not None else None
        is_fresh = answer is not None and answer.is_fresh(self._clock())
        return self._counted(self._kept(answer, "hit")) if answer is not None and is_fresh else None

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

    def _refreshed(self, making: _Making) -> bool:
        """Make an answer anew, and keep it under the state that it had when that began. Gives whether one is kept."""
        answer = None if making.name is None else stored_answer(self._cache, making.name)
        if answer is not None and answer.is_fresh(self._clock()):
            return True  # another process was earlier
        served, size = self._produced(making, "", CancelToken()), 0
        try:
            for chunk in served.chunks:
                size += len(chunk)
                if size > self._max_answer_bytes:
                    return False
        finally:
            served.close()
        return True

    def _kept(self, answer: StoredAnswer, outcome: str) -> Served:
        body = answer.body
        pieces = (body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES))
        etag = f'W/"{answer.digest}"' if answer.digest else ""
        return Served(answer.headers, pieces, outcome, self._age_s(answer.made_at), lambda: None, "", len(body), etag)

    def _age_s(self, made_at: float) -> float:
        return max(self._clock() - made_at, 0.0)

    def _produced(self, making: _Making, reason: str, cancel_token: CancelToken) -> Served:
        """The answer of a flight that is joined or begun. `reason`: why it is not kept."""
        with self._lock:
            flight = self._flights.get(making.key)
            consumer = self._join(flight, reason) if flight is not None else None
            joined = consumer is not None
            if flight is None or consumer is None:
                flight, consumer = self._begin(making)
        cancel_token.on_cancel(partial(flight.leave, consumer))
        try:
            headers = flight.headers(consumer)
        except BaseException:
            flight.leave(consumer)
            raise
        made_elsewhere_at = flight.producer.made_elsewhere_at
        outcome = "shared" if joined or made_elsewhere_at is not None else "bypass" if reason else "miss"
        age_s = 0.0 if made_elsewhere_at is None else self._age_s(made_elsewhere_at)
        return Served(headers, flight.chunks(consumer), outcome, age_s, lambda: flight.leave(consumer), reason)

    def _join(self, flight: Flight, reason: str) -> Consumer | None:
        is_blind = self._cache.shared and reason == "cache away"
        return None if is_blind and self._monotonic() - flight.begun_at > _BLIND_JOIN_S else flight.join()

    def _begin(self, making: _Making) -> tuple[Flight, Consumer]:
        key = making.key
        producer = CoordinatedProducer(
            self._cache,
            making.name,
            making.ttl_s,
            self._clock,
            making.produce,
            lambda: self._end(key, flight),
            making.stale_s,
        )
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
