"""What is known of a topic of telemetry, and what each of its listeners has been sent of it.

A listener costs a few numbers: its events are made when it can take them, from what is known then. So one that reads
slowly is sent the newest values and misses the steps between, and nothing is queued for it.
"""

import asyncio
import re
import secrets

import orjson

from service.domain.access import Principal, Scope
from service.errors import FluxgateError
from service.reads.telemetry_changes import Snapshot

_EVENT_ID = re.compile(r"([0-9a-f]{8})\.([0-9]{1,17})", re.ASCII)
_NO_NOTES = b"{}"
_MOST_SHARED = 4
"""Events of one snapshot that are kept for other listeners: those who read in time need the same one or two."""
_MOST_COMPARED = 100_000
"""Values that are looked at for the changes of one snapshot. Beyond it, who is behind is sent everything."""


def event(name: str, data: bytes, event_id: str = "") -> bytes:
    """A server-sent event (WHATWG HTML, 9.2) with JSON in one line."""
    head = f"event: {name}\n" + (f"id: {event_id}\n" if event_id else "")
    return b"".join((head.encode(), b"data: ", data, b"\n\n"))


class Topic:
    """What is known of the answer to a question, as `reader` may see it, and who listens.

    `is_current`: the snapshot is of the last look-up. `failure`: why that one failed, the last of `failures` in a row.
    """

    def __init__(self, snapshot: Snapshot, reader: Principal) -> None:
        self.snapshot = snapshot
        self.reader = reader
        self.notes = _NO_NOTES
        self.listeners: set[Listener] = set()
        self.is_current = False
        self.failure: FluxgateError | None = None
        self.failures = 0
        self.failed_rounds = 0
        self._epoch = secrets.token_hex(4)
        self._pause_s = 0.0
        self._shared: dict[int, bytes] = {}
        self._compared = 0

    def is_heard_by(self, key_id: str) -> bool:
        """Whether a key listens."""
        return any(listener.principal.id == key_id for listener in self.listeners)

    def answered(self, snapshot: Snapshot, notes: bytes) -> None:
        """Take the answer of a look-up."""
        if snapshot.number != self.snapshot.number:
            self._shared, self._compared = {}, 0
        self.snapshot, self.notes, self.is_current = snapshot, notes, True
        self.failure, self.failures = None, 0

    def failed(self, failure: FluxgateError, pause_s: float) -> None:
        """Take the failure of a look-up; the next one is after `pause_s`."""
        self.failure, self.is_current, self._pause_s = failure, False, pause_s
        self.failures += 1
        self.failed_rounds += 1

    def revived(self) -> None:
        """Somebody listens again: what was known before does not count until the next look-up."""
        self.is_current, self.failure, self.failures = False, None, 0

    def wake(self) -> None:
        """Tell the listeners that there may be news."""
        for listener in self.listeners:
            listener.woken.set()

    def number_of(self, event_id: str | None) -> int:
        """The snapshot that an event's id stands for; 0 for an id that is not of this topic."""
        match = _EVENT_ID.fullmatch(event_id or "")
        return int(match[2]) if match and match[1] == self._epoch else 0

    def values_since(self, number: int) -> bytes:
        """The event that leads from snapshot `number` to the one of now: what changed, or everything.

        Listeners who are further behind may each need other changes. So that many of them cannot hold up the loop,
        these are made only as long as that looks at few values.
        """
        snapshot = self.snapshot
        if number not in self._shared and not self._has_changes_for(number):
            number = 0
        if number not in self._shared:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.pop(next(iter(self._shared)))
            self._compared += len(snapshot.leaves) if number else 0
            changes, event_id = snapshot.changes_since(number), f"{self._epoch}.{snapshot.number}"
            name, data = ("state", snapshot.document) if changes is None else ("change", changes)
            self._shared[number] = event(name, data, event_id)
        return self._shared[number]

    def _has_changes_for(self, number: int) -> bool:
        is_affordable = self._compared + len(self.snapshot.leaves) <= _MOST_COMPARED
        return self.snapshot.knows(number) and (is_affordable or number == self.snapshot.number - 1)

    def problem(self, sees_upstream: bool) -> bytes:
        """The event that tells of the failure, which there is."""
        failure = self.failure
        if failure is None:
            raise ValueError("no look-up failed")
        upstream = {"upstream": failure.upstream} if failure.upstream and sees_upstream else {}
        members = {**failure.extra, **upstream, "code": failure.code, "detail": failure.message}
        return event("problem", orjson.dumps({**members, "retry_in_s": round(self._pause_s, 1)}))


class Listener:
    """One open stream. `last_event_id`: of the last event that the client received before it came back."""

    def __init__(self, topic: Topic, principal: Principal, last_event_id: str | None) -> None:
        self.topic = topic
        self.principal = principal
        self.woken = asyncio.Event()
        if topic.is_current or topic.failure is not None:
            self.woken.set()
        self._number = topic.number_of(last_event_id)
        self._notes = None if self._number else _NO_NOTES
        self._failed_rounds = topic.failed_rounds - (topic.failure is not None)

    def due(self) -> list[bytes]:
        """The events that the client has to be sent now. They are not joined, as listeners share the large ones."""
        topic, events = self.topic, list[bytes]()
        if topic.failure is not None and self._failed_rounds != topic.failed_rounds:
            events.append(topic.problem(self.principal.may(Scope.ADMIN)))
            self._failed_rounds = topic.failed_rounds
        if topic.is_current and self._number != topic.snapshot.number:
            events.append(topic.values_since(self._number))
            self._number = topic.snapshot.number
        if topic.is_current and self._notes != topic.notes:
            events.append(event("notes", topic.notes))
            self._notes = topic.notes
        return events
