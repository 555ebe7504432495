"""A cache that several workers share and that can go away, and answers that come chunk by chunk as a test lets them."""

import random
import threading
import time
from collections.abc import Callable, Iterator

from service.cache.answers import AnswerCache, Served
from service.cache.memory import MemoryCache
from service.cache.single_flight import Produced
from tests.support.waiting import until

WAIT_S = 10.0


class SharedCache(MemoryCache):
    """What several workers share. `away`: it answers nothing, keeps nothing and grants every lock, as the port says."""

    shared = True

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(10_000_000, clock)
        self.away = False
        self.answers: dict[str, float] = {}
        """Until when each answer is kept, by its name."""
        self.locks: dict[str, float] = {}
        """Until when each lock that was granted lasts, by its name."""
        self._now_s = clock
        self.refused = threading.Semaphore(0)
        """Released at each lock that was asked for in vain."""

    def get(self, key: str) -> bytes | None:
        return None if self.away else super().get(key)

    def put(self, key: str, value: bytes, ttl_s: float) -> bool:
        is_kept = not self.away and super().put(key, value, ttl_s)
        if is_kept and not key.startswith("generation:"):
            self.answers[key] = self._now_s() + ttl_s
        return is_kept

    def swap(self, key: str, old: bytes | None, new: bytes, ttl_s: float) -> bool:
        return not self.away and super().swap(key, old, new, ttl_s)

    def lock(self, key: str, ttl_s: float) -> str | None:
        if self.away:
            return "granted"
        token = super().lock(key, ttl_s)
        if token is None:
            self.refused.release()
        else:
            self.locks[key] = self._now_s() + ttl_s
        return token

    def extend(self, key: str, token: str, ttl_s: float) -> bool:
        is_extended = not self.away and super().extend(key, token, ttl_s)
        if is_extended:
            self.locks[key] = self._now_s() + ttl_s
        return is_extended

    def unlock(self, key: str, token: str) -> None:
        if not self.away:
            super().unlock(key, token)

    def lose_one(self, pick: random.Random) -> None:
        """Forget one entry, as a full server does."""
        with self._lock:
            if self._entries:
                self._drop(pick.choice(list(self._entries)))

    def spoil(self, pick: random.Random) -> None:
        """Put bytes that nobody wrote, or only a part, in the place of some values."""
        with self._lock:
            for key in [key for key in self._entries if pick.random() < 0.3]:
                until_s, value = self._entries[key]
                spoilt = pick.choice([b"", b"garbage", value[: len(value) // 2], b"fgb0" + value[4:]])
                self._drop(key)
                self._keep(key, spoilt, until_s - self._clock())


class Recipe:
    """Makes one answer: each chunk waits for `let_go`, and `cancel` unblocks.

    `begun` is set when producing begins, and `asked` when somebody asks for the first chunk.
    """

    def __init__(self, *chunks: bytes | Exception, held: bool = False) -> None:
        self.chunks = chunks
        self.begun = threading.Event()
        self.asked = threading.Event()
        self.free = threading.Semaphore(0 if held else len(chunks) + 1)
        self.made = 0
        self.cancelled = threading.Event()
        self.closed = threading.Event()

    def __call__(self) -> Produced:
        self.made += 1
        self.begun.set()
        return Produced({"X": "y"}, self._pieces(), self._cancel)

    def let_go(self, count: int = 100) -> None:
        self.free.release(count)

    def _cancel(self) -> None:
        self.cancelled.set()
        self.free.release()

    def _pieces(self) -> Iterator[bytes]:
        self.asked.set()
        try:
            for chunk in self.chunks:
                assert self.free.acquire(timeout=3 * WAIT_S)
                if self.cancelled.is_set():
                    return
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk
        finally:
            self.closed.set()


class Kept:
    """Makes what the recipe says, and remembers what became of it."""

    made_elsewhere_at = None

    def __init__(self, produce: Callable[[], Produced], done: Callable[[], None] = lambda: None) -> None:
        self._produce = produce
        self._done = done
        self.whole: list[bytes] | None = None
        self.headers: dict[str, str] | None = None
        self.is_wanted: Callable[[], bool] = lambda: False
        self.over = threading.Event()
        self.times_outgrown = 0

    def produce(self, wanted: Callable[[], bool]) -> Produced:
        self.is_wanted = wanted
        return self._produce()

    def outgrown(self) -> None:
        self.times_outgrown += 1

    def done(self, headers: dict[str, str], whole: list[bytes] | None) -> None:
        self.headers, self.whole = headers, whole
        self.over.set()
        self._done()


class Task(threading.Thread):
    """A call in a thread of its own. `result()` gives or raises what it did."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._value: object = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._act()
        except BaseException as error:  # noqa: BLE001  (raised by result)
            self._error = error

    def result(self) -> object:
        self.join(WAIT_S)
        assert not self.is_alive(), "still waiting"
        if self._error is not None:
            raise self._error
        return self._value


def body(served: Served) -> bytes:
    try:
        return b"".join(served.chunks)
    finally:
        served.close()


def asking(answers: AnswerCache, recipe: Callable[[], Produced], ttl_s: float = 60) -> Callable[[], tuple[str, bytes]]:
    def ask() -> tuple[str, bytes]:
        served = answers.serve("k", ["b"], ttl_s, recipe)
        return served.outcome, body(served)

    return ask


def waiting(answers: AnswerCache) -> int:
    """How many clients the answers under way have."""
    return answers.waiting_clients


def landed(answers: AnswerCache) -> None:
    until(lambda: not answers.under_way)
