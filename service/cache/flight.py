"""One answer under way, and everybody who waits for it.

A thread of its own pulls the answer into a buffer that no client owns, so the first client may leave
without failing the others. While everything so far still fits the buffer, more may join and read from
the start; after that the answer only passes through: what all have read is dropped, and the producer
waits for the slowest, up to a limit.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from service.errors import FluxgateError, StoreBroken

_AHEAD_BYTES = 4 * 1024 * 1024
_STALL_S = 30.0


@dataclass(frozen=True)
class Produced:
    """An answer about to be made. `chunks` is taken once; `cancel` is thread-safe and is called at the end, whatever happened."""

    headers: dict[str, str]
    chunks: Iterator[bytes]
    cancel: Callable[[], None]


class Stalled(FluxgateError):
    """A client read nothing for so long that others would have had to wait for it."""

    code = "client_stalled"


class Consumer:
    """One reader of a flight."""

    def __init__(self) -> None:
        self.position = 0
        self.moved_at = time.monotonic()
        self.left = False
        self.stalled = False


class Maker(Protocol):
    """Makes the answer of a flight, and hears what became of it."""

    def produce(self) -> Produced: ...

    def outgrown(self) -> None:
        """The answer is too big to be kept."""

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        """The flight is over; `whole` is the answer when it is complete and small enough to be kept."""


class Flight:
    """`keep_bytes`: up to this size the whole answer is held and may be joined."""

    def __init__(self, keep_bytes: int, maker: Maker) -> None:
        self._keep_bytes = keep_bytes
        self._maker = maker
        self._changed = threading.Condition()
        self._chunks: list[bytes] = []
        self._first = 0
        self._size = 0
        self._held = 0
        self._headers: dict[str, str] | None = None
        self._produced: Produced | None = None
        self._finished = False
        self._error: BaseException | None = None
        self._consumers: list[Consumer] = []
        self._abandoned = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    def join(self) -> Consumer | None:
        """A reader from the start; None when it is too late for that."""
        with self._changed:
            if self._first or self._abandoned or (self._finished and self._error is not None):
                return None
            consumer = Consumer()
            self._consumers.append(consumer)
            return consumer

    def headers(self, consumer: Consumer) -> dict[str, str]:
        """Wait until the first chunk is there (or the end), and give the headers. Raises what producing raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._size or self._finished or consumer.left)
            if self._error is not None and not self._size:
                raise self._error
            if self._headers is None:
                raise StoreBroken("The answer was given up before it began.")
            return self._headers

    def chunks(self, consumer: Consumer) -> Iterator[bytes]:
        """The answer from its start. Raises what producing raised, where it happened."""
        while True:
            with self._changed:
                consumer.moved_at = time.monotonic()
                self._changed.wait_for(lambda: self._end > consumer.position or self._finished or consumer.left)
                if consumer.left:
                    break
                if self._end == consumer.position:
                    if self._error is not None:
                        raise self._error
                    return
                chunk = self._chunks[consumer.position - self._first]
                consumer.position += 1
                self._trim()
            yield chunk
        if consumer.stalled:
            raise Stalled("This client read nothing for 30 seconds while others waited for the same answer. Ask again.")

    def leave(self, consumer: Consumer) -> None:
        """Stop reading. The last one to leave ends the producing. Thread-safe; may be repeated."""
        with self._changed:
            consumer.left = True
            if consumer in self._consumers:
                self._consumers.remove(consumer)
            self._abandoned = not self._consumers and not self._finished
            self._trim()
            self._changed.notify_all()
            cancel = self._produced.cancel if self._abandoned and self._produced is not None else None
        if cancel is not None:
            cancel()

    @property
    def _end(self) -> int:
        return self._first + len(self._chunks)

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
            produced = self._maker.produce()
            with self._changed:
                self._produced, self._headers = produced, produced.headers
            try:
                for chunk in produced.chunks:
                    if not self._add(chunk):
                        break
            finally:
                produced.cancel()
        except BaseException as error:  # noqa: BLE001  (given to everybody who waits)
            self._error = error
        with self._changed:
            whole = self._chunks[:] if self._error is None and not self._abandoned and self._size <= self._keep_bytes else None
        self._maker.done(self._headers or {}, whole)
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _add(self, chunk: bytes) -> bool:
        """Add a chunk once there is room; False when nobody reads any more."""
        with self._changed:
            while not self._abandoned and self._size > self._keep_bytes and self._held >= _AHEAD_BYTES:
                self._changed.wait(1.0)
                self._drop_stalled()
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
            self._maker.outgrown()
        return True

    def _drop_stalled(self) -> None:
        """Where others wait, one that has read nothing for a while is left behind."""
        if len(self._consumers) < 2:
            return
        limit = time.monotonic() - _STALL_S
        slowest = min(consumer.position for consumer in self._consumers)
        for consumer in [one for one in self._consumers if one.position == slowest and one.moved_at < limit]:
            consumer.left = consumer.stalled = True
            self._consumers.remove(consumer)
        self._trim()
        self._changed.notify_all()
