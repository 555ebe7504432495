"""Writes points of one's own measurements in batches, to a gateway or to any store, and names each rejected one.

with Writer(gateway, bucket="Lab") as writer:
    writer.write(Climate(room="a", celsius=21.5))

A batch is sent when it is full, when its oldest point is `max_age_s` old, and at the end. A point that was given to the
writer is written, rejected with its reason, or still waiting; none vanishes in silence.
"""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from fluxgate_client.errors import GatewayError, InvalidRequest, PointsRefused, TooLarge
from fluxgate_client.measurements import Measurement, lines_of

_MOST_NAMED = 1000
"""A gateway names as many lines of a request, and counts the others."""


@dataclass(frozen=True)
class RefusedLine:
    """A line that was not stored: its number, from 1, a stable code, and the reason."""

    line: int
    code: str
    reason: str


@dataclass(frozen=True)
class LinesOutcome:
    """The lines of a request that were not stored; `unnamed` counts those beyond `refused`. All others are stored."""

    refused: Sequence[RefusedLine] = ()
    unnamed: int = 0


class LineTarget(Protocol):
    """What a writer writes to: a `Gateway`, or a store through `service.writers`."""

    def write_lines(self, bucket: str, lines: bytes) -> LinesOutcome:
        """Store lines that all have a time; called again with the same lines it leaves one point for each.

        Raises when it cannot say which lines are stored, and TooLarge or PointsRefused for too many lines.
        """


@dataclass(frozen=True)
class Rejected:
    """A point that was not stored. `code`: `type_conflict`, `outside_retention`, `bad_line` and so on."""

    point: Measurement
    code: str
    reason: str


class UnwrittenPoints(RuntimeWarning):
    """A writer ended while points were waiting."""


class WriterFull(GatewayError):
    """As many points wait as a writer holds. The point that was given is not among them."""


class Writer:
    """Writes to `bucket` of `target`, from any number of threads. Use it as a context manager, or call `close`.

    `batch`: most points of a request. `max_age_s`: how long a point waits for others, at most. `most_waiting`: how many
    wait while the target fails. `on_rejected` is called for each rejected point; `rejected` keeps the first
    `most_rejected`, and `rejected_count` counts all. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        target: LineTarget,
        bucket: str,
        *,
        batch: int = 5000,
        max_age_s: float = 10.0,
        most_waiting: int = 100_000,
        most_rejected: int = 10_000,
        on_rejected: Callable[[Rejected], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= batch <= most_waiting or max_age_s <= 0:
            raise InvalidRequest(f"batch={batch} is from 1 to most_waiting ({most_waiting}), max_age_s above 0.")
        self.bucket = bucket
        self.written = 0
        self.rejected_count = 0
        self.rejected: list[Rejected] = []
        self._target, self._batch, self._max_age_s, self._clock = target, batch, max_age_s, clock
        self._most_waiting, self._most_rejected, self._on_rejected = most_waiting, most_rejected, on_rejected
        self._waiting: list[Measurement] = []
        self._due: float | None = None
        self._failed = False
        self._lock, self._sending = threading.Lock(), threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._dropped = weakref.finalize(self, _warn_of_dropped, self._waiting, bucket, self._wake)

    @property
    def waiting(self) -> Sequence[Measurement]:
        """The points that are not written yet."""
        with self._lock:
            return tuple(self._waiting)

    def write(self, point: Measurement) -> None:
        """Take a point, and write a batch when it is full.

        Raises:
            WriterFull: the target fails for so long that no more points can wait; the point is not taken.
            GatewayError, or what the target raises: the batch could not be written. The point is taken and waits with
            the others. They are tried again after `max_age_s`, and by `flush` and `close`.
        """
        if not isinstance(point, Measurement):
            raise InvalidRequest(f"{point!r:.100} is no Measurement. Make a subclass of Measurement, and write that.")
        with self._lock:
            if self._closed:
                raise InvalidRequest(f"The writer of {self.bucket!r} is closed. Make another one.")
            if len(self._waiting) >= self._most_waiting:
                raise WriterFull(f"{self._most_waiting} points of {self.bucket!r} wait. Call flush() to see why.")
            self._waiting.append(point)
            if self._due is None:
                self._set_due()
            send = self._is_due() or (len(self._waiting) >= self._batch and not self._failed)
        if send:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises as `write`; what could not be written goes on waiting."""
        with self._sending:
            while points := self.waiting[: self._batch]:
                try:
                    rejected = self._sent(points)
                except BaseException:
                    with self._lock:
                        self._failed, self._due = True, self._clock() + self._max_age_s
                    raise
                with self._lock:
                    self._failed = False
                    del self._waiting[: len(points)]
                    self._due = self._clock() + self._max_age_s if self._waiting else None
                self._count(points, rejected)

    def close(self) -> None:
        """Write what waits, and end. Raises as `write`; then the writer stays open, and `waiting` has the points."""
        try:
            self.flush()
        except Exception as error:
            error.add_note(f"{len(self.waiting)} points of {self.bucket!r} were not written.")
            raise
        with self._lock:
            self._closed = True
        self._wake.set()
        self._dropped.detach()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self.close()
            finally:
                self._dropped.detach()  # the error says it
                self._wake.set()  # what could not be written is the caller's now, not the thread's
            return
        try:
            self.close()
        except Exception as failed:  # noqa: BLE001  (what the target raises)
            sentence = f"{len(self.waiting)} points of {self.bucket!r} were not written: {failed}"
            warnings.warn(UnwrittenPoints(sentence), stacklevel=2)
            self._dropped.detach()
            self._wake.set()

    def _sent(self, points: Sequence[Measurement]) -> list[Rejected]:
        """Write the points, and give the rejected ones. Where a request is too large for its answer, it is parted."""
        lines, points_by_line = lines_of(points)
        try:
            outcome = self._target.write_lines(self.bucket, lines)
        except (TooLarge, PointsRefused) as refused:
            if len(points) == 1:
                return [Rejected(points[0], refused.code, refused.detail)]
            return self._sent_in_parts(points, (len(points) + 1) // 2)
        if outcome.unnamed and len(points) > 1:
            return self._sent_in_parts(points, min(_MOST_NAMED, (len(points) + 1) // 2))
        return [Rejected(points_by_line[line.line], line.code, line.reason) for line in outcome.refused]

    def _sent_in_parts(self, points: Sequence[Measurement], size: int) -> list[Rejected]:
        parts = (points[start : start + size] for start in range(0, len(points), size))
        return [rejected for part in parts for rejected in self._sent(part)]

    def _count(self, points: Sequence[Measurement], rejected: Sequence[Rejected]) -> None:
        self.written += len(points) - len(rejected)
        self.rejected_count += len(rejected)
        self.rejected += rejected[: max(0, self._most_rejected - len(self.rejected))]
        if self._on_rejected is not None:
            for rejection in rejected:
                self._on_rejected(rejection)

    def _set_due(self) -> None:
        self._due = self._clock() + self._max_age_s
        if self._thread is None:
            arguments = (weakref.ref(self), self._wake, self._max_age_s)
            self._thread = threading.Thread(target=_flush_by_age, args=arguments, name="point-writer", daemon=True)
            self._thread.start()

    def _is_due(self) -> bool:
        return self._due is not None and self._clock() >= self._due

    def _flush_when_due(self) -> None:
        """For the thread. An error is not lost: the points wait, and the next `write`, `flush` or `close` meets it."""
        with self._lock:
            is_due = self._is_due()
        if is_due:
            try:
                self.flush()
            except Exception as error:  # noqa: BLE001  (what the target raises)
                sentence = f"Points of {self.bucket!r} could not be written, and wait: {error}"
                warnings.warn(UnwrittenPoints(sentence), stacklevel=1)


def _flush_by_age(reference: weakref.ref[Writer], wake: threading.Event, max_age_s: float) -> None:
    """Runs in a thread that holds no writer while it sleeps, so that a forgotten writer can end."""
    while not wake.wait(max(0.01, max_age_s / 4)):
        writer = reference()
        if writer is None:
            return
        writer._flush_when_due()
        del writer


def _warn_of_dropped(waiting: Sequence[Measurement], bucket: str, wake: threading.Event) -> None:
    wake.set()
    if waiting:
        advice = "Use the writer as a context manager, or call close()."
        sentence = f"{len(waiting)} points of {bucket!r} were never written. {advice}"
        warnings.warn(UnwrittenPoints(sentence), stacklevel=1)
