"""Scopes, and the principal that a key stands for: who may do what.

A key that is limited to buckets has no right that reaches beyond them, whatever its scopes say. Only this module
decides that, for new keys and for keys that the database already holds.
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
"""Scopes that can be limited to buckets. Every other scope, also a future one, reaches beyond any list of buckets."""


def beyond_buckets(scopes: Iterable[Scope]) -> list[Scope]:
    """Those of `scopes` that a key limited to buckets cannot have, in alphabetical order."""
    return sorted(set(scopes) - BUCKET_SCOPES)


@dataclass(frozen=True)
class Principal:
    """The holder of a valid key. `buckets` None: every bucket."""

    id: str
    name: str
    scopes: frozenset[Scope]
    buckets: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it has the scope. A principal limited to buckets never has one that reaches beyond them."""
        return scope in self.scopes and (self.buckets is None or scope in BUCKET_SCOPES)

    def may_see(self, bucket: str) -> bool:
        return self.buckets is None or bucket in self.buckets
