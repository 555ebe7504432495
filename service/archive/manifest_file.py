"""The bytes of a manifest: canonical JSON under a SHA-256 of its own, and an HMAC where a key is set.

Exactly one sequence of bytes is right for a manifest, so that any change of the file is noticed: by chance through the
checksum, by intent through the HMAC, which only who has the key can make.
"""

import hashlib
import hmac
import json

from service.archive.json_members import Members
from service.archive.manifest import Manifest
from service.archive.manifest_document import Document, document_of, manifest_of
from service.errors import BackupDamaged

LARGEST_MANIFEST_BYTES = 256 * 1024 * 1024
"""About 500,000 slices."""
_PURPOSE = b"fluxgate backup manifest\n"


def manifest_bytes(manifest: Manifest, key: bytes | None = None) -> bytes:
    """What `read_manifest` reads back. With `key` (16 bytes or more) it carries an HMAC."""
    document = document_of(manifest)
    body = canonical(document)
    seal = {"sha256": hashlib.sha256(body).hexdigest(), "hmac_sha256": "" if key is None else _hmac(body, key)}
    return canonical({**document, "seal": seal})


def read_manifest(content: bytes, path: str, key: bytes | None = None) -> Manifest:
    """The manifest in the file `path`. With `key` one without the right HMAC is refused; without it none is looked at.

    Raises:
        BackupDamaged: it is no manifest, was changed, says what cannot be, or is of an unknown version.
    """
    try:
        document = _parsed(content)
        with Members(document.pop("seal", None), "seal") as members:
            sha256, signature = members.text("sha256"), members.text("hmac_sha256")
        body = canonical(document)
        if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), sha256.encode()):
            raise ValueError("its SHA-256 is not the one that it names: it was changed or cut")
        if canonical({**document, "seal": {"sha256": sha256, "hmac_sha256": signature}}) != content:
            raise ValueError("it is not written as manifests are: it was changed")
        if key is not None and not hmac.compare_digest(_hmac(body, key).encode(), signature.encode()):
            raise ValueError("its HMAC is missing, or was made with another key: it may have been forged")
        return manifest_of(document)
    except (ValueError, RecursionError) as reason:
        raise BackupDamaged(path, str(reason) or "it is nested too deeply") from None


def canonical(document: Document) -> bytes:
    """JSON with sorted members, ASCII, one space of indentation, and a line feed at the end."""
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def _parsed(content: bytes) -> Document:
    if len(content) > LARGEST_MANIFEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_MANIFEST_BYTES} bytes")
    try:
        document = json.loads(content.decode("ascii"))
    except ValueError:
        raise ValueError("it is no JSON, or was cut") from None
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _hmac(body: bytes, key: bytes) -> str:
    return hmac.new(key, _PURPOSE + body, hashlib.sha256).hexdigest()
