"""A question against a clock: its range, its bounds, and the name under which its answer is kept."""

from dataclasses import replace

import pytest

from service.domain.durations import SECOND_NS
from service.domain.selection import Fn, Stamp, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange, parse_time
from service.encoding.encoders import Format, Shape
from service.errors import InvalidParameter, TooManyWindows
from service.reads.question import RAW, AskedRead, Between, LastWindow

NOW_NS = 1_767_268_800 * SECOND_NS
ASKED = AskedRead("Power", LastWindow(3600 * SECOND_NS), "1m")


def key(asked: AskedRead, now_ns: int = NOW_NS) -> str:
    return asked.at(now_ns, 1000).key


@pytest.mark.parametrize(
    ("asked_range", "span", "open_ended"),
    [
        (LastWindow(10), TimeRange(NOW_NS - 10, NOW_NS), True),
        (LastWindow(LATEST_NS * 2), TimeRange(EARLIEST_NS, NOW_NS), True),
        (Between(5), TimeRange(5, NOW_NS), True),
        (Between(5, NOW_NS + 1), TimeRange(5, NOW_NS + 1), True),
        (Between(5, NOW_NS), TimeRange(5, NOW_NS), False),
    ],
)
def test_a_range_against_the_clock(asked_range: LastWindow | Between, span: TimeRange, open_ended: bool) -> None:
    question = AskedRead("Power", asked_range).at(NOW_NS, 1000)
    assert (question.selection.span, question.layout.span, question.open_ended) == (span, span, open_ended)


@pytest.mark.parametrize("asked_range", [Between(NOW_NS), Between(6, 5), Between(5, 5), Between(5, LATEST_NS + 2)])
def test_a_range_without_an_instant_is_refused(asked_range: Between) -> None:
    with pytest.raises(InvalidParameter, match="is not before the stop"):
        AskedRead("Power", asked_range).at(NOW_NS, 1000)


def test_the_mean_is_what_a_window_has_when_nothing_is_said() -> None:
    windows = Windows(60 * SECOND_NS, Fn.MEAN, "UTC")
    assert ASKED.at(NOW_NS, 1000).selection.windows == windows
    assert ASKED.at(NOW_NS, 60).selection.windows == windows
    with pytest.raises(TooManyWindows, match="every=1m makes 60 windows a series in this range; 59 is the limit"):
        ASKED.at(NOW_NS, 59)


def test_raw_points_have_no_function() -> None:
    assert replace(ASKED, every=RAW).at(NOW_NS, 1000).selection.windows is None
    with pytest.raises(InvalidParameter, match="fn has no meaning"):
        replace(ASKED, every=RAW, fn=Fn.MAX).at(NOW_NS, 1000)
    with pytest.raises(InvalidParameter, match="Or write every=raw"):
        replace(ASKED, every="often").at(NOW_NS, 1000)


def test_a_key_stays_while_the_clock_goes_on_and_does_not_tell_the_order_of_names() -> None:
    assert key(ASKED) == key(ASKED, NOW_NS + 1)
    named = replace(ASKED, fields=("a", "b"), tags=(("x", ("1", "2")), ("y", ("3",))), fn=Fn.MEAN)
    turned = replace(ASKED, fields=("b", "a"), tags=(("y", ("3",)), ("x", ("2", "1"))))
    assert key(named) == key(turned)
    assert named.at(NOW_NS, 1000).selection == turned.at(NOW_NS, 1000).selection


def test_whatever_changes_the_bytes_changes_the_key() -> None:
    others = [
        replace(ASKED, bucket="Other"),
        replace(ASKED, range=LastWindow(3601 * SECOND_NS)),
        replace(ASKED, range=Between(NOW_NS - 3600 * SECOND_NS)),
        replace(ASKED, range=Between(NOW_NS - 3600 * SECOND_NS, NOW_NS)),
        replace(ASKED, every="60s"),
        replace(ASKED, every=RAW),
        replace(ASKED, fn=Fn.MAX),
        replace(ASKED, measurements=("a",)),
        replace(ASKED, fields=("a",)),
        replace(ASKED, tags=(("a", ("a",)),)),
        replace(ASKED, format=Format.JSON),
        replace(ASKED, shape=Shape.WIDE),
        replace(ASKED, shape=Shape.TABLE),
        replace(ASKED, stamp=Stamp.START),
        replace(ASKED, align=True),
        replace(ASKED, every="1mo"),
        replace(ASKED, every="12mo"),
        replace(ASKED, every="1ms", range=LastWindow(SECOND_NS)),
        replace(ASKED, zone="Europe/Berlin"),
        replace(ASKED, limit=1),
    ]
    assert len({key(asked) for asked in [ASKED, *others]}) == len(others) + 1


def test_rows_are_stamped_with_the_stop_unless_the_start_is_asked_for() -> None:
    asked = [
        replace(ASKED, stamp=stamp).at(NOW_NS, 1000).selection.windows for stamp in (None, Stamp.START, Stamp.STOP)
    ]
    assert [windows and windows.stamp for windows in asked] == [Stamp.STOP, Stamp.START, Stamp.STOP]


def test_an_aligned_range_ends_where_its_last_whole_window_does() -> None:
    """The range still ends now, so its answer is soon old: late points may come."""
    question = replace(ASKED, range=LastWindow(3630 * SECOND_NS), every="1m", align=True).at(
        NOW_NS + 5 * SECOND_NS, 1000
    )
    assert question.selection.span == question.layout.span == TimeRange(NOW_NS - 3600 * SECOND_NS, NOW_NS)
    assert (question.aligned, question.open_ended) == (True, True)


def test_a_range_without_a_whole_window_is_refused_when_those_alone_are_asked_for() -> None:
    with pytest.raises(InvalidParameter, match="no whole window of 1d lies in the range from 2026-01-01T11:00:00Z"):
        replace(ASKED, every="1d", align=True).at(NOW_NS, 1000)


@pytest.mark.parametrize("changed", [{"stamp": Stamp.START}, {"align": True}])
def test_raw_points_have_no_windows_to_stamp_or_align(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter, match=f"{next(iter(changed))} has no meaning"):
        replace(ASKED, every=RAW, **changed).at(NOW_NS, 1000)  # type: ignore[arg-type]


def test_windows_of_the_calendar_have_a_limit_of_their_own() -> None:
    century = Between(parse_time("1925-01-01T00:00:00Z", "start"), parse_time("2025-01-01T00:00:00Z", "stop"))
    assert replace(ASKED, range=century, every="1mo").at(NOW_NS, 1_000_000).selection.windows == Windows(0, months=1)
    with pytest.raises(TooManyWindows, match="every=1mo makes 1200 windows a series in this range; 1000 is the limit"):
        replace(ASKED, range=century, every="1mo").at(NOW_NS, 1000)
    with pytest.raises(TooManyWindows, match="1200 is the limit"):
        replace(ASKED, range=LastWindow(LATEST_NS), every="1mo").at(NOW_NS, 1_000_000)
