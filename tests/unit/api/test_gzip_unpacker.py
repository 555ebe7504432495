"""Gzip bodies of one member and of many, in pieces of any size, within one bound."""

import gzip

import pytest

from service.api.body_bound import BodyBound
from service.api.gzip_unpacker import MOST_MEMBERS, GzipUnpacker
from service.errors import BodyTooLarge, InvalidBody

BODY = b"".join(gzip.compress(text) for text in (b"first\n", b"", b"second\n" * 5000, b"third\n"))
PLAIN = b"first\n" + b"second\n" * 5000 + b"third\n"


def bound(most_unpacked_bytes: int) -> BodyBound:
    return BodyBound(10**9, most_unpacked_bytes, "MAX_BODY_MB", "MAX_UNPACKED_MB", 1.0, 1.0)


def unpacked(body: bytes, step: int, most_bytes: int = 10**6) -> tuple[bytes, bool]:
    unpacker = GzipUnpacker(bound(most_bytes))
    plain = b"".join(unpacker.unpack(body[at : at + step]) for at in range(0, len(body), step))
    return plain, unpacker.complete


@pytest.mark.parametrize("step", [1, 7, 100, 10**6])
def test_members_in_pieces_of_any_size_are_one_text(step: int) -> None:
    assert unpacked(BODY, step) == (PLAIN, True)


@pytest.mark.parametrize("step", [1, 64, 10**6])
def test_the_bound_holds_for_all_members_together(step: int) -> None:
    assert unpacked(BODY, step, len(PLAIN)) == (PLAIN, True)
    with pytest.raises(BodyTooLarge, match="MAX_UNPACKED_MB"):
        unpacked(BODY, step, len(PLAIN) - 1)


@pytest.mark.parametrize("step", [1, 10**6])
def test_what_is_cut_is_not_complete(step: int) -> None:
    assert not unpacked(BODY[:-1], step)[1]
    assert not unpacked(BODY + b"\x1f", step)[1]


def test_what_stands_behind_the_last_member_is_refused() -> None:
    with pytest.raises(InvalidBody, match="something else stands behind it"):
        unpacked(BODY + b"no gzip at all", 50)


def test_the_number_of_members_is_bounded() -> None:
    empty = gzip.compress(b"")
    assert unpacked(empty * MOST_MEMBERS, 65536) == (b"", True)
    with pytest.raises(InvalidBody, match="more than 10000 members"):
        unpacked(empty * (MOST_MEMBERS + 1), 65536)
