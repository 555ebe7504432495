"""What flows in a read is counted, bounded in time, and packed piece by piece."""

import zlib
from collections.abc import Iterator

import pytest

from service.errors import StoreBroken, StoreTimeout
from service.frames.frame import Block
from service.reads.streams import UNOBSERVED, ReadObserver, gzipped, measured


def observed(events: list[object]) -> ReadObserver:
    return ReadObserver(rows=events.append, seconds=events.append, failed=events.append)


def test_a_read_that_takes_too_long_ends_whatever_the_store() -> None:
    moments = iter([100.0, 105.0, 105.1, 105.5])
    events: list[object] = []
    blocks = measured([(), ()], 5, observed(events), lambda: next(moments))
    assert next(blocks) == ()
    with pytest.raises(StoreTimeout, match="READ_TIMEOUT_S"):
        next(blocks)
    assert events == [0, "store_timeout", 5.5]


def test_what_the_store_raises_passes_through_and_is_counted_by_its_code() -> None:
    def broken() -> Iterator[Block]:
        yield ()
        raise StoreBroken("The answer stops early.")

    events: list[object] = []
    with pytest.raises(StoreBroken, match="stops early"):
        list(measured(broken(), 5, observed(events), lambda: 1.0))
    assert events == [0, "store_broken", 0.0]


def test_a_reader_that_stops_in_the_middle_is_no_failure() -> None:
    events: list[object] = []
    blocks = measured([(), ()], 5, observed(events), lambda: 1.0)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert events == [0, 0.0]


def test_each_packed_chunk_can_be_unpacked_when_it_comes() -> None:
    packed, unpacker = gzipped([b"one\n", memoryview(b"two\n")]), zlib.decompressobj(31)
    assert [unpacker.decompress(chunk) for chunk in packed] == [b"one\n", b"two\n", b""]
    assert unpacker.eof


def test_nobody_need_listen() -> None:
    assert list(measured([()], 5, UNOBSERVED)) == [()]
