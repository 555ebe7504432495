"""Calls addresses at the start and at the end of backups: for a dead man's switch, which notices silence.

A ping that fails changes nothing about the backup; the log says so. Addresses hold secrets, and appear nowhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
import structlog

from service.archive.manifest import BackupState
from service.domain.job import JobState
from service.jobs.kind import JobEnd

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
    """`client` follows no redirects. `sleep` waits between tries. `log_lines` gives the end of a job's log."""

    def __init__(
        self,
        addresses: PingAddresses,
        client: Callable[[], httpx.Client],
        sleep: Callable[[float], None],
        log_lines: Callable[[str], Sequence[str]],
    ) -> None:
        self._addresses = addresses
        self._client = client
        self._sleep = sleep
        self._log_lines = log_lines

    def started(self) -> None:
        """A backup begins."""
        self._send("start", self._addresses.start, "")

    def ended(self, end: JobEnd) -> None:
        """A job of the kind `backup` has ended for good. Called once for each."""
        outcome = end.outcome or {}
        is_complete = end.state is JobState.SUCCEEDED and outcome.get("state") == BackupState.COMPLETE.value
        name, address = ("success", self._addresses.success) if is_complete else ("failure", self._addresses.failure)
        lines = [
            f"backup {outcome.get('backup', '')} {outcome.get('state', end.state.value)}",
            f"job {end.job_id}, {end.seconds:.0f} s",
            str(outcome.get("message", "")),
            *self._log_lines(end.job_id),
        ]
        self._send(name, address, "\n".join(filter(None, lines))[:_MOST_BODY])

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
