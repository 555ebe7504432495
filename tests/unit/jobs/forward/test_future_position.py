"""A bookmark in the future, as after a clock that stood too far ahead: it is said, with what to do."""

import pytest

from service.domain.forwarding import Position
from service.jobs.forward.connector import Start
from service.jobs.forward.future_position import future_warning
from service.jobs.forward.views import view_of
from tests.support.forwarding import MINUTE_NS, NOON_NS, ForwardContext, ForwardRig


def test_a_clock_that_was_set_back_leaves_a_warning_until_the_bookmark_is_set(rig: ForwardRig) -> None:
    rig.run()
    rig.at(600)
    rig.run_all()
    rig.at(1)
    context = ForwardContext()
    rig.run(context)
    warning = view_of(rig.runnable, "c").warning
    assert warning is not None and "up to 2026-01-01T21:55:00Z counts as accepted" in warning
    assert "fluxgate connector bookmark c TIME" in warning
    assert ("warning", warning) in context.lines
    rig.bookmarks.set("c", NOON_NS, "operator")
    assert view_of(rig.runnable, "c").warning is None


@pytest.mark.parametrize(
    ("position", "start", "warns"),
    [
        (None, "now", False),
        (Position(NOON_NS - MINUTE_NS), "now", False),
        (Position(NOON_NS + MINUTE_NS), "now", False),
        (Position(NOON_NS + MINUTE_NS + 1), "now", True),
        (Position(NOON_NS + 60 * MINUTE_NS), NOON_NS + 60 * MINUTE_NS, False),
        (Position(NOON_NS + 65 * MINUTE_NS), NOON_NS + 60 * MINUTE_NS, True),
    ],
)
def test_clocks_may_differ_by_a_minute_and_a_start_may_lie_ahead(
    position: Position | None, start: Start, warns: bool
) -> None:
    assert (future_warning("c", position, start, NOON_NS) is not None) == warns
