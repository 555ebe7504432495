"""How posts prove who sends them. Secrets never show in the `repr` of a value."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class NoAuth:
    """Nothing is sent."""


@dataclass(frozen=True)
class HeaderAuth:
    """A header with a value that does not change: `Authorization` with a bearer token or a password, or another."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class UrlAuth:
    """A token that stands in the path, where the address has `{token}`."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class OAuth2:
    """Client credentials (RFC 6749, 4.4): `url` gives access tokens, which are sent as bearer tokens."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    audience: str | None = None


NO_AUTH = NoAuth()
Auth = NoAuth | HeaderAuth | UrlAuth | OAuth2


@dataclass(frozen=True)
class ClientCertificate:
    """Files in PEM form that TLS proves the sender with."""

    certificate: Path
    key: Path
    password: str | None = field(default=None, repr=False)
