"""Who may do what: scopes, and the principal that a key stands for.

A key that is limited to buckets holds no right that reaches past them, whatever its scopes say. That is decided
here alone, for keys that are made now and for those that the database holds already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a key may be allowed to do. Each route names the one it needs."""

    READ = "read"
    WRITE = "write"
    MIRROR = "mirror"
    BACKUP = "backup"
    RESTORE = "restore"
    CONNECTOR = "connector"
    ADMIN = "admin"


BUCKET_SCOPES = frozenset({Scope.READ, Scope.WRITE})
"""What can be limited to buckets. Every other scope, also one that comes later, reaches past any list of them."""


def beyond_buckets(scopes: Iterable[Scope]) -> list[Scope]:
    """Those of `scopes` that a key limited to buckets does not hold, in alphabetical order."""
    return sorted(set(scopes) - BUCKET_SCOPES)


@dataclass(frozen=True)
class Principal:
    """The holder of a valid key. `buckets` absent: every bucket."""

    id: str
    name: str
    scopes: frozenset[Scope]
    buckets: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Has the scope, and is not kept to some buckets when the scope reaches past them."""
        return scope in self.scopes and (self.buckets is None or scope in BUCKET_SCOPES)

    def may_see(self, bucket: str) -> bool:
        return self.buckets is None or bucket in self.buckets
