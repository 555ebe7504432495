"""The sentences of a picture."""

import pytest

from service.domain.selection import Fn
from service.domain.timerange import TimeRange, parse_range
from service.pictures.sentences import notes, unknown_names, what_is_shown

DAY = parse_range("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("fn", "words"),
    [(None, "All points"), (Fn.M4, "All points"), (Fn.MEAN, "Mean of each 1h"), (Fn.MAX, "Max of each 1h")],
)
def test_what_is_shown(fn: Fn | None, words: str) -> None:
    shown = what_is_shown(fn, "1h", DAY, "Europe/Berlin")
    assert shown == f"{words}, 1 Jan 2026 01:00 to 2 Jan 2026 01:00, Europe/Berlin"


def test_a_short_range_has_seconds() -> None:
    minute = TimeRange(DAY.start_ns, DAY.start_ns + 60 * 10**9)
    assert what_is_shown(None, "raw", minute, "UTC") == "All points, 1 Jan 2026 00:00:00 to 1 Jan 2026 00:01:00, UTC"


def test_a_picture_of_everything_has_no_notes() -> None:
    assert notes(5, 5, [], 0, 0) == []
    assert notes(0, 5, [], 0, 0) == []


def test_what_is_left_out_is_counted_and_named() -> None:
    assert notes(50, 120, [f"m.f{number}" for number in range(30)], 1_500, 12) == [
        "Only 50 of 120 series are drawn. Select measurements, fields or tags to see others.",
        f"Not drawn, as they hold no numbers: {', '.join(f'm.f{number}' for number in range(20))} and 1,480 more.",
        "Not drawn: 12 values that are NaN or infinite.",
    ]
    assert notes(50, 10_000, [], 0, 0)[0].startswith("Only 50 of more than 10,000 series")
    assert unknown_names(["field Power", "tag metre"]) == "The bucket does not know: field Power, tag metre."
