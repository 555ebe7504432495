"""What a post carries to prove who sends it, fetched anew when it is too old or refused."""

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote_plus, urlencode

from service.domain.answer_rules import LATER_STATUSES
from service.errors import AddressRefused, UpstreamStopped, UpstreamUnavailable
from service.upstream.auth import Auth, HeaderAuth, OAuth2, UrlAuth
from service.upstream.client import HttpAnswer, HttpClient, RequestFailed, origin_of
from service.upstream.rules import TOKEN_PLACE

_USUAL_LIFETIME_S = 300.0
"""Of a token whose server does not say (RFC 6749, 5.1)."""
_LONGEST_LIFETIME_S = 1e9
_MARGIN_S = 30.0
"""So long before its end, a token is no longer sent."""


class Credentials(Protocol):
    """Proves who sends a post. Threads may share it."""

    def url(self, url: str) -> str:
        """The address to post to, with a token in its path where it has a place for one."""

    def headers(self) -> Mapping[str, str]:
        """The headers of a post. Raises UpstreamUnavailable, UpstreamStopped."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Whether other headers than those, which were refused, may be accepted."""


class FixedCredentials:
    """Credentials that do not change."""

    def __init__(self, auth: Auth) -> None:
        self._headers = {auth.name: auth.value} if isinstance(auth, HeaderAuth) else {}
        self._token = auth.token if isinstance(auth, UrlAuth) else TOKEN_PLACE

    def url(self, url: str) -> str:
        return url.replace(TOKEN_PLACE, self._token)

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        return False


class AccessTokens:
    """Access tokens for client credentials (RFC 6749, 4.4), each kept until shortly before its end.

    `monotonic`: seconds of a clock that never goes back.
    """

    def __init__(self, oauth: OAuth2, client: HttpClient, monotonic: Callable[[], float]) -> None:
        self._oauth = oauth
        self._client = client
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0.0

    def url(self, url: str) -> str:
        return url

    def headers(self) -> Mapping[str, str]:
        with self._lock:
            if self._token is None or self._monotonic() >= self._good_until:
                self._token, lifetime_s = self._fetched()
                self._good_until = self._monotonic() + max(lifetime_s - _MARGIN_S, lifetime_s / 2)
            return {"Authorization": f"Bearer {self._token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        with self._lock:
            if refused.get("Authorization") == f"Bearer {self._token}":
                self._token = None
        return True

    def _fetched(self) -> tuple[str, float]:
        """A new token, and its lifetime in seconds."""
        oauth = self._oauth
        form = {"grant_type": "client_credentials", "scope": oauth.scope, "audience": oauth.audience}
        client_name = f"{quote_plus(oauth.client_id)}:{quote_plus(oauth.client_secret)}"  # RFC 6749, 2.3.1
        headers = {
            "Authorization": f"Basic {base64.b64encode(client_name.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode({name: value for name, value in form.items() if value is not None}).encode()
        place = f"The server of access tokens at {origin_of(oauth.url)}"
        try:
            answer = self._client.post(oauth.url, headers, body)
        except AddressRefused as refused:
            raise UpstreamStopped(refused.message) from None
        except RequestFailed as failed:
            raise UpstreamUnavailable(f"{place} {failed.finding}.", upstream=failed.detail) from None
        if answer.status != 200:
            raise _refusal(place, answer)
        return _token_of(place, answer)


def _refusal(place: str, answer: HttpAnswer) -> UpstreamUnavailable | UpstreamStopped:
    finding = f"{place} answered {answer.status}."
    if answer.status >= 500 or answer.status in LATER_STATUSES:
        return UpstreamUnavailable(finding, upstream=answer.text)
    advice = "Check url, client_id, client_secret, scope and audience of the connector's auth."
    return UpstreamStopped(f"{finding} {advice}", upstream=answer.text)


def _token_of(place: str, answer: HttpAnswer) -> tuple[str, float]:
    document = answer.document if isinstance(answer.document, Mapping) else {}
    token = document.get("access_token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise UpstreamUnavailable(f"{place} answered 200 without an access token that can be sent.")
    if str(document.get("token_type", "bearer")).lower() != "bearer":
        raise UpstreamStopped(f"{place} gives tokens of another type than bearer. Use another kind of auth.")
    return token, _lifetime_s(document.get("expires_in"))


def _lifetime_s(value: object) -> float:
    """Seconds; some servers send them as a text."""
    try:
        lifetime_s = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return _USUAL_LIFETIME_S
    return lifetime_s if 0 < lifetime_s < _LONGEST_LIFETIME_S else _USUAL_LIFETIME_S


def credentials_for(auth: Auth, client: HttpClient, monotonic: Callable[[], float]) -> Credentials:
    """The credentials that a configuration means."""
    return AccessTokens(auth, client, monotonic) if isinstance(auth, OAuth2) else FixedCredentials(auth)
