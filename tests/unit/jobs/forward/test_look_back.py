"""Late and changed values: only windows whose digest has changed are sent again."""

import pytest

from service.domain.timerange import TimeRange
from service.errors import InvalidParameter
from service.upstream.protocol import Batch
from tests.support.forwarding import MINUTE_NS, NOON_NS, UPSERT, ForwardRig


@pytest.fixture
def looking(rig: ForwardRig) -> ForwardRig:
    """Six windows are accepted, from 12:00 to 12:30; it is 12:30 and a bit."""
    rig.configure(look_back="1h", look_back_every="1m", **UPSERT)
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 30 * MINUTE_NS)
    rig.at(30.6)
    rig.run_all()
    rig.sink.batches.clear()
    rig.sink.accepted.clear()
    return rig


def test_nothing_is_sent_again_when_nothing_changed(looking: ForwardRig) -> None:
    looking.at(33)
    assert looking.run_all()["changed_windows"] == 0
    assert looking.sink.batches == []


def test_a_late_value_sends_its_window_again_and_no_other(looking: ForwardRig) -> None:
    looking.source.put("s", NOON_NS + 7 * MINUTE_NS + 1, 9.0)
    looking.at(33)
    assert looking.run_all()["changed_windows"] == 1
    assert looking.sink.windows == ["12:05"]
    assert len(looking.sink.accepted) == 6
    looking.at(35)
    looking.run_all()
    assert looking.sink.windows == ["12:05"]


def test_a_changed_value_sends_its_window_again(looking: ForwardRig) -> None:
    looking.source.put("s", NOON_NS + 12 * MINUTE_NS, 99.0)
    looking.at(33)
    looking.run_all()
    assert looking.sink.windows == ["12:10"]
    assert ("s", NOON_NS + 12 * MINUTE_NS, 99.0) in looking.sink.accepted


def test_a_look_back_reaches_no_further_than_it_says(looking: ForwardRig) -> None:
    looking.source.put("s", NOON_NS + 7 * MINUTE_NS + 1, 9.0)
    looking.at(75)
    looking.run_all()
    assert "12:05" not in looking.sink.windows


def test_a_look_back_never_reaches_before_the_first_bookmark(looking: ForwardRig) -> None:
    looking.source.put("s", NOON_NS - MINUTE_NS, 9.0)
    looking.at(33)
    looking.run_all()
    assert looking.sink.batches == []


def test_digests_that_no_look_back_reaches_any_more_are_removed(looking: ForwardRig) -> None:
    looking.at(80.6)
    looking.run_all()
    known = looking.bookmarks.digests.known("c", range_of_hours(), 5 * MINUTE_NS)
    assert known
    assert min(known) >= NOON_NS + 20 * MINUTE_NS


def test_a_backlog_keeps_only_the_digests_that_a_look_back_reaches(rig: ForwardRig) -> None:
    rig.configure(look_back="1h", look_back_every="1m", start="2026-01-01T00:00:00Z", **UPSERT)
    rig.source.fill(NOON_NS - 12 * 60 * MINUTE_NS, NOON_NS)
    rig.run()
    ever = TimeRange(0, NOON_NS + 60 * MINUTE_NS)
    known: list[int] = []

    def look(batch: Batch) -> None:
        known.extend(rig.bookmarks.digests.known("c", ever, 5 * MINUTE_NS))

    rig.sink.before = look
    rig.run(lane="back_fill")
    assert known and min(known) == NOON_NS - 60 * MINUTE_NS


def test_a_look_back_over_millions_of_windows_is_refused(rig: ForwardRig) -> None:
    with pytest.raises(InvalidParameter, match="holds more than 1,000,000 windows of 1s"):
        rig.configure(look_back="365d", window="1s", **UPSERT)
    rig.configure(look_back="365d", window="1m", **UPSERT)


def range_of_hours() -> TimeRange:
    return TimeRange(NOON_NS - 60 * MINUTE_NS, NOON_NS + 120 * MINUTE_NS)


def test_a_look_back_comes_only_so_often(looking: ForwardRig) -> None:
    looking.configure(look_back="1h", look_back_every="10m", **UPSERT)
    asked = len(looking.source.asked)
    looking.at(33)
    looking.run_all()
    assert len(looking.source.asked) == asked


def test_windows_that_were_accepted_before_there_was_a_look_back_are_sent_once_more(rig: ForwardRig) -> None:
    """Nobody knows what of them was accepted."""
    rig.configure(**UPSERT)
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 10 * MINUTE_NS)
    rig.at(10.6)
    rig.run()
    rig.configure(look_back="1h", look_back_every="1m", **UPSERT)
    rig.run_all()
    rig.at(12)
    rig.run_all()
    assert rig.sink.windows == ["12:00", "12:05", "12:00", "12:05"]


def test_an_upstream_that_is_not_declared_to_replace_values_cannot_be_looked_back_at(rig: ForwardRig) -> None:
    for declared in (None, {"by": "key", "lifetime": "1d"}):
        upstream = {"url": "http://upstream.test/post", "idempotency": declared}
        with pytest.raises(InvalidParameter) as refused:
            rig.configure(look_back="1h", upstream=upstream)
        assert refused.value.parameter == "c.look_back"
        assert "is not declared to replace a value" in refused.value.message
