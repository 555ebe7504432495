"""Names of buckets become parts of paths that no file system misunderstands, and none of which climbs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.archive.backup_ids import backup_id, sequence_of
from service.archive.paths import encoded_name, range_text, segments_of, slice_path, wrong_path
from service.domain.timerange import EARLIEST_NS, EVER, LATEST_NS, TimeRange, parse_range
from service.errors import InvalidParameter

DAY = parse_range("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("plant-A_1", "plant-A_1"),
        ("plant a/b", "plant%20a%2Fb"),
        ("..", "%2E%2E"),
        (".hidden", "%2Ehidden"),
        ("a.b.", "a.b%2E"),
        ("100%", "100%25"),
        ("%2E", "%252E"),
        ("ä", "%C3%A4"),
        ("🚜", "%F0%9F%9A%9C"),
        ('"quoted" \\', "%22quoted%22%20%5C"),
        ("CON~", "CON%7E"),
        ("a\0b\n", "a%00b%0A"),
        ("", "%"),
    ],
)
def test_a_name_is_percent_encoded(name: str, encoded: str) -> None:
    assert encoded_name(name) == encoded


def test_a_long_name_is_cut_at_a_whole_escape_and_marked_by_its_hash() -> None:
    first, second = encoded_name("ä" * 999 + "1"), encoded_name("ä" * 999 + "2")
    assert first != second
    assert first.startswith("%C3%A4" * 25 + "~")
    assert len(first) == 150 + 1 + 32


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_every_name_gives_a_path(name: str) -> None:
    assert wrong_path(encoded_name(name)) is None
    assert wrong_path(f"00000001-20260131T000000Z/{slice_path(1, name, EVER, 'lp.gz')}") is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), unique=True, max_size=20))
def test_different_names_have_different_parts(names: list[str]) -> None:
    assert len({encoded_name(name) for name in names}) == len(names)


def test_a_slice_is_named_by_its_bucket_and_range() -> None:
    assert slice_path(7, "plant a", DAY, "lp.gz") == "0007-plant%20a/20260131T000000Z-20260201T000000Z.lp.gz"
    assert range_text(TimeRange(-1, 1)) == "19691231T235959.999999999Z-19700101T000000.000000001Z"
    assert range_text(EVER) == "16770921T001243.145224194Z-22620411T234716.854775807Z"


@pytest.mark.parametrize("path", ["a", "a/b", "a b/ä", "x.y", "%2E%2E", "a/b..", "-", "~"])
def test_a_path_has_its_parts(path: str) -> None:
    assert segments_of(path) == tuple(path.split("/"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        ("/a", "begins or ends with a slash"),
        ("a//b", "two of them in a row"),
        ("a/../b", "begins with a dot"),
        ("a/.b", "begins with a dot"),
        ("a\x7f", "control character"),
        ("a\\b", "backslash"),
        ("\udcff", "no Unicode text"),
        ("ä" * 128, "too long"),
        ("/".join(["x" * 200] * 6), "too long"),
    ],
)
def test_what_is_no_path_is_refused_with_the_reason(path: str, reason: str) -> None:
    assert reason in str(wrong_path(path))
    with pytest.raises(InvalidParameter, match=r"is no path inside a backup"):
        segments_of(path)


def test_an_id_has_the_sequence_and_a_time_for_people() -> None:
    assert backup_id(12, DAY.start_ns + 1) == "00000012-20260131T000000Z"
    assert sequence_of("00000012-20260131T000000Z") == 12
    assert backup_id(1, EARLIEST_NS + 10**9)[:9] == "00000001-"
    assert backup_id(1, LATEST_NS) == "00000001-22620411T234715Z"
    assert sequence_of(backup_id(1, LATEST_NS)) == 1


@pytest.mark.parametrize(
    "name",
    [
        "",
        "12-20260131T000000Z",
        "00000000-20260131T000000Z",
        "00000012-20260131T000000Z ",
        "00000012-20260131T000000Z\n",
        "00000012",
        "٠٠٠٠٠٠١٢-20260131T000000Z",
        "../00000012-20260131T000000Z",
    ],
)
def test_what_is_no_id_has_no_sequence(name: str) -> None:
    assert sequence_of(name) is None


@pytest.mark.parametrize("sequence", [0, -1, 100_000_000])
def test_a_sequence_has_bounds(sequence: int) -> None:
    with pytest.raises(ValueError, match="no sequence number"):
        backup_id(sequence, 0)
