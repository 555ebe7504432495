"""GET of a JSON document from one fixed address, in bounded time and bytes; secrets stay out of logs and errors.

The address is a setting of the operator, and redirects are not followed: nobody else decides where a request goes.
"""

import json
import ssl
import time
from collections.abc import Mapping
from functools import cached_property
from urllib.parse import urlencode, urlsplit

from service.errors import UpstreamError, UpstreamUnavailable
from service.sockets import ANYWHERE
from service.upstream.client import HttpAnswer, HttpClient, RequestFailed, tls_context

_MOST_BYTES = 256 * 1024


class WeatherHttp:
    """Asks the server at `base_url`. `timeout_s` bounds the time of an answer."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self.host = urlsplit(self._base_url).hostname or ""

    def get(self, path: str, parameters: Mapping[str, str]) -> HttpAnswer:
        """The whole answer, whatever its status. `parameters` may be secrets: no log and no error shows them.

        Raises UpstreamUnavailable, and UpstreamError for a body that is too large.
        """
        try:
            with self._client() as client:
                answer = client.get(f"{self._base_url}{path}?{urlencode(parameters)}")
        except RequestFailed as failed:
            # The text of the error is left out: what another library writes may hold the address with the secrets.
            finding = failed.finding if failed.was_sent else "cannot be reached"
            raise UpstreamUnavailable(f"{self.host} {finding}.") from None
        if len(answer.body) > _MOST_BYTES:
            raise UpstreamError(f"The answer of {self.host} has more than {_MOST_BYTES // 1024} kB.")
        if not answer.is_whole:
            late = f"did not answer within {self._timeout_s:g} s"
            raise UpstreamUnavailable(f"{self.host} broke off its answer, or {late}.")
        return answer

    def _client(self) -> HttpClient:
        """A client for one request: the next is minutes away, so no connection is kept."""
        return HttpClient(
            ANYWHERE,
            self._tls if self._base_url.startswith("https:") else None,
            timeout_s=self._timeout_s,
            connections=1,
            monotonic=time.monotonic,
            check=lambda: None,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Loaded once, at the first request: it takes a tenth of a second."""
        return tls_context(None, None)


def json_document(answer: HttpAnswer) -> object:
    """The JSON of the body, in which NaN and the infinities are none. Raises UpstreamError."""
    try:
        return json.loads(answer.body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UpstreamError(f"the answer ({len(answer.body)} bytes) is no JSON.", upstream=answer.text) from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
