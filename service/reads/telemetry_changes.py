"""What a listener of the latest telemetry has to be sent: everything, or what changed since it was last sent something.

A snapshot knows of each value when it last changed. So a listener costs one number, however slowly it reads: values
that changed several times meanwhile are sent once, as they are now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import orjson

from service.reads.telemetry import LatestQuestion
from service.reads.telemetry_leaves import Leaves, Path, change_document, leaves_of, moment_of, same

MOST_REMOVED = 10_000
"""Removed values that are remembered. With more, who asks for older changes is sent everything."""


@dataclass(frozen=True)
class Snapshot:
    """The answer to a question at one moment. `number` counts the changes; `document` is the whole answer.

    `known_since`: the oldest number whose later changes are all known. `last_changes`: what differs from the snapshot
    before, made along with this one, so that whoever reads in time costs no work later.
    """

    question: LatestQuestion
    document: bytes = b""
    number: int = 0
    ts: int = 0
    leaves: Leaves = field(default_factory=dict)
    changed_at: Mapping[Path, int] = field(default_factory=dict)
    removed_at: Mapping[Path, int] = field(default_factory=dict)
    known_since: int = 0
    last_changes: bytes | None = None

    def followed_by(self, document: bytes, now_ms: int, forced: bool = False) -> "Snapshot":
        """The snapshot after this one. It has the same number when no value differs, unless `forced`.

        `now_ms`: the time of an answer that says none.
        """
        parsed = orjson.loads(document)
        leaves, ts = leaves_of(self.question, parsed), moment_of(self.question, parsed, now_ms)
        known = self.leaves
        changed = [path for path, value in leaves.items() if not (path in known and same(value, known[path]))]
        removed = known.keys() - leaves.keys()
        if not (changed or removed or forced or not self.number):
            return replace(self, document=document, ts=ts, leaves=leaves, last_changes=None)
        number = self.number + 1
        changed_at = {path: self.changed_at.get(path, number) for path in leaves} | dict.fromkeys(changed, number)
        removed_at = {path: at for path, at in self.removed_at.items() if path not in leaves}
        removed_at |= dict.fromkeys(sorted(removed), number)
        known_since = self.known_since
        if len(removed_at) > MOST_REMOVED:
            removed_at, known_since = {}, number
        snapshot = Snapshot(self.question, document, number, ts, leaves, changed_at, removed_at, known_since)
        return replace(snapshot, last_changes=snapshot.changes_since(number - 1))

    def knows(self, number: int) -> bool:
        """Whether the changes after snapshot `number` are known."""
        return self.known_since <= number <= self.number and number > 0

    def changes_since(self, number: int) -> bytes | None:
        """What changed after snapshot `number`, as a JSON document; None: it is not known any more, or never was."""
        if not self.knows(number):
            return None
        if number == self.number - 1 and self.last_changes is not None:
            return self.last_changes
        changed = {path: self.leaves[path] for path, at in self.changed_at.items() if at > number}
        removed = [path for path, at in self.removed_at.items() if at > number]
        return orjson.dumps(change_document(self.question, self.ts, self.leaves, changed, removed))
