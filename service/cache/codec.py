"""A whole answer in one value: when it was made, its headers, its body. `unpack` takes no other bytes for an answer."""

import hashlib
import json
import math
from dataclasses import dataclass

_MAGIC = b"fga1"


@dataclass(frozen=True)
class StoredAnswer:
    """An answer as the cache keeps it. `made_at`: seconds since 1970, when the store was asked. `fresh_until`: when its
    life is over; after that it may still be served, as stale.
    """

    made_at: float
    headers: dict[str, str]
    body: memoryview
    digest: str = ""
    """Of the body; empty in a value that an older version packed."""
    fresh_until: float = math.inf
    """Infinite where the cache forgets it then."""

    def is_fresh(self, now: float) -> bool:
        return now <= self.fresh_until


def pack(made_at: float, headers: dict[str, str], chunks: list[bytes], fresh_until: float = math.inf) -> bytes:
    """One value of an answer; `unpack` reads it back."""
    digest = hashlib.blake2b(digest_size=12)
    for chunk in chunks:
        digest.update(chunk)
    members = {"at": made_at, "headers": headers, "size": sum(map(len, chunks)), "digest": digest.hexdigest()}
    if fresh_until != math.inf:
        members["fresh_until"] = fresh_until
    head = json.dumps(members).encode()
    return b"".join([_MAGIC, len(head).to_bytes(4, "big"), head, *chunks])


def unpack(value: bytes) -> StoredAnswer | None:
    """The answer; None when `value` is not what `pack` made, or only a part of it."""
    if value[:4] != _MAGIC or len(value) < 8:
        return None
    end = 8 + int.from_bytes(value[4:8], "big")
    try:
        head = json.loads(value[8:end])
        made_at, headers, size = float(head["at"]), dict(head["headers"]), int(head["size"])
        digest, fresh_until = str(head.get("digest", "")), float(head.get("fresh_until", math.inf))
    except (ValueError, KeyError, TypeError):
        return None
    if len(value) - end != size or not all(isinstance(text, str) for pair in headers.items() for text in pair):
        return None
    return StoredAnswer(made_at, headers, memoryview(value)[end:], digest, fresh_until)
