"""Whether a request is sent once more, and how long is waited before: a decision, made without sending or sleeping.

A request that the gateway did not take (429), or that may be repeated without harm, is sent again; any other is not.
The number of tries and each pause have a bound. A pause has a random part, so that clients do not come back together.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from fluxgate_client.errors import AnswerBroken, GatewayError, GatewayUnreachable, RateLimited, Unavailable


@dataclass(frozen=True)
class Retry:
    """`tries` in all (1: never again). Pauses double from `first_pause_s`.

    Where the gateway says when to come back, the client waits that long; beyond `longest_pause_s` it raises at once.
    `clock` gives seconds since 1970 (for a Retry-After that is a date), `random` numbers from 0 to 1.
    """

    tries: int = 4
    first_pause_s: float = 0.25
    longest_pause_s: float = 60.0
    clock: Callable[[], float] = time.time
    random: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.tries < 1 or self.first_pause_s < 0 or self.longest_pause_s < 0:
            raise ValueError(f"{self} makes no sense: at least one try, and no negative pause.")

    def begin(self, repeatable: bool) -> "Tries":
        return Tries(self, repeatable)


class Tries:
    """The tries of one request. `repeatable`: it may be carried out twice without harm."""

    def __init__(self, retry: Retry, repeatable: bool) -> None:
        self._retry = retry
        self._repeatable = repeatable
        self._failed = 0

    def pause_s(self, error: GatewayError) -> float:
        """How long to wait after `error` before the next try. Raises `error` when there is none."""
        self._failed += 1
        if self._failed >= self._retry.tries or not _passes(error, self._repeatable):
            raise error
        pause_s = self._pause_s(getattr(error, "retry_after_s", None))
        if pause_s > self._retry.longest_pause_s:
            raise error
        return pause_s

    def _pause_s(self, retry_after_s: float | None) -> float:
        jitter = self._retry.random()
        if retry_after_s is not None:
            return retry_after_s + jitter * self._retry.first_pause_s
        return self._retry.first_pause_s * 2.0 ** (self._failed - 1) * (0.5 + jitter / 2)


def _passes(error: GatewayError, repeatable: bool) -> bool:
    """Whether the same request may go well later."""
    if isinstance(error, RateLimited):
        return error.retry_after_s is not None and error.code != "too_many_failed_tries"
    if isinstance(error, Unavailable):
        return error.retry_after_s is not None and repeatable
    if isinstance(error, GatewayUnreachable):
        return repeatable or not error.may_have_arrived
    return isinstance(error, AnswerBroken) and repeatable
