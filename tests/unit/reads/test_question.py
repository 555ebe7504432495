"""A question against a clock: its range, its bounds, and the name under which its answer is kept."""

from dataclasses import replace

import pytest

from service.domain.durations import SECOND_NS
from service.domain.selection import Fn, Windows
from service.domain.timerange import EARLIEST_NS, LATEST_NS, TimeRange
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
        replace(ASKED, zone="Europe/Berlin"),
        replace(ASKED, limit=1),
    ]
    assert len({key(asked) for asked in [ASKED, *others]}) == len(others) + 1
