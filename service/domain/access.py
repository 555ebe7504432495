"""Who may do what: scopes, and the principal that a key stands for."""

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


@dataclass(frozen=True)
class Principal:
    """The holder of a valid key. `buckets` absent: every bucket."""

    id: str
    name: str
    scopes: frozenset[Scope]
    buckets: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    def may_see(self, bucket: str) -> bool:
        return self.buckets is None or bucket in self.buckets
