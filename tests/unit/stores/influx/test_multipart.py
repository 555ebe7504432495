"""Multipart bodies, in pieces of any size, cut at every byte, and wrong."""

from collections.abc import Iterator

import pytest

from service.stores.influx.multipart import NotMultipart, boundary_of, parts

KV = b"\r\n--b\r\n--boundar-\r\n\r\n" + bytes(range(256)) * 3
HEAD = b'Content-Disposition: attachment; name="%s"\r\nContent-Type: application/octet-stream\r\n\r\n'
FIRST, SECOND, END = b"--boundary\r\n" + HEAD % b"kv", b"\r\n--boundary\r\n" + HEAD % b"sql", b"\r\n--boundary--\r\n"
BODY = FIRST + KV + SECOND + END


def in_pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def shown(chunks: Iterator[bytes]) -> list[tuple[str, bytes]]:
    return [(part.name, b"".join(part.chunks)) for part in parts(chunks, b"boundary")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_parts_are_the_same_however_they_arrive(size: int) -> None:
    assert shown(in_pieces(BODY, size)) == [("kv", KV), ("sql", b"")]


@pytest.mark.parametrize("cut", range(len(BODY) - 2))
def test_a_body_without_its_closing_boundary_is_cut(cut: int) -> None:
    with pytest.raises(NotMultipart):
        shown(in_pieces(BODY[:cut], 64))


def test_a_part_that_is_not_read_is_passed_over() -> None:
    assert [part.name for part in parts(in_pieces(BODY, 7), b"boundary")] == ["kv", "sql"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}" + BODY,
        BODY + b'{"code":"internal error"}',
        BODY + BODY,
        BODY.replace(b"name=", b"nome="),
        BODY.replace(b"--boundary\r\n", b"--boundary \r\n"),
        FIRST.replace(b"\r\n\r\n", b"\r\n" + b"x" * 10_000) + END,
        b"--boundary--\r\n"[:-4],
    ],
)
def test_what_is_no_multipart_body_is_refused(body: bytes) -> None:
    with pytest.raises(NotMultipart):
        shown(in_pieces(body, 100))


def test_a_large_part_is_never_held_whole() -> None:
    piece, count, longest = b"\r\n--" * 16_384, 200, 0
    body = iter([FIRST, *[piece] * count, END])
    size = 0
    for part in parts(body, b"boundary"):
        for chunk in part.chunks:
            size += len(chunk)
            longest = max(longest, len(chunk))
    assert size == len(piece) * count
    assert longest < 2 * len(piece)


def test_the_boundary_is_that_of_the_type() -> None:
    assert boundary_of("multipart/mixed; boundary=7a38") == b"7a38"
    assert boundary_of('multipart/mixed; boundary="a b"') == b"a b"


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/mixed", "text/html; boundary=x", f"multipart/mixed; boundary={71 * 'x'}"],
)
def test_another_type_is_refused(content_type: str) -> None:
    with pytest.raises(NotMultipart):
        boundary_of(content_type)
