"""The job `watch`: one look at the series of a watch, and a post for each that went silent or is back.

Of each series only the newest point is asked for. Changes are stored before they are posted. A notice that the webhook
does not take is posted again by the next look, before newer ones.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from service.domain.job import Json
from service.domain.schedule import Schedule
from service.domain.series import SeriesKey, has_tags, series_text
from service.domain.silence import Change, changes, silent_series
from service.domain.timerange import EARLIEST_NS, TimeRange, format_time
from service.errors import FluxgateError, InvalidParameter
from service.frames.row_series import series_times
from service.jobs.parameters import refuse_unknown
from service.jobs.protocol import JobContext
from service.jobs.watch.definitions import WatchText
from service.jobs.watch.kind_name import KIND
from service.jobs.watch.watch_states import Notice, WatchState, WatchStates, notice_of
from service.jobs.watch.webhook import Webhook, destination
from service.stores.protocol import Store
from service.transfer.run_log import log_failure
from service.upstream.rules import UpstreamRules

MOST_SERIES = 5_000
MOST_NOTICES = 1_000
"""Notices that wait for the webhook. The oldest of more are dropped, which the log of the job says."""
MOST_NAME_LETTERS = 2_000_000
"""Letters of the names and tags of all series of a watch, and of all notices that wait: they stand in one row each."""
_POSTING_S = 60.0
"""A look posts for so long. The rest is left to the next one, so that a slow webhook does not hold a worker."""
_MOST_LINES = 50
"""Changes that the log of a job names."""


class WatchRunnable:
    """Looks at `store`. `section` gives the stored watches, `rules` say what their webhooks may name.

    `clock` gives seconds since 1970, `monotonic` seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        section: Callable[[], Mapping[str, Any]],
        states: WatchStates,
        rules: UpstreamRules,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._section = section
        self._rules = rules
        self._clock = clock
        self._monotonic = monotonic
        self.states = states

    def watches(self) -> dict[str, WatchText]:
        """The watches as written, by name."""
        return {name: WatchText.model_validate(text) for name, text in sorted(self._section().items())}

    def schedules(self) -> dict[str, Schedule]:
        """One for each watch that is not switched off."""
        return {
            schedule_name(name): Schedule(schedule_name(name), KIND, {"watch": name}, every=text.every)
            for name, text in self.watches().items()
            if text.enabled
        }

    def failed_watches(self, states: Mapping[str, WatchState]) -> list[str]:
        """Watches that are switched on, and whose last look or post failed."""
        return [name for name, text in self.watches().items() if text.enabled and name in states and states[name].error]

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return f"{KIND}:{parameters.get('watch')}"

    def validate(self, parameters: Mapping[str, Any]) -> None:
        refuse_unknown("A watch job", parameters, ("watch",))
        self._chosen(parameters)

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        text, name = self._chosen(parameters), str(parameters["watch"])
        self.states.keep_only(self._section())
        try:
            state, changed = self._look(name, text, context)
            posted = self._post(name, text, state, context)
        except FluxgateError as error:
            self.states.failed(name, error.message)
            raise
        return {"series": state.series, "silent": len(state.silent), "changes": len(changed), "posted": posted}

    def _chosen(self, parameters: Mapping[str, Any]) -> WatchText:
        """Raises InvalidParameter."""
        watches, name = self.watches(), parameters.get("watch")
        if name not in watches:
            known = ", ".join(map(repr, watches)) or "none; PUT /config/watches makes one"
            raise InvalidParameter("watch", f"There is no watch {str(name)[:60]!r}. There are: {known}.")
        return watches[name]

    def _look(self, name: str, text: WatchText, context: JobContext) -> tuple[WatchState, list[Change]]:
        """Look at all series, and store what is silent now with the notices about it."""
        known, now = self.states.get(name), self._clock()
        before = known.silent if known.bucket == text.bucket else {}
        newest, now_ns = self._newest(text, int(now * 1e9), context), int(now * 1e9)
        changed = changes(before, newest, now_ns, text.expect_ns)
        _log_changes(changed, context)
        new = () if text.webhook is None else (notice_of(name, text.bucket, change) for change in changed)
        notices = [] if text.webhook is None else [*known.notices, *new]
        kept = _newest_notices(notices)
        if len(notices) > len(kept):
            context.log("error", f"{len(notices) - len(kept)} notices were dropped: the webhook takes none.")
        context.check()
        state = replace(
            known,
            bucket=text.bucket,
            looked_at=now,
            error=None,
            series=len(newest),
            silent=silent_series(newest, now_ns, text.expect_ns),
            notices=kept,
        )
        return self.states.replace(name, state), changed

    def _newest(self, text: WatchText, now_ns: int, context: JobContext) -> dict[SeriesKey, int]:
        """The newest point of each selected series. Raises InvalidParameter for too many, and what the store raises."""
        span = TimeRange(max(now_ns - text.known_ns, EARLIEST_NS), now_ns)
        latest = self._store.latest(text.bucket, span, "", text.measurements or None)
        for measurement in latest.unread:
            context.log("warning", f"The measurement {measurement!r} cannot be read, and is not watched.")
        newest: dict[SeriesKey, int] = {}
        letters = 0
        for frame in latest.frames:
            for series, time_ns in series_times(frame):
                if has_tags(series.tags, text.tags.items()):
                    letters += 0 if series.key in newest else _letters(series.key)
                    newest[series.key] = max(time_ns, newest.get(series.key, time_ns))
            if len(newest) > MOST_SERIES:
                reason = f"It would watch more than {MOST_SERIES:,} series. Name measurements or tags."
                raise InvalidParameter("watch", reason)
            if letters > MOST_NAME_LETTERS:
                names = f"series whose measurements and tags have more than {MOST_NAME_LETTERS:,} letters together"
                raise InvalidParameter("watch", f"It would watch {names}. Name measurements or tags.")
        return newest

    def _post(self, name: str, text: WatchText, state: WatchState, context: JobContext) -> int:
        """Post the notices that wait, the oldest first, and say how many were taken.

        A webhook that cannot work is an error also while no notice waits: it would be missed when a series goes silent.
        """
        if text.webhook is None:
            return 0
        until, posted = self._monotonic() + _POSTING_S, 0
        try:
            if not state.notices:
                destination(text.webhook, self._rules)
                return 0
            with Webhook(text.webhook, self._rules, context) as webhook:
                for notice in state.notices:
                    if self._monotonic() >= until:
                        left = len(state.notices) - posted
                        context.log("warning", f"The webhook takes notices slowly. Left to the next look: {left}.")
                        break
                    webhook.post(notice)
                    self.states.taken(name, notice["id"])
                    posted += 1
        except FluxgateError as error:
            log_failure(context.log, "error", error.message, error)
            raise
        return posted


def schedule_name(watch: str) -> str:
    """The name of the schedule of a watch."""
    return f"{KIND} {watch}"


def _letters(series: SeriesKey) -> int:
    return len(series.measurement) + sum(len(key) + len(value) for key, value in series.tags)


def _newest_notices(notices: Sequence[Notice]) -> Sequence[Notice]:
    """As many of the last notices as are kept."""
    first = max(0, len(notices) - MOST_NOTICES)
    letters = 0
    for number in range(len(notices) - 1, first - 1, -1):
        letters += len(json.dumps(notices[number]["series"], ensure_ascii=False))
        if letters > MOST_NAME_LETTERS:
            return notices[number + 1 :]
    return notices[first:]


def _log_changes(changed: list[Change], context: JobContext) -> None:
    for change in changed[:_MOST_LINES]:
        level, state = ("warning", "is silent") if change.is_silent else ("info", "is back")
        name = series_text(change.series.measurement, dict(change.series.tags))
        context.log(level, f"{name} {state} since {format_time(change.since_ns)}")
    if len(changed) > _MOST_LINES:
        context.log("info", f"{len(changed) - _MOST_LINES} further series changed.")
