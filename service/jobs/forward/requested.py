"""A range that somebody asked for: its windows are sent, oldest first, and the bookmark of the schedule stays.

The checkpoint says where it is, at most a second late. So a process that dies sends few windows again, under the same
keys.
"""

from dataclasses import dataclass, field
from typing import Any

from service.domain.forwarding import count_windows, whole_windows_ns, windows_of
from service.domain.job import Json
from service.domain.timerange import TimeRange, format_time
from service.errors import FluxgateError
from service.jobs.forward.bookmarks import Acceptance
from service.jobs.forward.counts import NONE, Counts
from service.jobs.forward.run import ConfigurationChanged, ForwardRun
from service.transfer.dead_letters import DeadLetter

_PLACE = "next_ns"
_WRITTEN_EVERY_S = 1.0
_MOST_LISTED = 1000
"""The most windows that a dry run lists."""


def run_request(run: ForwardRun, span: TimeRange) -> Json:
    """Send every window of `span`. Raises ConfigurationChanged, Yielded, and what source and sink raise."""
    total = count_windows([span], run.connector.window_ns)
    notes = _Notes(run, run.context.checkpoint.get(_PLACE, span.start_ns))
    while notes.done_ns < span.stop_ns:
        try:
            acceptance = run.send_next(TimeRange(notes.done_ns, span.stop_ns))
        except (FluxgateError, ConfigurationChanged):
            notes.write()
            raise
        notes.add(acceptance)
        done = count_windows([TimeRange(span.start_ns, notes.done_ns)], run.connector.window_ns)
        run.context.progress(done, total, "windows")
        if notes.done_ns < span.stop_ns and run.is_over:
            notes.write()
            run.make_way(**{_PLACE: notes.done_ns})
    notes.write()
    return run.result("sent", run.bookmarks.get(run.connector.name).position, **_times(span))


@dataclass
class _Notes:
    """What was sent and is not written down yet. `done_ns`: everything of the range before it was sent."""

    run: ForwardRun
    done_ns: int
    counts: Counts = NONE
    letters: list[DeadLetter] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._written_at = self.run.clock()
        self._windows: list[TimeRange] = []

    def add(self, acceptance: Acceptance) -> None:
        """Note a window, and write when the last time was a second ago."""
        self.done_ns = acceptance.window.stop_ns
        self.counts += acceptance.counts
        self.letters += acceptance.dead_letters
        self._windows.append(acceptance.window)
        self.run.note(acceptance)
        if self.run.clock() - self._written_at >= _WRITTEN_EVERY_S:
            self.write()

    def write(self) -> None:
        """Keep counts and dead letters, and only then that this part of the range is done."""
        if self.counts != NONE or self.run.connector.keys_end:
            self.run.bookmarks.count(self.run.connector.name, self.counts, self.letters, self._windows)
        self.counts, self.letters, self._windows, self._written_at = NONE, [], [], self.run.clock()
        self.run.save(**{_PLACE: self.done_ns})


def run_dry(run: ForwardRun, span: TimeRange) -> Json:
    """Count the values of every window of `span`, many windows with each read, and send nothing."""
    length_ns = run.connector.window_ns
    total, values, posts = count_windows([span], length_ns), 0, 0
    listed: list[Json] = []
    for piece in windows_of([span], whole_windows_ns(length_ns)):
        run.context.check()
        for slot_ns, count in run.delivery.counts(piece).items():
            values, posts = values + count, posts - (-count // run.connector.max_points)
            if len(listed) < _MOST_LISTED:
                window = TimeRange(max(slot_ns, span.start_ns), min(slot_ns + length_ns, span.stop_ns))
                listed.append({**_times(window), "values": count})
        run.context.progress(count_windows([TimeRange(span.start_ns, piece.stop_ns)], length_ns), total, "windows")
    return {
        "connector": run.connector.name,
        "state": "dry_run",
        **_times(span),
        "windows": total,
        "values": values,
        "batches": posts,
        "listed": listed,
    }


def _times(span: TimeRange) -> dict[str, Any]:
    return {"start_time": format_time(span.start_ns), "end_time": format_time(span.stop_ns)}
