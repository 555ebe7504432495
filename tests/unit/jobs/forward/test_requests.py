"""Ranges on request: what is refused before anything is sent, what is sent, and that the bookmark stays."""

from collections import Counter
from typing import Any

import pytest

from service.domain.job import Yielded
from service.errors import InvalidParameter, UpstreamStopped, UpstreamUnavailable
from service.upstream.protocol import Batch
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardContext, ForwardRig

RANGE = {"start_time": "2026-01-01T11:03:00Z", "end_time": "2026-01-01T11:21:00Z"}


def filled(rig: ForwardRig) -> ForwardRig:
    rig.source.fill(NOON_NS - 60 * MINUTE_NS, NOON_NS)
    return rig


def test_a_range_is_sent_window_by_window_to_its_very_edges(rig: ForwardRig) -> None:
    result = filled(rig).run(**RANGE)
    assert rig.sink.windows == ["11:03", "11:05", "11:10", "11:15", "11:20"]
    assert (result["state"], result["windows"], result["accepted"]) == ("sent", 5, 18)
    assert (result["start_time"], result["end_time"]) == (RANGE["start_time"], RANGE["end_time"])


def test_a_request_leaves_the_bookmark_where_it_is(rig: ForwardRig) -> None:
    rig.run()
    filled(rig).run(**RANGE)
    assert rig.bookmark() == "12:00"
    assert rig.bookmarks.get("c").counts.accepted == 18


def test_a_request_needs_no_bookmark_and_makes_none(rig: ForwardRig) -> None:
    assert filled(rig).run(**RANGE)["bookmark"] is None
    assert rig.bookmark() is None


def test_a_dry_run_counts_and_sends_nothing(rig: ForwardRig) -> None:
    result = filled(rig).run(**RANGE, dry_run=True)
    assert (result["state"], result["windows"], result["values"], result["batches"]) == ("dry_run", 5, 18, 5)
    assert result["listed"][0] == {
        "start_time": "2026-01-01T11:03:00Z",
        "end_time": "2026-01-01T11:05:00Z",
        "values": 2,
    }
    assert rig.sink.batches == []


def test_a_dry_run_of_a_year_of_short_windows_reads_long_pieces(rig: ForwardRig) -> None:
    rig.configure(window="1s")
    rig.source.put("s", NOON_NS)
    rig.source.put("s", NOON_NS + 1)
    rig.source.put("s", NOON_NS + 10**9)
    year = {"start_time": "2025-06-01T00:00:00Z", "end_time": "2026-06-01T00:00:00Z"}
    result = rig.run(**year, dry_run=True)
    assert (result["windows"], result["values"], result["batches"]) == (365 * 86_400, 3, 2)
    assert [window["values"] for window in result["listed"]] == [2, 1]
    assert len(rig.source.asked) == 365 * 4


def test_a_request_that_was_broken_off_goes_on_at_the_window_that_failed(rig: ForwardRig) -> None:
    context, seen = ForwardContext(), Counter[str]()

    def breaks(batch: Batch) -> None:
        seen["batches"] += 1
        if seen["batches"] == 3:
            raise UpstreamUnavailable("It is away.")

    filled(rig).sink.before = breaks
    with pytest.raises(UpstreamUnavailable):
        rig.run(context, **RANGE)
    result = rig.run(context, **RANGE)
    assert (result["windows"], result["accepted"], len(rig.sink.batches)) == (5, 18, 5)
    assert set(rig.sink.accepted.values()) == {1}


def test_a_request_makes_way_for_others_and_says_how_far_it_is(rig: ForwardRig) -> None:
    rig.runnable = rig.runnable_with(run_s=0.0)
    context = ForwardContext()
    with pytest.raises(Yielded):
        filled(rig).run(context, **RANGE)
    assert context.progress_calls == [(1, 5, "windows")]


@pytest.mark.parametrize(
    ("changed", "parameter", "words"),
    [
        ({"end_time": "2026-01-01T11:03:00Z"}, "end_time", "end_time is not after start_time"),
        ({"start_time": "2016-01-01T00:00:00Z"}, "end_time", "longer than 366 days (CONNECTOR_MAX_REQUEST_DAYS)"),
        ({"end_time": None}, "end_time", "Give start_time and end_time together"),
        ({"start_time": "2026-01-01T11:03:00"}, "start_time", "so it names no instant. Write an offset"),
        ({"start_time": 1}, "start_time", "is not a text"),
        ({"lane": "fast"}, "lane", "is none of live, back_fill, request, replay"),
        ({"lane": "live"}, "start_time", "A request has start_time and end_time"),
        ({"speed": "high"}, "speed", "has no parameter 'speed'"),
        ({"connector": "other"}, "connector", "There is no connector 'other'. There are: c."),
        ({"connector": None}, "connector", "Name the connector"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sent(
    rig: ForwardRig, changed: dict[str, Any], parameter: str, words: str
) -> None:
    with pytest.raises(InvalidParameter) as refused:
        rig.runnable.validate({"connector": "c", **RANGE, **changed})
    assert refused.value.parameter == parameter
    assert words in refused.value.message
    assert rig.opened == 0


def test_without_a_connector_it_says_how_to_make_one(rig: ForwardRig) -> None:
    rig.section.clear()
    with pytest.raises(InvalidParameter, match="Set POST_DATA_ENDPOINT, or PUT /config/connectors"):
        rig.runnable.validate({"connector": "default", **RANGE})
    with pytest.raises(InvalidParameter, match="no endpoint to send to"):
        rig.runnable.registry.name_of(None)


def test_a_request_means_the_default_or_the_only_connector(rig: ForwardRig) -> None:
    assert rig.runnable.registry.name_of(None) == "c"
    rig.configure("d")
    with pytest.raises(InvalidParameter, match="Name the connector"):
        rig.runnable.registry.name_of(None)
    rig.configure("default")
    assert rig.runnable.registry.name_of(None) == "default"


def test_a_request_to_a_stopped_connector_is_refused_and_says_why(rig: ForwardRig) -> None:
    def denied(batch: Batch) -> None:
        raise UpstreamStopped("The upstream refuses the key (401).")

    filled(rig).sink.before = denied
    with pytest.raises(UpstreamStopped):
        rig.run(**RANGE)
    with pytest.raises(InvalidParameter, match=r"is stopped: .* \(401\)\. Then resume it with POST"):
        rig.runnable.validate({"connector": "c", **RANGE})
    rig.runnable.validate({"connector": "c", **RANGE, "dry_run": True})


def test_lanes_never_wait_for_each_other_and_connectors_neither(rig: ForwardRig) -> None:
    orders = [{"connector": name, **order} for name in ("c", "d") for order in ({}, {"lane": "back_fill"}, RANGE)]
    keys = [rig.runnable.exclusion_key(order) for order in orders]
    assert len(set(keys)) == 6
    assert rig.runnable.exclusion_key({"connector": "c", "lane": "replay"}) == rig.runnable.exclusion_key(orders[2])
