"""Whether somebody runs the jobs: behind a broker that takes a worker, and no worker means that jobs only wait."""

import datetime as dt
import threading
from collections.abc import Callable

from service.domain.roles import Role
from service.state.processes import ProcessStore

_FRESH_FOR_S = 5.0
_ADVICE = "Queued jobs wait. Start one: fluxgate worker."


class WorkerWatch:
    """Looks for workers, at most every five seconds. `clock` gives seconds since 1970.

    `needs_workers`: whether jobs go to workers. Otherwise this process runs them, and nothing is ever missing.
    """

    def __init__(self, store: ProcessStore, clock: Callable[[], float], needs_workers: bool) -> None:
        self._store = store
        self._clock = clock
        self._needs_workers = needs_workers
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._warning: str | None = None

    def warning(self) -> str | None:
        """That no worker is alive, since when, and what to do. Raises NotReady."""
        if not self._needs_workers:
            return None
        with self._lock:
            now = self._clock()
            if not 0 <= now - self._asked_at < _FRESH_FOR_S:
                self._warning = self._asked()
                self._asked_at = now
            return self._warning

    def _asked(self) -> str | None:
        workers = self._store.presence()[Role.WORKER]
        if workers.alive:
            return None
        if workers.seen_at is None:
            return f"No worker has been alive yet. {_ADVICE}"
        since = dt.datetime.fromtimestamp(int(workers.seen_at), dt.UTC).isoformat().replace("+00:00", "Z")
        return f"No worker alive since {since}. {_ADVICE}"
