"""The streams of a read: the store's blocks, counted and with a time limit, and bytes, gzipped on request."""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from service.errors import FluxgateError, StoreTimeout
from service.frames.frame import Block

Chunk = bytes | memoryview


def _ignore(_value: object) -> None:
    """Ignore the value."""


@dataclass(frozen=True)
class ReadObserver:
    """Called in each read: `rows` as they come, `seconds` and `ended` at the end, `failed` with an error's code.

    `drawn` is called with the seconds that drawing a picture took.
    """

    rows: Callable[[int], object] = _ignore
    seconds: Callable[[float], object] = _ignore
    failed: Callable[[str], object] = _ignore
    ended: Callable[[], object] = lambda: None
    drawn: Callable[[float], object] = _ignore


UNOBSERVED = ReadObserver()


def measured(
    blocks: Iterable[Block],
    most_s: float,
    observer: ReadObserver,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Block]:
    """The blocks, counted. Raises StoreTimeout for a read that takes longer than `most_s`, whatever the store."""
    begun_s = clock()
    try:
        for block in blocks:
            if clock() - begun_s > most_s:
                raise StoreTimeout("The read took longer than READ_TIMEOUT_S. Read a shorter range, or raise it.")
            observer.rows(sum(frame.num_rows for frame in block))
            yield block
    except FluxgateError as error:
        observer.failed(error.code)
        raise
    finally:
        observer.seconds(clock() - begun_s)


def gzipped(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """One gzip member, flushed after each chunk so that the reader sees rows as they come."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for chunk in chunks:
        yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
