"""The job `forward`: one run of one lane of a connector.

A wrong order is refused before it is queued. A connector that its upstream stopped sends nothing until a human resumes
it, or changes its configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.domain.job import Json, Yielded
from service.errors import FluxgateError, InvalidParameter, UpstreamStopped
from service.jobs.forward.bookmarks import BookmarkMoved, Bookmarks
from service.jobs.forward.connector import Connector
from service.jobs.forward.connector_state import ConnectorState
from service.jobs.forward.definitions import KIND
from service.jobs.forward.endpoints import ConnectorEndpoints
from service.jobs.forward.orders import Lane, Order
from service.jobs.forward.registry import ConnectorRegistry, checked
from service.jobs.forward.replaying import run_replay
from service.jobs.forward.requested import run_dry, run_request
from service.jobs.forward.run import ConfigurationChanged, ForwardRun
from service.jobs.forward.scheduled import run_back_fill, run_live
from service.jobs.forward.window_delivery import WindowDelivery
from service.jobs.protocol import JobContext
from service.sources.config import SourceText
from service.sources.protocol import Source
from service.state.jobs import JobStore
from service.transfer.run_log import RunLog, log_failure
from service.upstream.config import Upstream


@dataclass(frozen=True)
class ForwardLimits:
    """`max_request_days`: the longest range of a request. `run_s`: after it a run makes way for other jobs.

    `max_lag_s`: a bookmark that is older is worth a warning; 0: however old.
    """

    max_request_days: int = 366
    run_s: float = 30.0
    max_lag_s: float = 0.0


class ForwardRunnable:
    """Runs connectors. `clock` gives seconds since 1970."""

    def __init__(
        self,
        registry: ConnectorRegistry,
        bookmarks: Bookmarks,
        endpoints: ConnectorEndpoints,
        job_store: JobStore,
        limits: ForwardLimits,
        clock: Callable[[], float],
    ) -> None:
        self.registry = registry
        self.bookmarks = bookmarks
        self.limits = limits
        self._endpoints = endpoints
        self._job_store = job_store
        self._clock = clock
        self._checked: dict[str, str] = {}

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def exclusion_key(self, parameters: Mapping[str, Any]) -> str | None:
        return self._order(parameters).exclusion_key

    def validate(self, parameters: Mapping[str, Any]) -> None:
        order = self._order(parameters)
        connector = self.registry.get(order.connector)
        if order.lane.by_hand and not order.dry_run:
            state = self.bookmarks.get(order.connector)
            if state.stop is not None and state.is_stopped(connector.identity):
                raise InvalidParameter(
                    "connector",
                    f"The connector {order.connector!r} is stopped: {state.stop.message} "
                    f"Then resume it with POST /connector/{order.connector}/resume.",
                )

    def run(self, parameters: Mapping[str, Any], context: JobContext) -> Json:
        order = self._order(parameters)
        text = self.registry.text(order.connector)
        connector, upstream = checked(order.connector, text, self.registry.rules)
        state = self.bookmarks.get(order.connector)
        if state.stop is not None and not order.dry_run:
            if state.is_stopped(connector.identity):
                return _stopped(connector, state)
            self.bookmarks.resume(connector.name)
            context.log("info", "The configuration has changed since the connector was stopped. It runs again.")
        try:
            return self._run(order, connector, text.source, upstream, context)
        except BookmarkMoved:
            message = "Somebody set the bookmark. The next run begins there."
            context.log("info", message)
            return {"connector": connector.name, "state": "bookmark_moved", "message": message}
        except ConfigurationChanged as changed:
            context.log("info", changed.message)
            if order.lane.by_hand:
                # What somebody asked for goes on with the new configuration; a removed connector fails then.
                raise Yielded("the connector's configuration has changed") from None
            return {"connector": connector.name, "state": changed.state, "message": changed.message}
        except UpstreamStopped as stopped:
            # What was refused before may be refused again: a replay says nothing about new values.
            if order.lane is not Lane.REPLAY:
                log_failure(context.log, "error", stopped.message, stopped)
                self.bookmarks.stop(connector.name, stopped.code, stopped.message, connector.identity)
            raise

    def _run(
        self, order: Order, connector: Connector, source_text: SourceText, upstream: Upstream, context: JobContext
    ) -> Json:
        log = RunLog([context.log], self._clock).write
        with (
            self._endpoints.source(source_text, context, log) as source,
            self._endpoints.sink(upstream, context, log) as sink,
            WindowDelivery(connector, source, sink, context, self.bookmarks.letters).opened() as delivery,
        ):
            configured = partial(self.registry.identity, connector.name)
            run = ForwardRun(
                connector, delivery, self.bookmarks, context, log, self._clock, self.limits.run_s, configured
            )
            try:
                return self._lane(order, run, source)
            except FluxgateError as failure:
                raise run.save_after(failure) from failure.__cause__

    def _lane(self, order: Order, run: ForwardRun, source: Source) -> Json:
        if order.span is not None and not run.context.checkpoint:
            source.check()
        if order.lane is Lane.REPLAY:
            return run_replay(run)
        if order.span is not None:
            return run_dry(run, order.span) if order.dry_run else run_request(run, order.span)
        if order.lane is Lane.BACK_FILL:
            self._check(run.connector, source)
            return run_back_fill(run)
        check = partial(self._check, run.connector, source)
        return run_live(run, source.oldest_ns, lambda: self._order_back_fill(order.connector), check)

    def _check(self, connector: Connector, source: Source) -> None:
        """Ask the source whether it has what the connector names, once in this process for each configuration.

        Without that a wrong name would look like windows without values. Raises what the source raises.
        """
        if self._checked.get(connector.name) != connector.identity:
            source.check()
            self._checked[connector.name] = connector.identity

    def _order_back_fill(self, name: str) -> None:
        """Queue the back-fill of a connector, unless it is queued already."""
        parameters = {"connector": name, "lane": Lane.BACK_FILL.value}
        key = self.exclusion_key(parameters)
        self._job_store.enqueue(KIND, parameters, key, created_by="schedule")

    def _order(self, parameters: Mapping[str, Any]) -> Order:
        return Order.of(parameters, self.limits.max_request_days)


def _stopped(connector: Connector, state: ConnectorState) -> Json:
    assert state.stop is not None
    return {"connector": connector.name, "state": "stopped", "message": state.stop.message}
