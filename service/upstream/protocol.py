"""The port to an upstream API: it takes batches of points, and says what became of each value."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from service.domain.timerange import TimeRange
from service.transfer.dead_letters import DeadLetter


@dataclass(frozen=True)
class Batch:
    """Values of one window that are sent together: long frames (`service.frames.frame`), in a stable order.

    `number` counts the batches of the window from 0.
    """

    window: TimeRange
    number: int
    frames: Sequence[pa.RecordBatch]

    @property
    def rows(self) -> int:
        return sum(frame.num_rows for frame in self.frames)


@dataclass(frozen=True)
class Delivered:
    """What became of a batch: each value is accepted, or refused and then in `dead_letters`.

    `posts`: requests that were made. `unknown`: posts without an answer, which were sent again under the same key.
    """

    accepted: int
    posts: int
    unknown: int = 0
    dead_letters: Sequence[DeadLetter] = field(default_factory=tuple)

    @property
    def refused(self) -> int:
        return len(self.dead_letters)


class Sink(Protocol):
    """An upstream API."""

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        """Send a batch until each of its values is accepted or refused.

        The same batch has the same `Idempotency-Key` every time, in any process. `first_tried_s`: when it was first
        tried (seconds since 1970), where an earlier run did that and may have had no answer.

        Raises:
            UpstreamUnavailable: it does not accept now. What was sent may or may not be stored. Try again later.
            UpstreamStopped: it wants a human (401, 403, an unknown route): nothing is tried again by itself.
            JobInterrupted: the run has to end.
        """
