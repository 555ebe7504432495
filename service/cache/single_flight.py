"""A single flight: one answer that is being produced, and all consumers that wait for it.

A thread pulls the answer into a buffer that belongs to no client, so the first client may leave and the others still
get all of it. While the whole answer so far fits in the buffer, more consumers may join and read it from the start.
After that the answer passes through: chunks that all have read are dropped, and the producer waits for the slowest
consumer. Memory holds at most `keep_bytes` (or 4 MB, if that is more) and one chunk. Nobody waits longer than
`longest_s`: no consumer for the producer, and no producer for consumers that read nothing.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import structlog

from service.errors import ClientStalled, StoreBroken, StoreTimeout

_AHEAD_BYTES = 4 * 1024 * 1024
_STALL_S = 30.0
_LOOK_S = 1.0
_STALLED = "This client read nothing for 30 seconds while others waited for the same answer. Ask again."
_NOT_TAKEN = "The answer was not taken within READ_TIMEOUT_S. Read faster, or a shorter range, or raise it."
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Produced:
    """An answer that begins. `chunks` is read once.

    `cancel` is called at the end in any case, perhaps twice and from any thread.
    """

    headers: dict[str, str]
    """What making the first chunk changes in them counts: nobody reads them before that chunk is there."""
    chunks: Iterator[bytes]
    cancel: Callable[[], None]


class Consumer:
    """Who reads a flight.

    `position`: how many chunks it has read. `moved_at`: when it last got one. `until_s`: how long it waits.
    """

    def __init__(self, now_s: float, until_s: float = math.inf) -> None:
        self.position = 0
        self.until_s = until_s
        self.moved_at = now_s
        self.left = False
        self.stalled = False


class Producer(Protocol):
    """Produces the answer of a flight, and learns how it ended."""

    @property
    def made_elsewhere_at(self) -> float | None:
        """When another process produced it, in seconds since 1970; None: this process did."""

    def produce(self, is_wanted: Callable[[], bool]) -> Produced:
        """The answer. `is_wanted` becomes false when the last consumer has left."""

    def outgrown(self) -> None:
        """The answer is too big to be kept."""

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        """The flight is over; `whole` is the answer when it is complete and small enough to be kept."""


class Flight:
    """`keep_bytes`: up to this size the whole answer is held and may be joined. `clock`: seconds that never go back.

    All methods but `add_consumer` are thread-safe.
    """

    def __init__(
        self,
        keep_bytes: int,
        producer: Producer,
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = math.inf,
    ) -> None:
        self.begun_at = clock()
        self._longest_s = longest_s
        self._keep_bytes = keep_bytes
        self.producer = producer
        self._clock = clock
        self._changed = threading.Condition()
        self._chunks: list[bytes] = []
        self._first = 0
        self._size = 0
        self._held = 0
        self._headers: dict[str, str] | None = None
        self._produced: Produced | None = None
        self._finished = False
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._consumers: list[Consumer] = []
        self._abandoned = False

    @property
    def consumers(self) -> int:
        """How many read it."""
        return len(self._consumers)

    @property
    def produced_chunks(self) -> int:
        """How many chunks came so far."""
        return self._end

    @property
    def held_bytes(self) -> int:
        """How much of the answer is in memory."""
        with self._changed:
            return self._held

    @property
    def is_finished(self) -> bool:
        """Whether producing is over, however it ended."""
        return self._finished

    def start(self) -> None:
        """Begin to produce the answer. Raises RuntimeError: there can be no more threads."""
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    def join(self) -> Consumer | None:
        """A consumer that reads from the start; None when it is too late for that."""
        with self._changed:
            is_freed = self._finished and not self._consumers
            if self._size > self._keep_bytes or self._abandoned or self._error is not None or is_freed:
                return None
            return self.add_consumer()

    def add_consumer(self) -> Consumer:
        """A consumer that reads from the start. To be called before the flight starts."""
        now_s = self._clock()
        consumer = Consumer(now_s, now_s + self._longest_s)
        self._consumers.append(consumer)
        return consumer

    def headers(self, consumer: Consumer) -> dict[str, str]:
        """The headers, once the first chunk or the end is there. Raises what producing raised, and StoreTimeout."""
        with self._changed:
            self._await(consumer, lambda: bool(self._size) or self._finished or consumer.left)
            if not self._size:
                self._raise_failure()
            if consumer.left or self._headers is None:
                raise StoreBroken("The answer was given up before it began.")
            return self._headers

    def chunks(self, consumer: Consumer) -> Iterator[bytes]:
        """The answer from its start. Ends early for a consumer that left.

        Raises what producing raised, after the chunks before it; StoreTimeout; ClientStalled.
        """
        try:
            while (chunk := self._next(consumer)) is not None:
                yield chunk
        finally:
            self.leave(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Stop reading. When the last consumer leaves, producing ends. May be repeated."""
        with self._changed:
            self._remove([consumer])
            cancel = self._produced.cancel if self._abandoned and self._produced is not None else None
        if cancel is not None:
            _logging_failure(cancel)

    def _next(self, consumer: Consumer) -> bytes | None:
        with self._changed:
            self._await(consumer, lambda: self._end > consumer.position or self._finished or consumer.left)
            consumer.moved_at = self._clock()
            if consumer.stalled:
                raise ClientStalled(_STALLED)
            if consumer.left:
                return None
            if self._end == consumer.position:
                self._raise_failure()
                return None
            chunk = self._chunks[consumer.position - self._first]
            consumer.position += 1
            self._trim()
            return chunk

    def _await(self, consumer: Consumer, ready: Callable[[], bool]) -> None:
        """Wait until `ready`. Raises StoreTimeout when the consumer has waited long enough."""
        left_s = consumer.until_s - self._clock()
        if not self._changed.wait_for(ready, None if left_s == math.inf else left_s):
            raise StoreTimeout("The read took longer than READ_TIMEOUT_S. Read a shorter range, or raise it.")

    def _raise_failure(self) -> None:
        """Raise what producing raised, with the first traceback: every thread that raises it would lengthen it."""
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)

    @property
    def _end(self) -> int:
        return self._first + len(self._chunks)

    def _is_wanted(self) -> bool:
        return not self._abandoned

    def _remove(self, consumers: list[Consumer]) -> None:
        for consumer in consumers:
            consumer.left = True
            if consumer in self._consumers:
                self._consumers.remove(consumer)
        self._abandoned = self._abandoned or not (self._consumers or self._finished)
        self._trim()
        self._free_if_over()
        self._changed.notify_all()

    def _free_if_over(self) -> None:
        """Drop an answer that nobody reads any more.

        A flight and its producer refer to each other, and so do a failure and the frames of the flight. Python's
        collector of such cycles may run hundreds of answers later.
        """
        if self._consumers or not (self._finished or self._abandoned):
            return
        self._first += len(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._finished:
            self._produced = self._error = self._traceback = None

    def _trim(self) -> None:
        """Drop what everybody has read, once the answer is too big to be kept."""
        if self._size <= self._keep_bytes or not self._consumers:
            return
        read = min(consumer.position for consumer in self._consumers) - self._first
        if read > 0:
            self._held -= sum(map(len, self._chunks[:read]))
            del self._chunks[:read]
            self._first += read
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._pull(self.producer.produce(self._is_wanted))
        except BaseException as error:  # noqa: BLE001  (raised to every consumer)
            with self._changed:
                self._error, self._traceback = error, error.__traceback__
        with self._changed:
            is_whole = self._error is None and not self._abandoned
            whole = self._chunks[:] if is_whole and self._size <= self._keep_bytes else None
        _logging_failure(lambda: self.producer.done(self._headers or {}, whole))
        with self._changed:
            self._finished = True
            self._free_if_over()
            self._changed.notify_all()

    def _pull(self, produced: Produced) -> None:
        with self._changed:
            self._produced, self._headers = produced, produced.headers
            is_wanted = not self._abandoned
        try:
            if is_wanted:
                for chunk in produced.chunks:
                    if not self._add(chunk):
                        break
        finally:
            _logging_failure(produced.cancel)
            # An iterator that is left in the middle holds its frames until somebody drops it.
            _logging_failure(getattr(produced.chunks, "close", lambda: None))

    def _add(self, chunk: bytes) -> bool:
        """Add a chunk once there is room; False when nobody reads any more. Raises StoreTimeout."""
        with self._changed:
            full_since = self._clock()
            while not self._abandoned and self._size > self._keep_bytes and self._held >= _AHEAD_BYTES:
                self._changed.wait(_LOOK_S)
                self._drop_stalled(full_since)
                if self._clock() - self.begun_at > self._longest_s:
                    raise StoreTimeout(_NOT_TAKEN)
            if self._abandoned:
                return False
            outgrown = self._size <= self._keep_bytes < self._size + len(chunk)
            if chunk:
                self._chunks.append(chunk)
                self._size += len(chunk)
                self._held += len(chunk)
                self._trim()
                self._changed.notify_all()
        if outgrown:
            self.producer.outgrown()
        return True

    def _drop_stalled(self, full_since: float) -> None:
        """Remove consumers that read nothing for as long as the buffer was full while others waited."""
        if len(self._consumers) < 2:
            return
        limit = self._clock() - _STALL_S
        slowest = min(consumer.position for consumer in self._consumers)
        silent = [consumer for consumer in self._consumers if max(consumer.moved_at, full_since) < limit]
        stalled = [consumer for consumer in silent if consumer.position == slowest]
        for consumer in stalled:
            consumer.stalled = True
        if stalled:
            self._remove(stalled)


def _logging_failure(act: Callable[[], object]) -> None:
    """Do `act`, which belongs to the end of an answer. Its failure changes no answer, so it is only logged."""
    try:
        act()
    except Exception:  # noqa: BLE001
        _log.warning("tidying up after an answer failed", exc_info=sys.exc_info())
