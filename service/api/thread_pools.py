"""Threads for each dependency, so that one which hangs takes only its own.

A call that finds no thread free waits a moment, then it is refused with the name of what is busy. One key
gets at most its share of a pool (`service.shares`). What needs no dependency needs no thread.
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
"""How long a call waits for a thread: bursts pass, and a dependency that hangs is told of soon."""
_RETRY_AFTER_S = 2.0
Result = TypeVar("Result")


@dataclass
class _Places:
    """The threads of one pool in one event loop: all, and those of each key that has or wants some."""

    all: anyio.CapacityLimiter
    of_key: dict[str, anyio.CapacityLimiter] = field(default_factory=dict)
    threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(math.inf))


class ThreadPool:
    """At most `most` threads that ask `dependency`, as messages name it."""

    def __init__(self, dependency: str, most: int, wait_s: float = _WAIT_S) -> None:
        self._dependency = dependency
        self._most = most
        self._of_key = share_of_key(most, Reserve.HALF)
        self._wait_s = wait_s
        self._places: anyio.lowlevel.RunVar[_Places] = anyio.lowlevel.RunVar(f"threads for the {dependency}")

    async def run(self, act: Callable[..., Result], *arguments: object, key: str | None = None) -> Result:
        """What `act` gives, or raises, in a thread. `key`: on whose behalf. Raises DependencyBusy."""
        places = self._of_this_loop()
        async with self._taken(places, key):
            return await anyio.to_thread.run_sync(act, *arguments, limiter=places.threads)

    def busy_keys(self) -> set[str]:
        """The keys that have or want a thread just now; nothing is kept of the others."""
        return set(self._of_this_loop().of_key)

    @asynccontextmanager
    async def _taken(self, places: _Places, key: str | None) -> AsyncIterator[None]:
        """A place of the key's share, then one of all, both within the wait."""
        call = object()
        limiters = [places.all] if key is None else [self._share(places, key), places.all]
        held: list[anyio.CapacityLimiter] = []
        try:
            with anyio.move_on_after(self._wait_s):
                for limiter in limiters:
                    await limiter.acquire_on_behalf_of(call)
                    held.append(limiter)
            if len(held) < len(limiters):
                raise self._busy(whole=limiters[len(held)] is places.all)
            yield
        finally:
            for limiter in held:
                limiter.release_on_behalf_of(call)
            self._forget_idle(places, key)

    def _share(self, places: _Places, key: str) -> anyio.CapacityLimiter:
        return places.of_key.setdefault(key, anyio.CapacityLimiter(self._of_key))

    @staticmethod
    def _forget_idle(places: _Places, key: str | None) -> None:
        share = places.of_key.get(key) if key is not None else None
        if key is not None and share is not None:
            seen = share.statistics()
            if not seen.borrowed_tokens and not seen.tasks_waiting:
                del places.of_key[key]

    def _busy(self, whole: bool) -> DependencyBusy:
        what = f"All {self._most} threads" if whole else f"The {self._of_key} threads that one key may have"
        return DependencyBusy(
            f"{what} that ask the {self._dependency} are waiting for it. Ask again in a moment; /health/ready says whether it answers.",
            _RETRY_AFTER_S,
            dependency=self._dependency,
        )

    def _of_this_loop(self) -> _Places:
        try:
            return self._places.get()
        except LookupError:
            places = _Places(anyio.CapacityLimiter(self._most))
            self._places.set(places)
            return places


@dataclass(frozen=True)
class ThreadPools:
    """One pool for each thing that can hang by itself. Reads wait for their first row in `reads`, and send in threads of their own (`leaving`)."""

    reads: ThreadPool = field(default_factory=lambda: ThreadPool("store", 64))
    catalogue: ThreadPool = field(default_factory=lambda: ThreadPool("store", 16))
    """Lists, schemas, newest values: questions that hold no slot."""
    writes: ThreadPool = field(default_factory=lambda: ThreadPool("store", 16))
    state: ThreadPool = field(default_factory=lambda: ThreadPool("state database", 16))
    """Configuration, jobs, schedules."""
    keys: ThreadPool = field(default_factory=lambda: ThreadPool("state database", 16))
    """Keys that are looked up: apart, so that slow lists of jobs shut nobody out."""
    orders: ThreadPool = field(default_factory=lambda: ThreadPool("job queue", 8))
    """Jobs that are ordered: with workers, the broker is asked too."""
    parsing: ThreadPool = field(default_factory=lambda: ThreadPool("processor", 8))
    """Bodies that are read: no dependency, and still not without bound."""
