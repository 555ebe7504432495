"""The two lanes of a schedule. Live: the newest windows. Back-fill: those between the bookmark and the live ones.

The live lane alone moves the border between them, and only while it sends nothing. So no window is in both lanes, and
a large backlog delays no new window. Back-fill goes on from the oldest window, and looks back afterwards.
"""

from collections.abc import Callable

from service.domain.forwarding import MOST_RANGES, Position, live_from_ns
from service.domain.job import Json
from service.domain.timerange import TimeRange
from service.jobs.forward.connector_state import ConnectorState
from service.jobs.forward.future_position import future_warning
from service.jobs.forward.look_back import LookBack, look_back_span
from service.jobs.forward.run import ForwardRun

CAUGHT_UP, BEHIND, NO_POINTS = "caught_up", "behind", "no_points"


def run_live(
    run: ForwardRun,
    oldest_ns: Callable[[], int | None],
    order_back_fill: Callable[[], None],
    check: Callable[[], None],
) -> Json:
    """Send the newest windows, and order back-fill where older ones are left or a look-back is due.

    `check` raises when the source has not what is configured: then no window is read as one without values.
    """
    name, end_ns = run.connector.name, run.horizon_ns
    state = run.bookmarks.get(name)
    if state.position is None:
        start_ns = _first_bookmark(run, oldest_ns, end_ns)
        if start_ns is None:
            return run.result(NO_POINTS, None)
        state = run.bookmarks.begin(name, start_ns)
    check()
    warning = future_warning(name, state.position, run.connector.start, int(run.clock() * 1e9))
    if warning is not None:
        run.log("warning", warning)
    border_ns = _border_ns(run, state, end_ns)
    if border_ns != state.live_from_ns:
        run.bookmarks.live_from(name, state.generation, border_ns)
    if border_ns < end_ns:
        span = TimeRange(border_ns, end_ns)
        state = run.send_all(state, lambda current: _pending(current, span))
    position = state.position
    assert position is not None
    is_behind = position.bookmark_ns < min(border_ns, end_ns)
    if is_behind or look_back_span(run.connector, state, run.clock()) is not None:
        order_back_fill()
    return run.result(BEHIND if is_behind else CAUGHT_UP, position)


def run_back_fill(run: ForwardRun) -> Json:
    """Send the windows before the live ones, oldest first; then look back."""
    end_ns = run.horizon_ns
    state = run.send_all(run.bookmarks.get(run.connector.name), lambda current: _back_fill(current, end_ns))
    resent = LookBack(run).run(state)
    return run.result(CAUGHT_UP, run.bookmarks.get(run.connector.name).position, changed_windows=resent)


def _first_bookmark(run: ForwardRun, oldest_ns: Callable[[], int | None], end_ns: int) -> int | None:
    """Where a connector without a bookmark begins; None: at the oldest point, and there is none yet."""
    start = run.connector.start
    if start == "now":
        return end_ns
    return oldest_ns() if start == "oldest" else start


def _border_ns(run: ForwardRun, state: ConnectorState, end_ns: int) -> int:
    """Where the live windows begin. It never moves back: older windows may be under way in back-fill."""
    assert state.position is not None
    if len(state.position.ahead) >= MOST_RANGES:
        run.log("warning", "Too many ranges are accepted beyond the bookmark. The oldest windows come first.")
        return max(end_ns, state.live_from_ns or end_ns)
    newest_ns = live_from_ns(end_ns, run.connector.interval_ns, run.connector.window_ns)
    border_ns = max(newest_ns, state.position.bookmark_ns)
    return border_ns if state.live_from_ns is None else max(border_ns, state.live_from_ns)


def _back_fill(state: ConnectorState, end_ns: int) -> list[TimeRange]:
    """What is pending before the live windows, and before `end_ns`, the horizon.

    A clock that was set back, or a longer `settle`, leaves the border of the live windows after the horizon.
    """
    position = state.position
    if position is None or state.live_from_ns is None:
        return []
    border_ns = min(state.live_from_ns, end_ns)
    if border_ns <= position.bookmark_ns:
        return []
    return position.pending(TimeRange(position.bookmark_ns, border_ns))


def _pending(state: ConnectorState, span: TimeRange) -> list[TimeRange]:
    position: Position | None = state.position
    return [] if position is None else position.pending(span)
