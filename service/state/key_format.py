"""The text of an API key: `fg_<id>_<secret>_<checksum>`.

The id finds the row, 256 random bits are the secret, and the checksum tells a typing error from a wrong key without a
query. SHA-256 is enough for random bits; a slow hash would only let strangers use up the processor.
"""

import binascii
import hashlib
import secrets


def new_key() -> tuple[str, str]:
    """A random id, and a random key with it."""
    key_id, secret = secrets.token_hex(4), secrets.token_hex(32)
    body = f"fg_{key_id}_{secret}"
    return key_id, f"{body}_{_checksum(body)}"


def hash_of(key: str) -> bytes:
    """What is kept of a key: 32 bytes."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def id_of(presented: str) -> str | None:
    """The id in a key; None for a text whose form or checksum is not that of a key."""
    body, _, checksum = presented.rpartition("_")
    parts = body.split("_")
    if len(parts) != 3 or parts[0] != "fg" or not presented.isascii() or _checksum(body) != checksum:
        return None
    return parts[1]


def has_key_format(presented: str | None) -> bool:
    """Whether form and checksum are those of a key. Only the database knows whether it is one."""
    return id_of(presented or "") is not None


def _checksum(body: str) -> str:
    return f"{binascii.crc32(body.encode()):08x}"
