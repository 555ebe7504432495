"""Writes points to InfluxDB, and finds exactly the lines that it refuses.

Each batch is inside one shard group, because InfluxDB checks types and counts lines by shard group. After a refusal the
rest of the batch is sent again until nothing is refused. A point that is written twice is one point, so every line that
is reported as stored is known to be stored.
"""

import json
from collections.abc import Iterator

import numpy as np

from service.domain.schema import Bucket
from service.domain.shards import shard_offset
from service.errors import RetryLater, StoreBusy, StoreError, StoreFailed, WriteProgress, printable_line
from service.frames.points import Points
from service.stores.influx.failures import failure
from service.stores.influx.failures import reason_of as response_reason_of
from service.stores.influx.refusals import OUTSIDE_RETENTION, REFUSED, Lines, reason_of
from service.stores.influx.transport import Transport
from service.stores.protocol import UNBOUNDED, Refusal, TypeClash, WriteBounds, WriteOutcome

BATCH_LINES = 10_000
BATCH_BYTES = 5_000_000
MOST_REQUESTS = 2_000
"""The most requests of one write that may be refused while refused lines are searched."""
_BUSY_S = 2.0
_BUSY_SIGNS = ("timeout", "cache-max-memory", "cache maximum memory")


def write_points(transport: Transport, bucket: Bucket, points: Points, bounds: WriteBounds = UNBOUNDED) -> WriteOutcome:
    """Store `points`, in their order within each shard group. An error of `bounds.check` ends it between two requests.

    Raises:
        UnknownBucket, StoreError, RetryLater: the write broke off; the message says how many lines
            were stored until then. Sending everything again is safe.
    """
    write = _Write(transport, bucket.name, points, bounds)
    try:
        for batch in batches(points, bucket.shard_ns):
            write.batch(batch)
    except (StoreError, RetryLater) as broken:
        broken.progress = WriteProgress(write.stored, len(points))
        broken.extra = {**broken.extra, "stored": write.stored}
        raise
    return write.outcome()


def batches(points: Points, shard_ns: int) -> Iterator[Lines]:
    """Lines to be sent together: of one shard group, at most about BATCH_LINES and BATCH_BYTES, in order."""
    times = points.times_ns
    groups = times // shard_ns - (times % shard_ns < shard_offset(shard_ns))
    order: Lines = np.argsort(groups, kind="stable")
    sizes = np.diff(points.offsets)[order]
    for span in np.split(np.arange(len(order)), np.flatnonzero(np.diff(groups[order])) + 1):
        start = 0
        ends = np.cumsum(sizes[span])
        while start < len(span):
            before = int(ends[start - 1]) if start else 0
            full = int(np.searchsorted(ends, before + BATCH_BYTES, "right"))
            stop = min(max(full, start + 1), start + BATCH_LINES)
            yield order[span[start:stop]]
            start = stop


class _Write:
    """One write under way: what is known to be stored, and what was refused."""

    def __init__(self, transport: Transport, bucket: str, points: Points, bounds: WriteBounds) -> None:
        self._transport = transport
        self._bucket = bucket
        self._points = points
        self._refused_requests = 0
        self._bounds = bounds
        self._refused: list[Refusal] = []
        self._unnamed = 0
        self.stored = 0

    def outcome(self) -> WriteOutcome:
        self._keep_the_first()
        return WriteOutcome(self.stored, tuple(self._refused), self._unnamed)

    def batch(self, lines: Lines) -> None:
        """Send `lines`; whatever of them is refused is taken out and the rest sent again, in the same order."""
        while len(lines):
            self._bounds.check()
            status, message = self._send(lines)
            if status < 300:
                self.stored += len(lines)
                return
            self._count()
            reason = reason_of(message, self._points, lines) if status in (400, 422) else None
            if reason is None or not len(reason.lines) or reason.counted < len(reason.lines):
                self._split(lines, message)
                return
            self._refuse(reason.lines, reason.code, reason.text, reason.clash)
            rest = lines[~np.isin(lines, reason.lines)]
            if reason.code == OUTSIDE_RETENTION and reason.counted == len(reason.lines):
                self.stored += len(rest)
                return
            lines = rest

    def _split(self, lines: Lines, message: str) -> None:
        if len(lines) == 1:
            reason = "InfluxDB refused this line alone. A key with admin is shown why."
            self._refuse(lines, REFUSED, reason, upstream=printable_line(message))
            return
        middle = len(lines) // 2
        self.batch(lines[:middle])
        self.batch(lines[middle:])

    def _refuse(self, lines: Lines, code: str, reason: str, clash: TypeClash | None = None, upstream: str = "") -> None:
        numbers = np.sort(self._points.numbers[lines])[: self._bounds.most_named]
        self._unnamed += len(lines) - len(numbers)
        self._refused += [Refusal(int(number), code, reason, clash, upstream) for number in numbers]
        if self._bounds.most_named is not None and len(self._refused) > 2 * self._bounds.most_named:
            self._keep_the_first()

    def _keep_the_first(self) -> None:
        """Sort what was refused, and keep as many as may be named."""
        self._refused.sort(key=lambda refusal: refusal.line)
        kept = self._refused[: self._bounds.most_named]
        self._unnamed += len(self._refused) - len(kept)
        self._refused = kept

    def _count(self) -> None:
        self._refused_requests += 1
        if self._refused_requests > MOST_REQUESTS:
            finding = "InfluxDB refused lines for so many reasons that"
            limit = f"{MOST_REQUESTS} requests did not single them out."
            raise StoreFailed(f"{finding} {limit} Send fewer at a time.")

    def _send(self, lines: Lines) -> tuple[int, str]:
        """Status and message: success, or a refusal (400, 413, 422). Any other answer raises."""
        parameters = {"org": self._transport.org, "bucket": self._bucket, "precision": "ns"}
        reply = self._transport.send("POST", "/api/v2/write", parameters, *self._transport.lines(self._text(lines)))
        body = reply.read()
        if 200 <= reply.status < 300:
            return reply.status, ""
        message = _message(body)
        if reply.status in (400, 413, 422) and "queue length exceeded" not in message:
            return reply.status, message or f"status {reply.status}"
        if reply.status == 500 and any(sign in message for sign in _BUSY_SIGNS):
            raise StoreBusy("InfluxDB cannot take the write at this moment.", _BUSY_S, upstream=message)
        raise failure(reply.status, reply.headers, body, self._bucket)

    def _text(self, lines: Lines) -> bytes:
        runs = np.split(lines, np.flatnonzero(np.diff(lines) != 1) + 1)
        offsets, text = self._points.offsets, self._points.text
        return b"".join([text[offsets[run[0]] : offsets[run[-1] + 1]] for run in runs])


def _message(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("message"), str):
        return str(document["message"])
    return response_reason_of(body)
