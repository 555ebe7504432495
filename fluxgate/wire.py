"""The HTTP under the gateway's client: one pooled connection, and every foreign error translated once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from fluxgate.errors import AnswerBroken, GatewayRefused, GatewayUnreachable

Parameters = Sequence[tuple[str, str]]


class Wire:
    """Sends requests of one key to one gateway. `timeout_s` bounds each wait for bytes, not a whole answer."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        headers = {"X-API-Key": key} if key else {}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s)

    def get(self, path: str, parameters: Parameters = ()) -> httpx.Response:
        with self.stream("GET", path, parameters) as response:
            response.read()
            return response

    @contextmanager
    def stream(
        self, method: str, path: str, parameters: Parameters = (), content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """An open answer with status 2xx.

        Raises:
            GatewayRefused: any other status, with its problem document.
            GatewayUnreachable: no connection, or silence longer than the time-out.
            AnswerBroken: the body stopped early, while it is read inside the `with`.
        """
        try:
            with self._client.stream(method, path, params=list(parameters), content=content, headers=headers) as response:
                if not response.is_success:
                    response.read()
                    raise GatewayRefused(response.status_code, _problem(response))
                yield response
        except httpx.RemoteProtocolError as broken:
            raise AnswerBroken(f"The answer to {method} {path} stopped before its end ({broken}). Ask again.") from broken
        except httpx.TransportError as broken:
            reason = str(broken) or type(broken).__name__
            raise GatewayUnreachable(f"No answer from {self._client.base_url}: {reason}. Is the gateway running there?") from broken

    def close(self) -> None:
        self._client.close()


def _problem(response: httpx.Response) -> Mapping[str, object]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": f"{response.request.url} answered {response.status_code} without a reason."}
