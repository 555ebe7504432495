"""Bytes that pass are checked while they pass, and the check neither hides an error nor holds anybody up."""

from collections.abc import Iterator

import pytest

from service.archive.watched import CountedPieces, watched

PIECES = [bytes([number]) * 1000 for number in range(50)]


def test_the_pieces_pass_as_they_are_and_the_check_sees_all_of_them() -> None:
    seen: list[bytes] = []
    assert list(watched(PIECES, seen.extend)) == PIECES
    assert seen == PIECES


def test_what_the_check_raises_is_raised_at_the_latest_at_the_end() -> None:
    def refuse(source: Iterator[bytes]) -> None:
        next(source)
        raise ValueError("not whole")

    with pytest.raises(ValueError, match="not whole"):
        list(watched(PIECES, refuse))


def test_a_check_that_stops_early_holds_nobody_up() -> None:
    assert list(watched(PIECES, lambda source: None)) == PIECES


def test_what_the_source_raises_is_raised_as_it_is() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise OSError("the link is gone")

    def demand_all(source: Iterator[bytes]) -> None:
        if len(list(source)) < len(PIECES):
            raise ValueError("it was cut")

    with pytest.raises(OSError, match="the link is gone"):
        list(watched(broken(), demand_all))


def test_who_takes_only_the_first_piece_ends_the_check() -> None:
    taken = watched(PIECES, lambda source: [*source] and None)
    assert next(taken) == PIECES[0]
    taken.close()  # type: ignore[attr-defined]


def test_pieces_are_counted() -> None:
    counted = CountedPieces(iter(PIECES))
    assert next(counted) == PIECES[0]
    assert counted.size == 1000
    list(counted)
    assert counted.size == 50_000
