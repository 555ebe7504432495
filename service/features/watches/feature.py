"""The feature `watches`, the function that makes its kind from the settings, and its gauges."""

from service.api.status_board import GaugeValue, Status
from service.features.feature import Feature, KindServices
from service.features.rules import upstream_rules
from service.features.watches import commands, routes
from service.jobs import Kinds
from service.jobs.kind import JobKind
from service.jobs.watch.kind import watch_kind
from service.jobs.watch.kind_name import KIND, SECTION
from service.jobs.watch.runnable import WatchRunnable
from service.jobs.watch.watch_states import WatchState, WatchStates
from service.settings import Settings


def make(settings: Settings, services: KindServices) -> tuple[JobKind, ...]:
    """The kind `watch`. Its webhooks follow the rules of upstreams."""
    runnable = WatchRunnable(
        services.store,
        lambda: services.config.get(SECTION).value,
        WatchStates(services.state),
        upstream_rules(settings),
        services.clock,
    )
    return (watch_kind(runnable),)


def status(kinds: Kinds) -> Status:
    """How many series of each watch are silent, when it was looked at last, and what waits for its webhook."""
    runnable = kinds.runnable(KIND, WatchRunnable)
    states = runnable.states.all()
    gauges = [
        gauge
        for name, text in runnable.watches().items()
        if name in states
        for gauge in _gauges({"watch": name, "bucket": text.bucket}, _state_of(text.bucket, states[name]))
    ]
    failed = len(runnable.failed_watches(states))
    finding = f"{'1 watch' if failed == 1 else f'{failed} watches'} could not look, or not post a change"
    warning = f"{finding}. GET /watches and `fluxgate watches list` say why."
    return Status(tuple(gauges), (warning,) if failed else ())


def _state_of(bucket: str, state: WatchState) -> WatchState:
    """What is known of `bucket`: a watch of another one until now was not looked at, and its numbers are not shown."""
    return state if state.bucket == bucket else WatchState(error=state.error)


def _gauges(labels: dict[str, str], state: WatchState) -> list[GaugeValue]:
    numbers = (
        ("fluxgate_silent_series", "Series that have no new point.", float(len(state.silent))),
        ("fluxgate_watch_series", "Series that are watched.", float(state.series)),
        ("fluxgate_watch_notices_waiting", "Changes that the webhook has not taken.", float(len(state.notices))),
        ("fluxgate_watch_failed", "1 when the last look or post failed, else 0.", float(state.error is not None)),
        ("fluxgate_watch_last_look_timestamp_seconds", "When it was last looked.", state.looked_at),
    )
    return [GaugeValue(name, text, value, labels) for name, text, value in numbers if value is not None]


WATCHES = Feature("watches", make, routes.router, commands.cli, status)
