"""How posts prove who sends them, as people write it in the configuration of an upstream.

A secret is written itself, and then never shown, or as the name of a variable that holds it (`token_env`).
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from service.config.validation_errors import VARIANT
from service.errors import InvalidParameter
from service.upstream.auth import Auth, ClientCertificate, HeaderAuth, NoAuth, OAuth2, UrlAuth
from service.upstream.rules import UpstreamRules

_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", re.ASCII)
_MOST_FILE_BYTES = 1_000_000
HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"
RESERVED_HEADERS = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te", "upgrade"}
)
"""Headers that the gateway writes itself, in lower case."""
Secret = Annotated[str | None, Field(min_length=1, max_length=4000)]
Variable = Annotated[str | None, Field(max_length=200, pattern=_VARIABLE)]


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


_AnyText = TypeVar("_AnyText", bound=_Text)


class NoAuthText(_Text):
    """Nothing is sent."""

    kind: Literal["none"] = "none"

    def to_auth(self, rules: UpstreamRules) -> Auth:
        return NoAuth()


class _TokenText(_Text):
    token: Secret = None
    token_env: Variable = None

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        return _with_one(self, "token")

    def _value(self, rules: UpstreamRules) -> str:
        return sendable(rules.secret(self.token, self.token_env, "auth.token"), "auth.token")


class BearerText(_TokenText):
    """`Authorization: Bearer`, with the token."""

    kind: Literal["bearer"]

    def to_auth(self, rules: UpstreamRules) -> Auth:
        return HeaderAuth("Authorization", f"Bearer {self._value(rules)}")


class HeaderText(_TokenText):
    """A header of any name, whose value is the token."""

    kind: Literal["header"]
    name: str = Field(pattern=HEADER_NAME)

    def to_auth(self, rules: UpstreamRules) -> Auth:
        if self.name.lower() in RESERVED_HEADERS:
            raise InvalidParameter("auth.name", f"The gateway writes the header {self.name} itself. Name another one.")
        return HeaderAuth(self.name, self._value(rules))


class UrlTokenText(_TokenText):
    """A token in the path of the address, where that has `{token}`."""

    kind: Literal["url"]

    def to_auth(self, rules: UpstreamRules) -> Auth:
        return UrlAuth(quote(self._value(rules), safe=""))


class BasicText(_Text):
    """`Authorization: Basic` (RFC 7617), in UTF-8."""

    kind: Literal["basic"]
    user: str = Field(max_length=1000, pattern=r"^[^:\x00-\x1f\x7f]*$")
    password: Secret = None
    password_env: Variable = None

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        return _with_one(self, "password")

    def to_auth(self, rules: UpstreamRules) -> Auth:
        password = rules.secret(self.password, self.password_env, "auth.password")
        return HeaderAuth("Authorization", f"Basic {base64.b64encode(f'{self.user}:{password}'.encode()).decode()}")


class OAuth2Text(_Text):
    """OAuth 2.0 client credentials (RFC 6749, 4.4). `url` is the token endpoint."""

    kind: Literal["oauth2"]
    url: str = Field(max_length=500)
    client_id: str = Field(min_length=1, max_length=1000)
    client_secret: Secret = None
    client_secret_env: Variable = None
    scope: str | None = Field(None, max_length=1000)
    audience: str | None = Field(None, max_length=1000)

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        return _with_one(self, "client_secret")

    def to_auth(self, rules: UpstreamRules) -> Auth:
        secret = rules.secret(self.client_secret, self.client_secret_env, "auth.client_secret")
        return OAuth2(rules.url(self.url, "auth.url"), self.client_id, secret, self.scope, self.audience)


def _form_of_auth(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return f"{VARIANT}{kind}" if isinstance(kind, str) and kind in _KINDS else None


_KINDS = ("none", "bearer", "basic", "header", "url", "oauth2")
AuthText = Annotated[
    Annotated[NoAuthText, Tag(f"{VARIANT}none")]
    | Annotated[BearerText, Tag(f"{VARIANT}bearer")]
    | Annotated[BasicText, Tag(f"{VARIANT}basic")]
    | Annotated[HeaderText, Tag(f"{VARIANT}header")]
    | Annotated[UrlTokenText, Tag(f"{VARIANT}url")]
    | Annotated[OAuth2Text, Tag(f"{VARIANT}oauth2")],
    Discriminator(_form_of_auth, "kind", f"write an object whose kind is one of {', '.join(_KINDS)}"),
]


class ClientCertificateText(_Text):
    """Files on the gateway's machine, in PEM form."""

    cert_file: str = Field(min_length=1, max_length=1000)
    key_file: str = Field(min_length=1, max_length=1000)
    password: Secret = None
    password_env: Variable = None

    def to_certificate(self, rules: UpstreamRules) -> ClientCertificate:
        if self.password is not None and self.password_env is not None:
            raise InvalidParameter("client_certificate.password", "Give password or password_env, not both.")
        has_password = self.password is not None or self.password_env is not None
        member = "client_certificate.password"
        password = rules.secret(self.password, self.password_env, member) if has_password else None
        certificate = existing_file(self.cert_file, "client_certificate.cert_file")
        return ClientCertificate(certificate, existing_file(self.key_file, "client_certificate.key_file"), password)


def existing_file(path: str, member: str) -> Path:
    """The path of a file with certificates or a key. Raises InvalidParameter where there is none."""
    file = Path(path)
    try:
        if file.is_file() and file.stat().st_size <= _MOST_FILE_BYTES:
            return file
    except (OSError, ValueError):
        pass
    finding = f"{member}={path[:200]!r} is no file that the gateway can read"
    raise InvalidParameter(member, f"{finding}, of at most {_MOST_FILE_BYTES:,} bytes.")


def sendable(secret: str, member: str) -> str:
    """The secret, which a header can hold. Raises InvalidParameter."""
    if not _PRINTABLE.fullmatch(secret):
        finding = f"What {member} holds cannot be sent: it has characters outside printable ASCII"
        raise InvalidParameter(member, f"{finding}, or a space or line break at an end.")
    return secret


def _with_one(text: _AnyText, member: str) -> _AnyText:
    """`text`, which has the secret `member` or the name of a variable with it. Raises ValueError."""
    if (getattr(text, member) is None) == (getattr(text, f"{member}_env") is None):
        raise ValueError(f"give either {member}, or {member}_env (the name of an environment variable)")
    return text
