"""The schedule: windows in order, nothing skipped, live windows first, and nothing sent twice."""

from collections import Counter

import pytest

from service.domain.forwarding import MOST_RANGES, Position
from service.domain.job import Yielded
from service.domain.timerange import TimeRange
from service.errors import QueryRefused, UpstreamStopped, UpstreamUnavailable
from service.jobs.forward.bookmarks import Acceptance
from service.jobs.forward.counts import Counts
from service.upstream.protocol import Batch
from tests.support.forwarding import MINUTE_NS, NOON_NS, TEXT, ForwardContext, ForwardRig


def minutes(start: int, stop: int) -> TimeRange:
    """A range in minutes after noon."""
    return TimeRange(NOON_NS + start * MINUTE_NS, NOON_NS + stop * MINUTE_NS)


def test_a_first_run_begins_now_and_sends_nothing_old(rig: ForwardRig) -> None:
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS + 60 * MINUTE_NS)
    assert rig.run()["state"] == "caught_up"
    assert (rig.bookmark(), rig.sink.batches) == ("12:00", [])


def test_later_runs_send_the_windows_after_the_bookmark_in_order(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(10.6)
    result = rig.run()
    assert rig.sink.windows == ["12:00", "12:05"]
    assert (result["windows"], result["read"], result["accepted"], result["posts"]) == (2, 10, 10, 2)
    assert result["bookmark"] == "2026-01-01T12:10:00Z" and rig.bookmark() == "12:10"
    assert rig.run()["windows"] == 0


def test_a_window_is_sent_only_when_it_has_settled(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(5.49)
    assert (rig.run()["windows"], rig.bookmark()) == (0, "12:00")
    rig.at(5.5)
    assert (rig.run()["windows"], rig.bookmark()) == (1, "12:05")


def test_the_settle_time_of_the_source_counts_where_it_is_longer(rig: ForwardRig) -> None:
    rig.configure(source={"store": {"bucket": "b", "settle": "2m"}})
    rig.at(6)
    rig.run()
    assert rig.bookmark() == "12:00"


@pytest.mark.parametrize(("start", "bookmark"), [("oldest", "11:07"), ("2026-01-01T11:30:00Z", "11:30")])
def test_a_connector_begins_where_it_is_told(rig: ForwardRig, start: str, bookmark: str) -> None:
    rig.configure(start=start)
    rig.source.fill(NOON_NS - 53 * MINUTE_NS, NOON_NS)
    rig.sink.before = broken_off
    with pytest.raises(UpstreamUnavailable):
        rig.run()
    assert rig.bookmark() == bookmark


def broken_off(batch: Batch) -> None:
    raise UpstreamUnavailable("It is away.")


def test_a_connector_that_begins_at_the_oldest_point_waits_for_one(rig: ForwardRig) -> None:
    rig.configure(start="oldest")
    assert rig.run()["state"] == "no_points"
    assert rig.bookmark() is None


def test_a_stored_bookmark_wins_over_the_start_of_the_configuration(rig: ForwardRig) -> None:
    rig.run()
    rig.configure(start="oldest")
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    rig.run()
    assert (rig.bookmark(), rig.sink.batches) == ("12:00", [])


def test_a_failed_post_moves_nothing_and_the_next_run_goes_on_there(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(10.6)
    rig.sink.before = fails_at("12:05")
    with pytest.raises(UpstreamUnavailable):
        rig.run()
    assert rig.bookmark() == "12:05"
    rig.sink.before = lambda batch: None
    rig.run()
    assert rig.sink.windows == ["12:00", "12:05"]


def fails_at(start: str) -> object:
    def before(batch: Batch) -> None:
        if batch.window.start_ns == NOON_NS + int(start[3:]) * MINUTE_NS:
            raise UpstreamUnavailable("It is away.")

    return before


def test_after_an_outage_nothing_is_missing_and_nothing_is_sent_twice(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 200 * MINUTE_NS)
    rig.sink.before = broken_off
    for now in (6, 30, 60):
        rig.at(now)
        with pytest.raises(UpstreamUnavailable):
            rig.run()
    rig.sink.before = lambda batch: None
    rig.at(120.6)
    assert rig.run_all()["state"] == "caught_up"
    assert rig.sink.windows[:2] == ["13:50", "13:55"]
    assert rig.sink.windows[2:] == sorted(rig.sink.windows[2:])
    assert rig.sink.accepted == Counter(value for value in rig.source.all() if value[1] < NOON_NS + 120 * MINUTE_NS)
    assert rig.bookmark() == "14:00"


def test_new_windows_go_first_while_back_fill_is_under_way(rig: ForwardRig) -> None:
    rig.configure(start="2026-01-01T08:00:00Z")
    rig.source.fill(NOON_NS - 240 * MINUTE_NS, NOON_NS + 60 * MINUTE_NS)
    result = rig.run()
    assert (result["state"], rig.sink.windows) == ("behind", ["11:50", "11:55"])
    assert rig.bookmark() == "08:00"
    rig.at(5.6)
    rig.run()
    assert rig.sink.windows[2:] == ["12:00"]
    rig.sink.before = fails_at_batch(3)
    with pytest.raises(UpstreamUnavailable):
        rig.run(lane="back_fill")
    assert (rig.bookmark(), rig.sink.windows[3:]) == ("08:05", ["08:00"])
    rig.at(10.6)
    rig.sink.before = lambda batch: None
    rig.run()
    assert rig.sink.windows[4:] == ["12:05"]
    assert rig.run(lane="back_fill")["state"] == "caught_up"
    assert rig.bookmark() == "12:10"
    assert set(rig.sink.accepted.values()) == {1}
    assert len(rig.sink.accepted) == 250


def fails_at_batch(after: int) -> object:
    seen = Counter[str]()

    def before(batch: Batch) -> None:
        seen["batches"] += 1
        if seen["batches"] > 1:
            raise UpstreamUnavailable("It is away.")

    return before


def test_back_fill_is_ordered_once(rig: ForwardRig) -> None:
    rig.configure(start="2026-01-01T08:00:00Z")
    rig.source.fill(NOON_NS - 240 * MINUTE_NS, NOON_NS)
    rig.run()
    rig.run()
    (job,) = rig.job_store.list(["forward"])
    assert job.parameters == {"connector": "c", "lane": "back_fill"}
    assert job.exclusion_key == "forward:c:back_fill"


def test_back_fill_leaves_the_windows_of_the_live_lane_alone(rig: ForwardRig) -> None:
    """The live lane may be in the middle of them, in another process."""
    rig.configure(start="2026-01-01T11:00:00Z")
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS + 60 * MINUTE_NS)
    rig.sink.before = broken_off
    with pytest.raises(UpstreamUnavailable):
        rig.run()
    rig.at(30)
    rig.sink.before = lambda batch: None
    rig.run(lane="back_fill")
    assert rig.sink.windows[-1] == "11:45"


def test_a_long_run_makes_way_and_goes_on_with_its_counts(rig: ForwardRig) -> None:
    rig.configure(start="2026-01-01T11:00:00Z")
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    rig.run()
    rig.runnable = rig.runnable_with(run_s=0.0)
    context, runs = ForwardContext(), 0
    while True:
        runs += 1
        try:
            result = rig.run(context, lane="back_fill")
        except Yielded:
            continue
        break
    assert (runs, result["windows"], result["accepted"]) == (10, 10, 50)
    assert rig.bookmark() == "12:00"


def test_long_gaps_cost_few_reads(rig: ForwardRig) -> None:
    rig.configure(start="2025-01-01T00:00:00Z")
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    rig.source.put("s", NOON_NS - 300 * 86_400 * 10**9)
    rig.run_all()
    assert rig.bookmark() == "12:00"
    assert len(rig.sink.accepted) == 61
    assert len(rig.source.asked) < 120


def test_a_position_with_too_many_ranges_begins_with_the_oldest(rig: ForwardRig) -> None:
    rig.run()
    ahead = tuple(minutes(10 * number, 10 * number + 5) for number in range(1, MOST_RANGES + 1))
    rig.bookmarks.accept("c", 0, [Acceptance(piece, Counts()) for piece in ahead], 0.0)
    rig.at(10 * MOST_RANGES + 100.6)
    rig.source.put("s", NOON_NS)
    context = ForwardContext()
    assert rig.run(context)["windows"] == 0
    assert "The oldest windows come first" in context.lines[0][1]
    state = rig.bookmarks.get("c")
    assert (state.position, state.live_from_ns) == (
        Position(NOON_NS, ahead),
        minutes(0, 10 * MOST_RANGES + 100).stop_ns,
    )
    rig.sink.before = fails_at("12:00")
    with pytest.raises(UpstreamUnavailable):
        rig.run(lane="back_fill")


def test_a_human_who_sets_the_bookmark_ends_a_run_that_is_under_way(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(10.6)

    def set_bookmark(batch: Batch) -> None:
        rig.bookmarks.set("c", NOON_NS - 60 * MINUTE_NS, "operator")

    rig.sink.before = set_bookmark
    assert rig.run()["state"] == "bookmark_moved"
    assert (rig.bookmark(), len(rig.sink.batches)) == ("11:00", 1)
    assert rig.bookmarks.get("c").set_by == "operator"


def test_a_bookmark_that_is_reset_begins_anew(rig: ForwardRig) -> None:
    rig.configure(start="2026-01-01T11:00:00Z")
    rig.run_all()
    rig.bookmarks.set("c", None, "operator")
    assert rig.bookmark() is None
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    rig.run_all()
    assert (rig.bookmark(), len(rig.sink.accepted)) == ("12:00", 60)


def test_a_refusal_that_needs_a_human_stops_the_connector(rig: ForwardRig) -> None:
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(6)

    def denied(batch: Batch) -> None:
        raise UpstreamStopped("The upstream refuses the key (401).")

    rig.sink.before = denied
    with pytest.raises(UpstreamStopped):
        rig.run()
    opened = rig.opened
    assert rig.run() == {"connector": "c", "state": "stopped", "message": "The upstream refuses the key (401)."}
    assert rig.run(lane="back_fill")["state"] == "stopped"
    assert rig.opened == opened, "a stopped connector reads nothing"
    rig.sink.before = lambda batch: None
    rig.bookmarks.resume("c")
    rig.run()
    assert (rig.bookmark(), rig.bookmarks.get("c").stop) == ("12:05", None)


def test_another_configuration_lets_a_stopped_connector_run(rig: ForwardRig) -> None:
    rig.run()
    rig.bookmarks.stop("c", "upstream_stopped", "401", rig.runnable.registry.get("c").identity)
    rig.configure(every="00:10:00")
    assert rig.run()["state"] == "stopped", "the interval changes nothing about the upstream"
    rig.configure(upstream={"url": "http://upstream.test/other"})
    assert rig.run()["state"] == "caught_up"
    assert rig.bookmarks.get("c").stop is None


@pytest.mark.parametrize("idempotency", [{"by": "key", "lifetime": "1h"}, None])
def test_an_upstream_that_may_forget_keys_is_told_of_the_first_try(rig: ForwardRig, idempotency: object) -> None:
    """Only what an earlier run may have sent can be a repeat."""
    rig.configure(upstream={**TEXT["upstream"], "idempotency": idempotency})
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(10.6)
    first_run = rig.clock()
    rig.sink.before = fails_at("12:05")
    with pytest.raises(UpstreamUnavailable):
        rig.run()
    rig.at(130)
    rig.sink.before = lambda batch: None
    rig.run_all()
    assert [tried for tried in rig.sink.first_tries if tried is not None] == [first_run]
    assert rig.bookmarks.get("c").tried == {}


def test_a_request_forgets_what_it_tried_once_it_was_accepted(rig: ForwardRig) -> None:
    rig.configure(upstream={**TEXT["upstream"], "idempotency": {"by": "key", "lifetime": "1h"}})
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    rig.run(start_time="2026-01-01T11:00:00Z", end_time="2026-01-01T12:00:00Z")
    assert (rig.bookmarks.get("c").tried, set(rig.sink.first_tries)) == ({}, {None})


def test_no_window_is_passed_over_while_the_source_lacks_what_is_configured(rig: ForwardRig) -> None:
    rig.source.lacks = QueryRefused("There is no measurement 'Boiler'. Did you mean 'boiler'?")
    rig.configure(start="2026-01-01T10:00:00Z")
    for lane in ("live", "back_fill"):
        with pytest.raises(QueryRefused):
            rig.run(lane=lane)
    assert (rig.bookmark(), rig.source.asked) == ("10:00", [])
    rig.source.fill(NOON_NS - 120 * MINUTE_NS, NOON_NS)
    rig.source.lacks = None
    rig.run_all()
    assert (rig.bookmark(), rig.sink.accepted.total()) == ("12:00", 120)


def test_the_source_is_asked_once_for_each_configuration(rig: ForwardRig) -> None:
    for _ in range(3):
        rig.run()
    assert rig.source.checks == 1
    rig.configure(source={"store": {"bucket": "b", "measurement": "boiler"}})
    for _ in range(3):
        rig.run()
    assert rig.source.checks == 2


def test_back_fill_sends_no_window_of_the_future_after_the_clock_was_set_back(rig: ForwardRig) -> None:
    rig.configure(start="2026-01-01T10:00:00Z")
    rig.at(24 * 60)
    rig.run()
    rig.at(0.5)
    rig.run(lane="back_fill")
    assert rig.bookmark() == "12:00"
    rig.source.fill(NOON_NS, NOON_NS + 60 * MINUTE_NS)
    rig.at(60.5)
    rig.run(lane="back_fill")
    assert rig.sink.accepted.total() == 60
