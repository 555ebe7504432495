"""A connector that is changed or removed while a run is under way: no further window goes to the old address."""

from collections.abc import Callable

import pytest

from service.domain.job import Yielded
from service.errors import InvalidParameter
from service.upstream.protocol import Batch
from tests.support.forwarding import MINUTE_NS, NOON_NS, UPSERT, ForwardContext, ForwardRig

OTHER = {"upstream": {"url": "http://upstream.test/other"}}
RANGE = {"lane": "request", "start_time": "2026-01-01T12:00:00Z", "end_time": "2026-01-01T12:10:00Z"}


@pytest.fixture
def filled(rig: ForwardRig) -> ForwardRig:
    """Two windows wait."""
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 10 * MINUTE_NS)
    rig.at(10.6)
    return rig


def once(rig: ForwardRig, act: Callable[[], object]) -> None:
    """Do `act` while the next batch is sent."""

    def before(batch: Batch) -> None:
        rig.sink.before = lambda batch: None
        act()

    rig.sink.before = before


def test_a_changed_connector_ends_its_run_after_the_window_and_goes_on_with_the_next(filled: ForwardRig) -> None:
    once(filled, lambda: filled.configure(**OTHER))
    result = filled.run()
    assert result["state"] == "configuration_changed" and "The next run uses the new ones" in result["message"]
    assert (filled.sink.windows, filled.bookmark()) == (["12:00"], "12:05")
    filled.run_all()
    assert (filled.sink.windows, filled.bookmark()) == (["12:00", "12:05"], "12:10")
    assert set(filled.sink.accepted.values()) == {1}


def test_a_removed_connector_ends_its_run_and_says_so(filled: ForwardRig) -> None:
    once(filled, lambda: filled.section.clear())
    context = ForwardContext()
    result = filled.run(context)
    assert (result["state"], filled.sink.windows) == ("removed", ["12:00"])
    assert context.lines[-1] == ("info", "The connector 'c' was removed. It sends nothing any more.")


def test_another_interval_ends_no_run(filled: ForwardRig) -> None:
    once(filled, lambda: filled.configure(every="00:10:00"))
    assert (filled.run()["state"], filled.bookmark()) == ("caught_up", "12:10")


def test_a_request_goes_on_with_the_new_configuration_at_the_next_window(filled: ForwardRig) -> None:
    once(filled, lambda: filled.configure(**OTHER))
    context = ForwardContext()
    with pytest.raises(Yielded, match="configuration has changed"):
        filled.run(context, **RANGE)
    assert filled.sink.windows == ["12:00"]
    assert filled.run(context, **RANGE)["windows"] == 2
    assert filled.sink.windows == ["12:00", "12:05"]


def test_a_request_of_a_removed_connector_fails(filled: ForwardRig) -> None:
    once(filled, lambda: filled.section.clear())
    context = ForwardContext()
    with pytest.raises(Yielded):
        filled.run(context, **RANGE)
    with pytest.raises(InvalidParameter, match="No connector is configured"):
        filled.run(context, **RANGE)
    assert filled.sink.windows == ["12:00"]


def test_a_replay_goes_on_with_the_new_configuration(filled: ForwardRig) -> None:
    filled.sink.refused = {"s"}
    filled.run_all()
    filled.sink.refused = set()
    filled.sink.batches.clear()
    once(filled, lambda: filled.configure(**OTHER))
    context = ForwardContext()
    with pytest.raises(Yielded):
        filled.run(context, lane="replay")
    assert filled.sink.windows == ["12:00"]
    result = filled.run(context, lane="replay")
    assert (result["removed"], result["left"]) == (10, 0)
    assert filled.sink.windows == ["12:00", "12:05"]


def test_a_look_back_sends_no_further_window_to_the_old_address(rig: ForwardRig) -> None:
    rig.configure(look_back="1h", **UPSERT)
    rig.run()
    rig.source.fill(NOON_NS, NOON_NS + 10 * MINUTE_NS)
    rig.at(10.6)
    rig.run_all()
    rig.sink.batches.clear()
    for minute in (1, 6):
        rig.source.put("s", NOON_NS + minute * MINUTE_NS, 99.0)
    rig.at(31)
    once(rig, lambda: rig.configure(look_back="1h", upstream={**UPSERT["upstream"], **OTHER["upstream"]}))
    assert rig.run(lane="back_fill")["state"] == "configuration_changed"
    assert rig.sink.windows == ["12:00"]
