"""What every destination promises, held against a folder and a real S3 server alike."""

import threading

import pytest

from service.archive.destination import Destination, StoredFile
from service.errors import ArchiveFileExists, ArchiveFileMissing, InvalidParameter

ODD_PATHS = [
    "a",
    "0001-plant%20a/20260131T000000Z-20260201T000000Z.lp.gz",
    "bucket=%2Fetc/day=2026-01-31/0001.parquet",
    "x~0123/ä b+c&d#e?f.txt",
    "%2E%2E/%00",
    "with space /tail ",
]


def put(destination: Destination, path: str, *pieces: bytes) -> None:
    with destination.create(path) as sink:
        for piece in pieces:
            assert sink.write(piece) == len(piece)
        assert sink.size == sum(map(len, pieces))


def content(destination: Destination, path: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join(destination.read(path, start, stop))


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_file_comes_back_under_its_path(destination: Destination, path: str) -> None:
    put(destination, f"b/{path}", b"one ", memoryview(b"two").tobytes())
    assert content(destination, f"b/{path}") == b"one two"
    assert destination.size(f"b/{path}") == 7
    assert list(destination.files("b")) == [StoredFile(f"b/{path}", 7)]


def test_an_empty_file_is_a_file(destination: Destination) -> None:
    put(destination, "b/empty")
    assert content(destination, "b/empty") == b""
    assert content(destination, "b/empty", 0, 10) == b""
    assert destination.size("b/empty") == 0


def test_a_large_file_comes_back_in_pieces(destination: Destination) -> None:
    pieces = [bytes([number]) * 1_500_000 for number in range(14)]
    put(destination, "b/large", *pieces)
    read = list(destination.read("b/large"))
    assert b"".join(read) == b"".join(pieces)
    assert len(read) > 3
    assert destination.size("b/large") == 21_000_000


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, None, b"0123456789"),
        (3, 6, b"345"),
        (8, None, b"89"),
        (8, 99, b"89"),
        (10, None, b""),
        (99, None, b""),
        (5, 5, b""),
        (6, 5, b""),
    ],
)
def test_a_range_is_half_open_and_ends_with_the_file(
    destination: Destination,
    start: int,
    stop: int | None,
    expected: bytes,
) -> None:
    put(destination, "b/digits", b"0123456789")
    assert content(destination, "b/digits", start, stop) == expected


def test_a_file_is_not_there_before_it_is_whole(destination: Destination) -> None:
    with destination.create("b/file") as sink:
        sink.write(b"x" * 9_000_000)
        assert destination.size("b/file") is None
        assert list(destination.files("b")) == []
    assert destination.size("b/file") == 9_000_000


def test_a_broken_write_leaves_what_was_there(destination: Destination) -> None:
    put(destination, "b/file", b"old")
    with pytest.raises(ZeroDivisionError), destination.create("b/file") as sink:
        sink.write(b"new" * 5_000_000)
        raise ZeroDivisionError
    assert content(destination, "b/file") == b"old"
    assert list(destination.files("b")) == [StoredFile("b/file", 3)]
    with pytest.raises(FileNotFoundError, match="of the block"), destination.create("b/file"):
        raise FileNotFoundError("of the block")


def test_a_broken_write_of_a_new_file_leaves_nothing(destination: Destination) -> None:
    with pytest.raises(OSError, match="of the source"), destination.create("b/new") as sink:
        sink.write(b"x")
        raise OSError("of the source")
    assert destination.size("b/new") is None
    assert list(destination.files("b")) == []


def test_a_file_may_be_replaced_and_one_that_must_be_new_not(destination: Destination) -> None:
    put(destination, "b/file", b"old")
    put(destination, "b/file", b"newer")
    assert content(destination, "b/file") == b"newer"
    with pytest.raises(ArchiveFileExists, match="b/file is there already"):
        destination.write_new("b/file", b"other")
    assert content(destination, "b/file") == b"newer"
    destination.write_new("b/other", b"first")
    assert content(destination, "b/other") == b"first"


def test_of_many_writers_of_a_new_file_one_succeeds(destination: Destination) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def claim(number: int) -> None:
        barrier.wait()
        try:
            destination.write_new("claims/1", str(number).encode())
            outcomes.append(str(number))
        except ArchiveFileExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.count("exists") == 7
    assert content(destination, "claims/1").decode() in outcomes


def test_a_missing_file_is_named(destination: Destination) -> None:
    assert destination.size("b/none") is None
    assert list(destination.files("none")) == []
    destination.delete("b/none")
    for start, stop in ((0, None), (0, 0), (5, 9)):
        with pytest.raises(ArchiveFileMissing, match=r"There is no file .*b/none"):
            content(destination, "b/none", start, stop)
    with pytest.raises(ArchiveFileMissing, match=r"There is no file .*b/none"):
        destination.link("b/none", "c/none")


def test_lists_know_folders_and_all_files_below(destination: Destination) -> None:
    assert destination.folders() == []
    for path in ("b/2", "b/deep/er/1", "a/1", "b2/1"):
        put(destination, path, b"12")
    assert destination.folders() == ["a", "b", "b2"]
    assert [file.path for file in destination.files("b")] == ["b/2", "b/deep/er/1"]
    destination.delete("a/1")
    assert [file.path for file in destination.files("a")] == []


def test_a_folder_goes_with_everything_in_it(destination: Destination) -> None:
    for path in ("b/2", "b/deep/er/1", "b2/1"):
        put(destination, path, b"12")
    assert destination.delete_folder("b") == 2
    assert destination.folders() == ["b2"]
    assert destination.delete_folder("b") == 0


def test_a_link_gives_the_same_bytes_or_says_that_there_are_none(destination: Destination) -> None:
    put(destination, "old/slice", b"points")
    if not destination.link("old/slice", "new/deep/slice"):
        assert destination.size("new/deep/slice") is None
        return
    assert content(destination, "new/deep/slice") == b"points"
    put(destination, "old/slice", b"other")
    destination.delete_folder("old")
    assert content(destination, "new/deep/slice") == b"points"
    with pytest.raises(ArchiveFileExists):
        destination.link("new/deep/slice", "new/deep/slice")


HOSTILE_PATHS = [
    *("", "/", "/etc/passwd", "..", "../x", "b/../../x", "b/..", "b/./x", ".", "b//x", "b/", "b/.part-1", ".hidden"),
    *("b/x\0y", "b\\..\\x", "b/x\ny", "b/" + "x" * 256, "/".join(["x" * 250] * 5), "b/\ud800"),
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_path_that_climbs_hides_or_is_none_is_refused_by_every_operation(destination: Destination, path: str) -> None:
    put(destination, "b/file", b"x")
    with pytest.raises(InvalidParameter), destination.create(path):
        pass
    for attempt in (
        lambda: destination.write_new(path, b""),
        lambda: list(destination.read(path)),
        lambda: destination.size(path),
        lambda: list(destination.files(path)),
        lambda: destination.delete(path),
        lambda: destination.link("b/file", path),
        lambda: destination.link(path, "b/other"),
        lambda: destination.clear_unfinished(path),
        lambda: destination.delete_folder(path),
    ):
        with pytest.raises(InvalidParameter, match="is no path inside a backup"):
            attempt()
    assert destination.folders() == ["b"]
