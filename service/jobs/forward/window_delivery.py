"""Sends one window: it reads the source, cuts batches, and has a few of them sent at one time.

At most `in_flight` batches and the one being read are in memory, however much the window holds.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from service.domain.timerange import TimeRange
from service.frames import long_form
from service.frames.slice_digest import SliceDigest, SliceDigester
from service.jobs.forward.batches import batches
from service.jobs.forward.bookmarks import Acceptance
from service.jobs.forward.connector import Connector
from service.jobs.forward.counts import Counts
from service.jobs.forward.dead_letter_table import DeadLetterTable
from service.jobs.forward.window_digests import WindowDigest
from service.sources.protocol import Source
from service.transfer.dead_letters import DeadLetter
from service.transfer.run_control import RunControl
from service.upstream.protocol import Batch, Delivered, Sink


class WindowDelivery:
    """Sends windows of `connector` from `source` to `sink`. Use it inside `opened`.

    `letters`: where dead letters go. A window with more of them than there is room for is not sent to its end.
    """

    def __init__(
        self, connector: Connector, source: Source, sink: Sink, control: RunControl, letters: DeadLetterTable
    ) -> None:
        self._connector = connector
        self._source = source
        self._sink = sink
        self._control = control
        self._letters = letters
        self._threads: ThreadPoolExecutor | None = None

    @contextmanager
    def opened(self) -> Iterator["WindowDelivery"]:
        """Has threads for batches meanwhile. At the end it waits for those that are under way."""
        if self._connector.in_flight == 1:
            yield self
            return
        with ThreadPoolExecutor(self._connector.in_flight, f"posts of {self._connector.name}") as threads:
            self._threads = threads
            yield self

    def send(self, window: TimeRange, first_tried_s: float | None = None) -> Acceptance:
        """Send every value of `window`. The upstream has accepted or refused each of them afterwards.

        `first_tried_s`: when an earlier run tried it first, in seconds since 1970.

        Raises what the source and the sink raise. What was sent until then may or may not be stored.
        """
        digester = None if self._connector.look_back_ns is None else SliceDigester(self._connector.window_ns)
        counts, letters = Counts(), list[DeadLetter]()
        for values, delivered in self._deliveries(self._batches(window, digester), first_tried_s):
            counts += Counts.of_delivery(values, delivered)
            letters += delivered.dead_letters
            self._letters.refuse_more(self._connector.name, len(letters))
        digest = None
        if digester is not None:
            total = sum(digester.slices.values(), SliceDigest())
            digest = WindowDigest.of(window, self._connector.window_ns, total)
        return Acceptance(window, counts, tuple(letters), digest)

    def counts(self, span: TimeRange) -> dict[int, int]:
        """How many values each slot of `span` has now, by its start. Slots without values are absent."""
        counts, length_ns = Counter[int](), self._connector.window_ns
        for frame in self._frames(span):
            slots, numbers = np.unique(long_form.times_ns(frame) // length_ns, return_counts=True)
            counts.update(dict(zip((slots * length_ns).tolist(), numbers.tolist(), strict=True)))
        return dict(sorted(counts.items()))

    def is_empty(self, span: TimeRange) -> bool:
        """Whether `span` has no value now."""
        return not any(frame.num_rows for frame in self._frames(span))

    def digests(self, span: TimeRange) -> dict[int, SliceDigest]:
        """The digest of each slot of `span` that has values now, by its start."""
        digester = SliceDigester(self._connector.window_ns)
        for frame in self._frames(span):
            digester.add(frame)
        return digester.slices

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        """Send one batch."""
        self._control.check()
        return self._sink.deliver(batch, first_tried_s)

    def _frames(self, span: TimeRange) -> Iterator[pa.RecordBatch]:
        for frame in self._source.frames(span):
            self._control.check()
            yield frame

    def _batches(self, window: TimeRange, digester: SliceDigester | None) -> Iterator[Batch]:
        for batch in batches(window, self._frames(window), self._connector.max_points):
            if digester is not None:
                for frame in batch.frames:
                    digester.add(frame)
            yield batch

    def _deliveries(self, made: Iterator[Batch], first_tried_s: float | None) -> Iterator[tuple[int, Delivered]]:
        """The number of values of each batch, and what became of them."""
        if self._threads is None:
            for batch in made:
                yield batch.rows, self.deliver(batch, first_tried_s)
            return
        under_way = deque[tuple[int, Future[Delivered]]]()
        try:
            for batch in made:
                if len(under_way) == self._connector.in_flight:
                    values, future = under_way.popleft()
                    yield values, future.result()
                under_way.append((batch.rows, self._threads.submit(self.deliver, batch, first_tried_s)))
            while under_way:
                values, future = under_way.popleft()
                yield values, future.result()
        finally:
            for _, future in under_way:
                future.cancel()
