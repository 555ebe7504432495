"""One thread pool per dependency, so that a dependency that hangs blocks no other calls.

A call that finds no free thread waits up to two seconds. Then it is refused, and the error names the dependency.
One key gets at most its share of a pool (`service.shares`).
"""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from service.errors import DependencyBusy
from service.shares import Reserve, share_of_key

_WAIT_S = 2.0
"""How long a call waits for a thread: long enough for a burst, short enough to report a hanging dependency."""
_RETRY_AFTER_S = 2.0
Result = TypeVar("Result")


@dataclass
class _Limiters:
    """The limiters of one pool in one event loop: `whole` for all keys, `of_key` for each key with calls."""

    whole: anyio.CapacityLimiter
    of_key: dict[str, anyio.CapacityLimiter] = field(default_factory=dict)
    threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(math.inf))


class ThreadPool:
    """At most `most` threads that ask `dependency`, which is its name in messages."""

    def __init__(self, dependency: str, most: int, wait_s: float = _WAIT_S) -> None:
        self._dependency = dependency
        self._most = most
        self._of_key = share_of_key(most, Reserve.HALF)
        self._wait_s = wait_s
        self._limiters: anyio.lowlevel.RunVar[_Limiters] = anyio.lowlevel.RunVar(f"threads for the {dependency}")

    async def run(self, act: Callable[..., Result], *arguments: object, key: str | None = None) -> Result:
        """Call `act` in a thread on behalf of `key`. Raises DependencyBusy, and what `act` raises."""
        limiters = self._of_loop()
        async with self._permit(limiters, key):
            return await anyio.to_thread.run_sync(act, *arguments, limiter=limiters.threads)

    def busy_keys(self) -> set[str]:
        """The keys with running or waiting calls. Nothing is kept about other keys."""
        return set(self._of_loop().of_key)

    @asynccontextmanager
    async def _permit(self, limiters: _Limiters, key: str | None) -> AsyncIterator[None]:
        """Hold a permit of the key's share and one of the whole pool. Raises DependencyBusy after the wait."""
        call = object()
        needed = [limiters.whole] if key is None else [self._share(limiters, key), limiters.whole]
        held: list[anyio.CapacityLimiter] = []
        try:
            with anyio.move_on_after(self._wait_s):
                for limiter in needed:
                    await limiter.acquire_on_behalf_of(call)
                    held.append(limiter)
            if len(held) < len(needed):
                raise self._busy(whole=needed[len(held)] is limiters.whole)
            yield
        finally:
            for limiter in held:
                limiter.release_on_behalf_of(call)
            self._forget_idle(limiters, key)

    def _share(self, limiters: _Limiters, key: str) -> anyio.CapacityLimiter:
        return limiters.of_key.setdefault(key, anyio.CapacityLimiter(self._of_key))

    @staticmethod
    def _forget_idle(limiters: _Limiters, key: str | None) -> None:
        share = limiters.of_key.get(key) if key is not None else None
        if key is not None and share is not None:
            usage = share.statistics()
            if not usage.borrowed_tokens and not usage.tasks_waiting:
                del limiters.of_key[key]

    def _busy(self, whole: bool) -> DependencyBusy:
        threads = f"All {self._most} threads" if whole else f"The {self._of_key} threads that one key may have"
        finding = f"{threads} that ask the {self._dependency} are waiting for it."
        return DependencyBusy(
            f"{finding} Ask again in a moment; /health/ready says whether it answers.",
            _RETRY_AFTER_S,
            dependency=self._dependency,
        )

    def _of_loop(self) -> _Limiters:
        try:
            return self._limiters.get()
        except LookupError:
            limiters = _Limiters(anyio.CapacityLimiter(self._most))
            self._limiters.set(limiters)
            return limiters


@dataclass(frozen=True)
class ThreadPools:
    """One pool for each dependency and use that can hang by itself.

    A read waits in `reads` for its first bytes only. Sending has separate threads (`api/client_disconnect`).
    """

    reads: ThreadPool = field(default_factory=lambda: ThreadPool("store", 64))
    catalogue: ThreadPool = field(default_factory=lambda: ThreadPool("store", 16))
    """Lists, schemas and newest values, which take no read slot."""
    writes: ThreadPool = field(default_factory=lambda: ThreadPool("store", 16))
    state: ThreadPool = field(default_factory=lambda: ThreadPool("state database", 16))
    """Configuration, jobs, schedules."""
    keys: ThreadPool = field(default_factory=lambda: ThreadPool("state database", 16))
    """Look-ups of keys. They are separate, so that slow lists of jobs lock nobody out."""
    orders: ThreadPool = field(default_factory=lambda: ThreadPool("job queue", 8))
    """Jobs that are submitted. With workers, this asks the broker too."""
    parsing: ThreadPool = field(default_factory=lambda: ThreadPool("processor", 8))
    """Parsing of bodies and questions. It asks no dependency, and is still bounded."""
