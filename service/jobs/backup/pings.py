"""Calls addresses at the start and at the end of backups: for a dead man's switch, which notices silence.

A ping that fails changes nothing about the backup; the log says so. Addresses hold secrets, and appear nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import structlog

from service.domain.job import Job, JobState, Json

_log = structlog.get_logger(__name__)
_TIMEOUT_S = 10.0
_TRIES = 3
_MOST_BODY = 10_000


@dataclass(frozen=True)
class PingAddresses:
    """Absent: that ping is not sent."""

    start: str | None = field(default=None, repr=False)
    success: str | None = field(default=None, repr=False)
    failure: str | None = field(default=None, repr=False)


class Pings:
    """`client` has its time-outs; redirects are not followed. `sleep` waits between tries; `clock` gives seconds."""

    def __init__(
        self,
        addresses: PingAddresses,
        client: Callable[[], httpx.Client],
        sleep: Callable[[float], None],
    ) -> None:
        self._addresses = addresses
        self._client = client
        self._sleep = sleep

    def started(self) -> None:
        """A backup begins."""
        self._send("start", self._addresses.start, "")

    def ended(self, job: Job, state: JobState, outcome: Json, lines: list[str]) -> None:
        """A job of the kind `backup` has ended for good. Called once for each job.

        `outcome`: its result or its error. `lines`: the end of its log.
        """
        is_complete = state is JobState.SUCCEEDED and outcome.get("state") == "complete"
        name, address = ("success", self._addresses.success) if is_complete else ("failure", self._addresses.failure)
        told = outcome.get("message") or outcome.get("state") or ""
        duration = "" if job.started_at is None or job.finished_at is None else f"{job.finished_at - job.started_at:.0f} s"
        head = f"backup {state.value} {told}".strip()
        self._send(name, address, "\n".join([head, f"job {job.id}", duration, "", *lines])[:_MOST_BODY])

    def _send(self, name: str, address: str | None, body: str) -> None:
        if address is None:
            return
        for attempt in range(_TRIES):
            try:
                with self._client() as client:
                    answer = client.post(address, content=body.encode(), timeout=_TIMEOUT_S)
                if answer.is_success:
                    return
                reason = f"it answered {answer.status_code}"
            except httpx.HTTPError as failed:
                reason = type(failed).__name__
            if attempt < _TRIES - 1:
                self._sleep(2.0**attempt)
        _log.warning("a ping of backups was not taken", ping=name, reason=reason)
