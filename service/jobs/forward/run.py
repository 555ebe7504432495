"""What the lanes of a connector share: a run with its parts and counts, which makes way for others after a while."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from service.domain.durations import DAY_NS
from service.domain.forwarding import Position, count_windows, horizon_ns, windows_of
from service.domain.job import Json, Yielded
from service.domain.timerange import TimeRange, format_time
from service.errors import FluxgateError
from service.jobs.forward.bookmarks import Acceptance, Bookmarks
from service.jobs.forward.connector import Connector
from service.jobs.forward.connector_state import ConnectorState
from service.jobs.forward.counts import Counts
from service.jobs.forward.window_delivery import WindowDelivery
from service.jobs.protocol import JobContext
from service.transfer.run_log import Log

_LONGEST_SKIP_NS = 30 * DAY_NS
"""At most so much time without values is asked for at once."""


class ConfigurationChanged(Exception):
    """The connector was changed or removed while a run was under way. `state`: the outcome of the run in one word."""

    def __init__(self, connector: str, removed: bool) -> None:
        self.state = "removed" if removed else "configuration_changed"
        self.message = f"The source or the upstream of {connector!r} was changed. The next run uses the new ones."
        if removed:
            self.message = f"The connector {connector!r} was removed. It sends nothing any more."
        super().__init__(self.message)


@dataclass
class ForwardRun:
    """One run of one lane. `log` takes what people should know, and `clock` gives seconds since 1970.

    `longest_s`: after it the run makes way for other jobs. `configured`: the identity that the connector has now in the
    configuration; None: it was removed.
    """

    connector: Connector
    delivery: WindowDelivery
    bookmarks: Bookmarks
    context: JobContext
    log: Log
    clock: Callable[[], float]
    longest_s: float
    configured: Callable[[], str | None]
    windows: int = 0
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._began = self.clock()
        checkpoint = self.context.checkpoint
        self.windows = int(checkpoint.get("windows", 0))
        self.counts = Counts.of(checkpoint.get("counts", {}))
        self._unsaved = False
        self._doublings = 0

    @property
    def horizon_ns(self) -> int:
        """Where the newest window ends that is to be sent."""
        return horizon_ns(int(self.clock() * 1e9), self.connector.settle_ns, self.connector.window_ns)

    def note(self, acceptance: Acceptance) -> None:
        """Count a window that was sent."""
        self.windows += 1
        self.counts += acceptance.counts
        self._unsaved = True
        refused = acceptance.counts.refused
        if refused:
            time = format_time(acceptance.window.start_ns)
            self.log("warning", f"{time}: the upstream refused {refused} values. They are dead letters now.")

    def check(self, **members: int) -> None:
        """Look, before something is sent, whether it is to be sent. `members`: the place to keep if it is not.

        Raises what `context.check` raises, and ConfigurationChanged.
        """
        self.context.check()
        identity = self.configured()
        if identity != self.connector.identity:
            if members:
                self.save(**members)
            raise ConfigurationChanged(self.connector.name, removed=identity is None)

    def save(self, **members: int) -> None:
        """Keep the counts of this job and `members`. Members that were kept before stay."""
        counts = {"windows": self.windows, "counts": self.counts.as_document()}
        self.context.save({**self.context.checkpoint, **counts, **members})
        self._unsaved = False

    @property
    def is_over(self) -> bool:
        """Whether this run has lasted long enough."""
        return self.clock() - self._began >= self.longest_s

    def make_way(self, **members: int) -> None:
        """Raise Yielded when this run has lasted long enough. The job is queued again behind those that wait."""
        if self.is_over:
            self.save(**members)
            raise Yielded("it makes way for other jobs, and goes on where it is")

    def save_after(self, failure: FluxgateError) -> FluxgateError:
        """Keep what was done before `failure`, so that the next try does not count as one of many without success."""
        if self._unsaved:
            self.save()
        return failure

    def send_all(
        self,
        state: ConnectorState,
        pending: Callable[[ConnectorState], list[TimeRange]],
    ) -> ConnectorState:
        """Send what `pending` names, oldest first, until there is nothing left. Returns the state then.

        Each window is noted before the next is sent. Raises BookmarkMoved, ConfigurationChanged, Yielded, and what
        source and sink raise.
        """
        while spans := pending(state):
            acceptance = self._with_useful_digest(self.send_next(spans[0]))
            state = self.bookmarks.accept(self.connector.name, state.generation, [acceptance], self.clock())
            self.note(acceptance)
            left = count_windows(pending(state), self.connector.window_ns)
            self.context.progress(self.windows, self.windows + left, "windows")
            if left:
                self.make_way()
        return state

    def _with_useful_digest(self, acceptance: Acceptance) -> Acceptance:
        """`acceptance` without a digest where no look-back reaches any more, as in a backlog of years."""
        look_back_ns = self.connector.look_back_ns
        if look_back_ns is None or acceptance.window.stop_ns > int(self.clock() * 1e9) - look_back_ns:
            return acceptance
        return replace(acceptance, digest=None)

    def send_next(self, span: TimeRange) -> Acceptance:
        """Send the first window of `span`. After empty windows it may be a longer piece of `span` without values.

        Raises what `check`, source and sink raise.
        """
        self.check()
        first = next(windows_of([span], self.connector.window_ns))
        empty = self._empty_piece(span, first)
        if empty is not None:
            self._doublings += 1
            return Acceptance(empty, Counts())
        name, tried_at = self.connector.name, None
        if self.connector.keys_end:
            tried_at = self.bookmarks.try_window(name, first, self.clock())
        acceptance = self.delivery.send(first, tried_at)
        self._doublings = 0 if acceptance.counts.read else max(1, self._doublings)
        return acceptance

    def _empty_piece(self, span: TimeRange, first: TimeRange) -> TimeRange | None:
        """A piece of `span` that is longer than a window and has no values, so that gaps cost few reads.

        After each such piece the next one is twice as long; a piece with values is halved.
        """
        while self._doublings:
            length_ns = min(self.connector.window_ns << min(self._doublings, 40), _LONGEST_SKIP_NS)
            piece = TimeRange(first.start_ns, min(first.stop_ns + length_ns, span.stop_ns))
            if piece == first:
                return None
            if self.delivery.is_empty(piece):
                return piece
            self._doublings -= 1
        return None

    def result(self, outcome: str, position: Position | None, **members: object) -> Json:
        """The result of the job. `outcome`: what it says of itself in one word."""
        return {
            "connector": self.connector.name,
            "state": outcome,
            "windows": self.windows,
            "read": self.counts.read,
            "sent": self.counts.sent,
            "accepted": self.counts.accepted,
            "refused": self.counts.refused,
            "posts": self.counts.posts,
            "unknown": self.counts.unknown,
            "bookmark": None if position is None else format_time(position.bookmark_ns),
            **members,
        }
