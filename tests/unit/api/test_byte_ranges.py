"""One range of bytes, as RFC 9110 (14.1.2) reads it."""

import pytest

from service.api.byte_ranges import UnsatisfiableRange, byte_range


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=10-19", (10, 20)),
        ("bytes=10-", (10, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-1000", (99, 100)),
        ("Bytes = 5 - 6", (5, 7)),
    ],
)
def test_a_range_is_read(text: str, span: tuple[int, int]) -> None:
    assert byte_range(text, 100) == span


@pytest.mark.parametrize("text", ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=١-"])
def test_what_cannot_be_read_is_ignored(text: str) -> None:
    assert byte_range(text, 100) is None


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(text: str) -> None:
    with pytest.raises(UnsatisfiableRange):
        byte_range(text, 100)
