"""One answer under way, and everybody who waits for it.

A thread of its own pulls the answer into a buffer that no client owns, so the first client may leave
without failing the others. While everything so far still fits the buffer, more may join and read from
the start; after that the answer only passes through: what all have read is dropped, and the producer
waits for the slowest. In memory: at most `keep_bytes` (or 4 MB, if that is more) and one chunk. Nobody waits
longer than `longest_s`: neither a reader for the producer, nor the producer for readers that take nothing.
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

from service.errors import Stalled, StoreBroken, StoreTimeout

_AHEAD_BYTES = 4 * 1024 * 1024
_STALL_S = 30.0
_LOOK_S = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Produced:
    """An answer about to be made. `chunks` is taken once; `cancel` is thread-safe and is called at the end, whatever happened, perhaps twice."""

    headers: dict[str, str]
    chunks: Iterator[bytes]
    cancel: Callable[[], None]


class Consumer:
    """One reader of a flight. `position`: chunks read; `moved_at`: when it last asked for one; `until_s`: it waits no longer."""

    def __init__(self, now_s: float, until_s: float = math.inf) -> None:
        self.position = 0
        self.until_s = until_s
        self.moved_at = now_s
        self.left = False
        self.stalled = False


class Maker(Protocol):
    """Makes the answer of a flight, and hears what became of it."""

    @property
    def made_elsewhere_at(self) -> float | None:
        """When another process made it, in seconds since 1970; None: it was made here."""

    def produce(self, wanted: Callable[[], bool]) -> Produced:
        """`wanted` turns false when the last client has left."""

    def outgrown(self) -> None:
        """The answer is too big to be kept."""

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        """The flight is over; `whole` is the answer when it is complete and small enough to be kept."""


class Flight:
    """`keep_bytes`: up to this size the whole answer is held and may be joined. `clock`: seconds that never go back."""

    def __init__(self, keep_bytes: int, maker: Maker, clock: Callable[[], float] = time.monotonic, longest_s: float = math.inf) -> None:
        self.begun_at = clock()
        self._longest_s = longest_s
        self._keep_bytes = keep_bytes
        self.maker = maker
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

    def start(self) -> None:
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    def join(self) -> Consumer | None:
        """A reader from the start; None when it is too late for that."""
        with self._changed:
            if self._size > self._keep_bytes or self._abandoned or self._error is not None:
                return None
            return self.board()

    def board(self) -> Consumer:
        """The first reader, before the start."""
        now_s = self._clock()
        consumer = Consumer(now_s, now_s + self._longest_s)
        self._consumers.append(consumer)
        return consumer

    def headers(self, consumer: Consumer) -> dict[str, str]:
        """Wait until the first chunk is there (or the end), and give the headers. Raises what producing raised."""
        with self._changed:
            self._await(consumer, lambda: bool(self._size) or self._finished or consumer.left)
            if not self._size:
                self._raise_failure()
            if consumer.left or self._headers is None:
                raise StoreBroken("The answer was given up before it began.")
            return self._headers

    def chunks(self, consumer: Consumer) -> Iterator[bytes]:
        """The answer from its start. Raises what producing raised, where it happened; ends early for one that left."""
        try:
            while (chunk := self._next(consumer)) is not None:
                yield chunk
        finally:
            self.leave(consumer)

    def leave(self, consumer: Consumer) -> None:
        """Stop reading. The last one to leave ends the producing. Thread-safe; may be repeated."""
        with self._changed:
            self._forget([consumer])
            cancel = self._produced.cancel if self._abandoned and self._produced is not None else None
        if cancel is not None:
            _quietly(cancel)

    def _next(self, consumer: Consumer) -> bytes | None:
        with self._changed:
            consumer.moved_at = self._clock()
            self._await(consumer, lambda: self._end > consumer.position or self._finished or consumer.left)
            consumer.moved_at = self._clock()
            if consumer.stalled:
                raise Stalled("This client read nothing for 30 seconds while others waited for the same answer. Ask again.")
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
        if not self._changed.wait_for(ready, None if left_s == math.inf else max(left_s, 0.0)):
            raise StoreTimeout("The read took longer than READ_TIMEOUT_S. Read a shorter range, or raise it.")

    def _raise_failure(self) -> None:
        """What producing raised, with its traceback as it was: many threads raise the one exception, and each would lengthen it."""
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)

    @property
    def _end(self) -> int:
        return self._first + len(self._chunks)

    def _wanted(self) -> bool:
        return not self._abandoned

    def _forget(self, leaving: list[Consumer]) -> None:
        for consumer in leaving:
            consumer.left = True
            if consumer in self._consumers:
                self._consumers.remove(consumer)
        self._abandoned = self._abandoned or not (self._consumers or self._finished)
        self._trim()
        self._let_go_if_over()
        self._changed.notify_all()

    def _let_go_if_over(self) -> None:
        """Hold nothing of an answer that nobody reads any more. A flight and its maker know each other, and a failure knows
        the frames that know the flight: the collector of such circles may come hundreds of answers later.
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
            self._pull(self.maker.produce(self._wanted))
        except BaseException as error:  # noqa: BLE001  (given to everybody who waits)
            with self._changed:
                self._error, self._traceback = error, error.__traceback__
        with self._changed:
            whole = self._chunks[:] if self._error is None and not self._abandoned and self._size <= self._keep_bytes else None
        _quietly(lambda: self.maker.done(self._headers or {}, whole))
        with self._changed:
            self._finished = True
            self._let_go_if_over()
            self._changed.notify_all()

    def _pull(self, produced: Produced) -> None:
        with self._changed:
            self._produced, self._headers = produced, produced.headers
            wanted = not self._abandoned
        try:
            if wanted:
                for chunk in produced.chunks:
                    if not self._add(chunk):
                        break
        finally:
            _quietly(produced.cancel)
            # An iterator that is left in the middle holds its frames until somebody drops it: close it here and now.
            _quietly(getattr(produced.chunks, "close", lambda: None))

    def _add(self, chunk: bytes) -> bool:
        """Add a chunk once there is room; False when nobody reads any more."""
        with self._changed:
            full_since = self._clock()
            while not self._abandoned and self._size > self._keep_bytes and self._held >= _AHEAD_BYTES:
                self._changed.wait(_LOOK_S)
                self._drop_stalled(full_since)
                if self._clock() - self.begun_at > self._longest_s:
                    raise StoreTimeout("The answer was not taken within READ_TIMEOUT_S. Read faster, or a shorter range, or raise it.")
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
            self.maker.outgrown()
        return True

    def _drop_stalled(self, full_since: float) -> None:
        """Where others wait, one that has read nothing all the time that the buffer was full is left behind."""
        if len(self._consumers) < 2:
            return
        limit = self._clock() - _STALL_S
        slowest = min(consumer.position for consumer in self._consumers)
        stalled = [one for one in self._consumers if one.position == slowest and max(one.moved_at, full_since) < limit]
        for consumer in stalled:
            consumer.stalled = True
        if stalled:
            self._forget(stalled)


def _quietly(act: Callable[[], object]) -> None:
    """Do what belongs to the end of an answer; a failure of that changes no answer, so it goes to the log."""
    try:
        act()
    except Exception:  # noqa: BLE001
        _log.warning("tidying up after an answer failed", exc_info=sys.exc_info())
