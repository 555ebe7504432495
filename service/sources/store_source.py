"""The buckets of a store as a source: the selection of a read, piece by piece, in a stable order."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from service.domain.durations import SECOND_NS
from service.domain.schema import MeasurementSchema
from service.domain.selection import Selection, plan_read
from service.domain.timerange import TimeRange, format_time
from service.errors import QueryRefused, StoreLimit, UnreadableText
from service.frames.frame import TEXT_CODES, constant_codes
from service.frames.long_form import measurement, tag_keys
from service.sources.frame_order import in_order
from service.sources.store_checks import refuse_unknown_names, tags_with_unknown_values
from service.sources.store_text import StoreDefinition
from service.sources.window_edges import stamped_in
from service.stores.protocol import Store
from service.transfer.retry import Retry
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.transfer.splitting import Splitter

_MOST_AT_ONCE = 8
"""How many times more a piece may hold that cannot be halved."""
_SHORTEST_NS = SECOND_NS // 1_000


@dataclass(frozen=True)
class PieceBounds:
    """What a piece of time may hold: so much is in memory at one time."""

    rows: int = 500_000
    bytes: int = 64_000_000

    def refuse_more(self, frames: Sequence[pa.RecordBatch], times_more: int) -> None:
        """Raises _TooMuch."""
        rows = sum(frame.num_rows for frame in frames)
        if rows > times_more * self.rows or sum(frame.nbytes for frame in frames) > times_more * self.bytes:
            raise _TooMuch


PIECES = PieceBounds()


class _TooMuch(Exception):
    """A piece of time holds more than fits into memory."""


class StoreSource:
    """Points, or rows of whole windows, of buckets. One thread uses it.

    A measurement that cannot be read because a name or text in it is no Unicode is left out; the log says so once, and
    `left_out` names it with the reason, by bucket. One that the configuration names is refused instead.
    """

    def __init__(
        self,
        definition: StoreDefinition,
        store: Store,
        control: RunControl,
        log: Log,
        pieces: PieceBounds = PIECES,
    ) -> None:
        self._definition = definition
        self._pieces_hold = pieces
        self._store = store
        self._control = control
        self._log = log
        self._retry = Retry(control, log)
        self._splitter = Splitter(self._retry, log)
        self.left_out: dict[str, dict[str, str]] = {}

    def check(self) -> None:
        """Ask for the schema of each bucket, and refuse names that none of them knows."""
        schemas = {bucket: self._schema(bucket) for bucket in self._definition.buckets}
        refuse_unknown_names(self._definition, schemas)
        for bucket, schema in schemas.items():
            self._readable(bucket, schema)
        for key, values in tags_with_unknown_values(self._definition, self._store):
            listed = ", ".join(map(repr, values[:10]))
            self._log("warning", f"No series has the tag {key!r} with {listed} so far.")

    def frames(self, window: TimeRange) -> Iterator[pa.RecordBatch]:
        """Bucket by bucket, and within one by pieces of time, each by measurement, field, tags and time."""
        for bucket in self._definition.buckets:
            for piece in self._pieces(bucket, window):
                for frame in piece:
                    yield self._with_bucket(frame, bucket)

    def oldest_ns(self) -> int | None:
        """The oldest point of the buckets; of selected measurements or tags the oldest may be a later one."""
        firsts = [self._retry.call(partial(self._store.first_point, bucket)) for bucket in self._definition.buckets]
        return min((first for first in firsts if first is not None), default=None)

    def close(self) -> None:
        """The store stays open: it is the gateway's."""

    def _pieces(self, bucket: str, span: TimeRange) -> Iterator[Sequence[pa.RecordBatch]]:
        """The frames of `span`, halved until each piece fits. What it is cut at depends on the data alone."""
        middle_ns = (span.start_ns + span.stop_ns) // 2 // _SHORTEST_NS * _SHORTEST_NS
        can_halve = span.start_ns < middle_ns < span.stop_ns
        try:
            frames = self._whole_piece(bucket, span, 1 if can_halve else _MOST_AT_ONCE)
        except _TooMuch:
            if not can_halve:
                raise StoreLimit(
                    f"The bucket {bucket!r} holds more than {_MOST_AT_ONCE * self._pieces_hold.rows:,} values, or "
                    f"{_MOST_AT_ONCE * self._pieces_hold.bytes // 1_000_000} MB, at {format_time(span.start_ns)}.",
                    advice="Select fewer measurements, fields or tags; several connectors can share them.",
                ) from None
            for half in (TimeRange(span.start_ns, middle_ns), TimeRange(middle_ns, span.stop_ns)):
                yield from self._pieces(bucket, half)
            return
        yield list(in_order(frames))

    def _whole_piece(self, bucket: str, span: TimeRange, times_more: int) -> list[pa.RecordBatch]:
        """Raises _TooMuch."""
        windows = self._definition.windows
        asked = span if windows is None else stamped_in(span, windows)
        if asked is None:
            return []
        unit_ns = _SHORTEST_NS
        if windows is not None:  # a window that is split would become two rows
            unit_ns = windows.every_ns if windows.zone == "UTC" and windows.every_ns else asked.length_ns
        while True:
            try:
                parts = self._splitter.call(lambda part: self._read(bucket, part, times_more), asked, unit_ns)
            except UnreadableText as unreadable:
                self._leave_out(bucket, unreadable)
                continue
            frames = [frame for part in parts for frame in part]
            self._pieces_hold.refuse_more(frames, times_more)
            return frames

    def _read(self, bucket: str, span: TimeRange, times_more: int) -> list[pa.RecordBatch]:
        definition = self._definition
        selection = Selection(
            bucket,
            span,
            definition.windows,
            self._measurements(bucket),
            definition.fields,
            definition.tags,
        )
        if bucket in self.left_out and not selection.measurements:
            return []
        frames: list[pa.RecordBatch] = []
        reading = self._store.read(selection)
        with contextlib.ExitStack() as stack:
            stack.callback(reading.cancel)
            for block in reading.blocks:
                self._control.check()
                frames.extend(block)
                self._pieces_hold.refuse_more(frames, times_more)
        return frames

    def _measurements(self, bucket: str) -> tuple[str, ...]:
        """The measurements to select; none: all of them."""
        left_out = self.left_out.get(bucket, {})
        if not left_out:
            return self._definition.measurements
        return tuple(schema.name for schema in self._store.schema(bucket) if schema.name not in left_out)

    def _leave_out(self, bucket: str, unreadable: UnreadableText) -> None:
        """Note a measurement that cannot be read. Raises what was raised when it cannot be left out."""
        name = unreadable.measurement
        left_out = self.left_out.setdefault(bucket, {})
        if name is None or name in self._definition.measurements or name in left_out:
            raise unreadable
        left_out[name] = unreadable.finding
        self._log("error", f"The measurement {name!r} of the bucket {bucket!r} is LEFT OUT. {unreadable.finding}")

    def _readable(self, bucket: str, schema: Sequence[MeasurementSchema]) -> None:
        """Note the measurements with unreadable names. Raises UnreadableText for one that the configuration names."""
        definition = self._definition
        for entry in schema:
            selection = Selection(bucket, TimeRange(0, 1), None, (entry.name,), definition.fields, definition.tags)
            if definition.measurements and entry.name not in definition.measurements:
                continue
            try:
                plan_read(selection, [entry])
            except UnreadableText as unreadable:
                if entry.name not in self.left_out.get(bucket, {}):
                    self._leave_out(bucket, unreadable)

    def _schema(self, bucket: str) -> Sequence[MeasurementSchema]:
        def ask() -> list[MeasurementSchema]:
            self._store.bucket(bucket)  # raises UnknownBucket with near names
            return self._store.schema(bucket)

        return self._retry.call(ask)

    def _with_bucket(self, frame: pa.RecordBatch, bucket: str) -> pa.RecordBatch:
        """The frame with the tag that names its bucket, if there is to be one."""
        tag = self._definition.bucket_tag
        if tag is None:
            return frame
        keys = tag_keys(frame)
        if tag in keys:
            reason = f"The measurement {measurement(frame)!r} of the bucket {bucket!r} has the tag {tag!r} already."
            raise QueryRefused(reason, advice="Name another `bucket_tag` in the source.")
        place = frame.num_columns - len(keys) + sorted([*keys, tag]).index(tag)
        fields = list(frame.schema)
        fields.insert(place, pa.field(tag, TEXT_CODES))
        columns = list(frame.columns)
        columns.insert(place, constant_codes(bucket, frame.num_rows))
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))
