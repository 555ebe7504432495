"""Looks back at accepted windows, and sends those again whose values have changed since.

The digests of what was accepted are compared with digests of what the source holds now. Only for an upstream that takes
the same value twice without harm. A value that was removed at the source stays at the upstream.
"""

from service.domain.forwarding import whole_windows_ns, windows_of
from service.domain.timerange import TimeRange, floor_to, format_time
from service.frames.slice_digest import SliceDigest
from service.jobs.forward.connector import Connector
from service.jobs.forward.connector_state import ConnectorState
from service.jobs.forward.run import ForwardRun
from service.jobs.forward.window_digests import digest_text

_PLACE = "look_ns"
EMPTY = digest_text(SliceDigest())


def look_back_span(connector: Connector, state: ConnectorState, now: float) -> TimeRange | None:
    """The accepted windows that are to be compared at `now`; None: a look-back is not due, or there are none."""
    look_back_ns, position, began_ns = connector.look_back_ns, state.position, state.began_ns
    if look_back_ns is None or position is None or began_ns is None:
        return None
    if state.looked_back_at is not None and now - state.looked_back_at < connector.look_every_ns / 1e9:
        return None
    first_ns = floor_to(int(now * 1e9) - look_back_ns, connector.window_ns)
    start_ns = max(first_ns, began_ns)
    return TimeRange(start_ns, position.bookmark_ns) if start_ns < position.bookmark_ns else None


class LookBack:
    """The look-back of one run."""

    def __init__(self, run: ForwardRun) -> None:
        self._run = run

    def run(self, state: ConnectorState) -> int:
        """Compare what is due, and send what has changed. Returns how many windows were sent again.

        Raises what `ForwardRun.send_all` raises.
        """
        run, began = self._run, self._run.clock()
        span = look_back_span(run.connector, state, began)
        if span is None:
            return 0
        first_ns, resent = run.context.checkpoint.get(_PLACE, span.start_ns), 0
        rest = TimeRange(max(span.start_ns, min(first_ns, span.stop_ns - 1)), span.stop_ns)
        for piece in windows_of([rest], whole_windows_ns(run.connector.window_ns)):
            resent += self._compare(state, piece, span)
            run.make_way(**{_PLACE: piece.stop_ns})
        run.bookmarks.looked_back(run.connector.name, began, floor_to(span.start_ns, run.connector.window_ns))
        return resent

    def _compare(self, state: ConnectorState, piece: TimeRange, span: TimeRange) -> int:
        run, length_ns = self._run, self._run.connector.window_ns
        known = run.bookmarks.digests.known(run.connector.name, piece, length_ns)
        present = {slot_ns: digest_text(digest) for slot_ns, digest in run.delivery.digests(piece).items()}
        slots = sorted({*known, *present})
        changed = [slot_ns for slot_ns in slots if known.get(slot_ns, EMPTY) != present.get(slot_ns, EMPTY)]
        for slot_ns in changed:
            run.check()
            window = TimeRange(max(slot_ns, span.start_ns), min(slot_ns + length_ns, span.stop_ns))
            acceptance = run.delivery.send(window)
            run.bookmarks.accept(run.connector.name, state.generation, [acceptance], run.clock())
            run.note(acceptance)
            run.log("info", f"{format_time(window.start_ns)}: changed since it was accepted; sent again.")
        return len(changed)
