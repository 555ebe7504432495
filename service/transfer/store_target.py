"""Lets a `Writer` of the client package write to a store directly, without a gateway."""

import time
from collections.abc import Callable

import structlog

from fluxgate_client import LinesOutcome, RefusedLine
from service.errors import StoreTimeout
from service.lineprotocol.parser import parse_lines
from service.stores.protocol import Store
from service.transfer.retry import Retry

_log = structlog.get_logger(__name__)


class StoreTarget:
    """Writes lines to `store`, and again while it is busy or its connection breaks, for about `patience_s` seconds."""

    def __init__(
        self,
        store: Store,
        patience_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.store = store
        self._patience_s = patience_s
        self._clock = clock
        self._sleep = sleep

    def write_lines(self, bucket: str, lines: bytes) -> LinesOutcome:
        """Store lines that have times. Raises StoreError, and UnknownBucket."""
        self.store.bucket(bucket)
        parsed = parse_lines(lines, "ns", time.time_ns())
        control = _Patience(self._clock, self._sleep, self._patience_s)
        outcome = Retry(control, _log_line).call(lambda: self.store.write(bucket, parsed.points))
        bad = [RefusedLine(line.line, "bad_line", f"{line.reason}: {line.text}") for line in parsed.bad]
        refused = [RefusedLine(refusal.line, refusal.code, refusal.reason) for refusal in outcome.refused]
        return LinesOutcome([*bad, *refused], parsed.bad_count - len(bad) + outcome.unnamed)


class _Patience:
    """A run that ends after `patience_s` seconds."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], object], patience_s: float) -> None:
        self._clock, self._sleep, self._patience_s = clock, sleep, patience_s
        self._until = clock() + patience_s

    def check(self) -> None:
        if self._clock() > self._until:
            raise StoreTimeout(f"The store took no points within {self._patience_s:.0f} s.")

    def sleep(self, seconds: float) -> None:
        self._sleep(min(seconds, max(0.0, self._until - self._clock()) + 1))


def _log_line(level: str, message: str) -> None:
    _log.warning("writing to the store again", reason=message, level_of_line=level)
