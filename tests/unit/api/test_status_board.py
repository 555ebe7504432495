"""What features tell monitoring.

It is kept for a minute, hidden from keys that may not see a bucket, and never in the way.
"""

from service.api.status_board import GaugeValue, Status, StatusBoard
from tests.support.clock import Clock
from tests.support.waiting import until

AGE = "fluxgate_backup_last_complete_timestamp_seconds"
STATUS = Status(
    (GaugeValue(AGE, "When.", 5.0, {"bucket": "A"}), GaugeValue(AGE, "When.", 6.0, {"bucket": "B"})),
    ("The last complete backup of 1 bucket is too old.",),
)


def test_gauges_of_buckets_are_told_to_who_may_see_the_bucket() -> None:
    board = StatusBoard({"backup": lambda: STATUS})
    board.refresh()
    assert f'{AGE}{{bucket="A"}} 5.0\n{AGE}{{bucket="B"}} 6.0\n' in board.page(lambda _: True).decode()
    limited = board.page(lambda name: name == "A").decode()
    assert 'bucket="A"' in limited
    assert '"B"' not in limited


def test_a_look_is_made_once_a_minute_and_nobody_waits_for_it() -> None:
    looks: list[int] = []
    clock = Clock(1_000.0)

    def probe() -> Status:
        looks.append(1)
        return STATUS

    board = StatusBoard({"backup": probe}, clock)
    assert board.warnings() == []
    until(lambda: board.warnings() != [])
    assert len(looks) == 1
    clock.now += 61
    board.warnings()
    until(lambda: len(looks) == 2)


def test_a_look_that_fails_leaves_what_was_known() -> None:
    answers = iter([STATUS])
    board = StatusBoard({"backup": lambda: next(answers)})
    board.refresh()
    board.refresh()
    assert board.warnings() == list(STATUS.warnings)


def test_names_of_buckets_are_escaped() -> None:
    odd = Status((GaugeValue(AGE, "When.", 5.0, {"bucket": 'a"b\\c\n}'}),))
    board = StatusBoard({"backup": lambda: odd})
    board.refresh()
    assert 'bucket="a\\"b\\\\c\\n}"' in board.page(lambda _: True).decode()
