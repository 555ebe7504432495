"""Looks up the newest telemetry once for all who listen to the same, and only while somebody listens.

A topic is one question with the buckets that its listeners may see. Keys with the same rights share it, and no others.
All of this belongs to one event loop; the look-ups run in threads.
"""

import asyncio
import contextvars
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

import anyio
import structlog

from service.api.client_disconnect import cancel_in_thread
from service.api.telemetry_listeners import Listener, Topic
from service.cache.cancel_token import CancelToken
from service.domain.access import Principal, Scope
from service.domain.backoff import wait_s
from service.errors import FluxgateError, TooManyListeners
from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_changes import Snapshot
from service.shares import Full, Reserve, Shares, share_of_key

_log = structlog.get_logger(__name__)
_LONGEST_WAIT_S = 30.0
"""The longest pause after failed look-ups, so that a store that is back is noticed soon."""
_KEPT_S = 60.0
"""How long a topic without listeners is remembered, so that one who comes back is sent the changes alone."""
_RETRY_AFTER_S = 10.0
_READER = "telemetry stream"
"""Stands for the key of look-ups, which belong to many keys, where shares of keys are counted."""


@dataclass(frozen=True)
class StreamLimits:
    """`interval_s`: between look-ups. `document_bytes`: of the largest answer. The others: most at one time."""

    interval_s: float
    listeners: int
    listeners_per_key: int
    questions: int
    document_bytes: int


@dataclass(frozen=True)
class LookupResult:
    """What a look-up gave: the next snapshot, what to note beside it, and how old it was already, in seconds."""

    snapshot: Snapshot
    notes: bytes
    age_s: float


Lookup = Callable[[Snapshot, Principal, bool, CancelToken], Awaitable[LookupResult]]
"""Asks the question of the snapshot for a principal. With True the next snapshot has a new number in any case."""


@dataclass(eq=False)
class _Poller:
    """The look-ups for one topic. `is_awaited`: somebody came, and the pause after a failure is cut short.

    `woken`: listeners came or left, so the poller decides again how long it waits.
    """

    topic: Topic
    task: asyncio.Task[None] | None = None
    token: CancelToken = field(default_factory=CancelToken)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_awaited: bool = False
    begun_at: float = float("-inf")
    idle_since: float = 0.0


class TelemetryTopics:
    """All topics of a process. `clock`: monotonic seconds. `chance` gives numbers in [0, 1)."""

    def __init__(
        self,
        lookup: Lookup,
        limits: StreamLimits,
        on_round: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._lookup = lookup
        self._limits = limits
        self._on_round = on_round
        self._clock = clock
        self._chance = chance
        self._listeners = Shares(limits.listeners, limits.listeners_per_key)
        self._pollers: dict[tuple[LatestQuestion, frozenset[str] | None], _Poller] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._listeners.taken

    def join(self, question: LatestQuestion, principal: Principal, last_event_id: str | None) -> Listener:
        """Listen to `question`, after the event of that id. Whoever joins calls `leave` at the end.

        Raises TooManyListeners.
        """
        full = self._listeners.take(principal.id)
        if full is not None:
            raise self._refusal(full)
        try:
            poller = self._poller(question, principal)
        except TooManyListeners:
            self._listeners.give_back(principal.id)
            raise
        if not poller.topic.listeners:
            poller.topic.revived()
            poller.is_awaited = True
            poller.woken.set()
        listener = Listener(poller.topic, principal, last_event_id)
        poller.topic.listeners.add(listener)
        if poller.task is None:
            poller.task = self._start(self._poll(poller))
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no longer. The last one ends the look-ups, also one that is under way."""
        self._listeners.give_back(listener.principal.id)
        listener.topic.listeners.discard(listener)
        if listener.topic.listeners:
            return
        poller = next(each for each in self._pollers.values() if each.topic is listener.topic)
        poller.idle_since = since = self._clock()
        poller.woken.set()
        self._start(cancel_in_thread(poller.token.cancel))
        asyncio.get_running_loop().call_later(_KEPT_S, self._forget, poller, since)

    def _poller(self, question: LatestQuestion, principal: Principal) -> _Poller:
        """The poller of a topic that is there, or a new one. Raises TooManyListeners."""
        name = (question, principal.buckets)
        known = self._pollers.get(name)
        topics = {each.topic for each in self._pollers.values() if each.topic.is_heard_by(principal.id)}
        most = share_of_key(self._limits.questions, Reserve.HALF)
        if (known is None or known.topic not in topics) and len(topics) >= most:
            raise _refused(f"This key listens to {most} different questions, its share (TELEMETRY_STREAM_QUESTIONS).")
        if known is not None:
            return known
        if len(self._pollers) >= self._limits.questions:
            self._drop_idle()
        reader = Principal(_READER, _READER, frozenset({Scope.READ}), principal.buckets)
        poller = self._pollers[name] = _Poller(Topic(Snapshot(question), reader))
        return poller

    def _drop_idle(self) -> None:
        """Drop the topic that nobody has listened to for longest. Raises TooManyListeners when all are listened to."""
        idle = [poller for poller in self._pollers.values() if not poller.topic.listeners]
        if not idle:
            most = self._limits.questions
            raise _refused(f"The open streams ask {most} different questions (TELEMETRY_STREAM_QUESTIONS).")
        self._remove(min(idle, key=lambda poller: poller.idle_since))

    def _forget(self, poller: _Poller, since: float) -> None:
        """Remove a topic that nobody has listened to since then."""
        if not poller.topic.listeners and poller.idle_since == since:
            self._remove(poller)

    def _remove(self, poller: _Poller) -> None:
        self._pollers = {name: each for name, each in self._pollers.items() if each is not poller}

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run `work` in a task of its own, whose log lines name no request: it outlives the one that began it."""
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _poll(self, poller: _Poller) -> None:
        """Look up until nobody listens."""
        due_at = poller.begun_at + self._limits.interval_s
        while await self._is_due(poller, due_at):
            poller.begun_at, poller.is_awaited = self._clock(), False
            pause_s = await self._round(poller)
            due_at = self._clock() + pause_s
            poller.topic.wake()
        poller.task = None

    async def _is_due(self, poller: _Poller, due_at: float) -> bool:
        """Wait until `due_at`, and say whether anybody listens then; at once when nobody does.

        Whoever comes to a topic without listeners waits for no longer than the usual pause.
        """
        while poller.topic.listeners:
            earliest_at = min(due_at, poller.begun_at + self._limits.interval_s)
            wait_for_s = (earliest_at if poller.is_awaited else due_at) - self._clock()
            if wait_for_s <= 0:
                return True
            poller.woken.clear()
            with anyio.move_on_after(wait_for_s):
                await poller.woken.wait()
        return False

    async def _round(self, poller: _Poller) -> float:
        """Look up once, and say how many seconds to wait before the next time."""
        topic, poller.token = poller.topic, CancelToken()
        try:
            result = await self._lookup(topic.snapshot, topic.reader, topic.failure is not None, poller.token)
        except FluxgateError as error:
            return self._failed(poller, error)
        except Exception as broken:  # noqa: BLE001  (listeners are told, and the next look-up may work)
            _log.error("unexpected error of a telemetry stream", exc_info=broken)
            return self._failed(poller, FluxgateError("Something unexpected went wrong. The log says more."))
        self._on_round("answered")
        if topic.failure is not None:
            _log.info("telemetry can be read again for its listeners", listeners=len(topic.listeners))
        topic.answered(result.snapshot, result.notes)
        interval_s, took_s = self._limits.interval_s, self._clock() - poller.begun_at
        return max(interval_s - took_s - result.age_s, took_s, interval_s / 20)

    def _failed(self, poller: _Poller, error: FluxgateError) -> float:
        topic = poller.topic
        if poller.token.cancelled:  # everybody had left, and somebody may have come meanwhile
            return poller.begun_at + self._limits.interval_s - self._clock()
        self._on_round("failed")
        wait_for_s = failure_pause_s(topic.failures + 1, self._limits.interval_s, self._chance())
        if topic.failure is None or topic.failure.code != error.code:
            listeners = len(topic.listeners)
            _log.warning("listeners get no telemetry", code=error.code, detail=error.message, listeners=listeners)
        topic.failed(error, wait_for_s)
        return wait_for_s

    def _refusal(self, full: Full) -> TooManyListeners:
        if full is Full.ALL:
            return _refused(f"All {self._limits.listeners} streams of telemetry (TELEMETRY_STREAM_LISTENERS) are open.")
        most = self._limits.listeners_per_key
        return _refused(f"This key has {most} open streams of telemetry (TELEMETRY_STREAM_LISTENERS_PER_KEY).")


def failure_pause_s(failures: int, interval_s: float, chance: float) -> float:
    """Seconds before the next look-up after so many failures in a row: more each time, and never less than usual."""
    return max(interval_s, min(_LONGEST_WAIT_S, wait_s(failures, chance)))


def _refused(finding: str) -> TooManyListeners:
    return TooManyListeners(f"{finding} Close one, or ask GET /telemetry/latest now and then.", _RETRY_AFTER_S)
