"""Delivers batches to an upstream over HTTP."""

import math
import random
import ssl
import time
from collections.abc import Callable
from typing import Self

from service.sockets import Connector, Resolver, resolve_host
from service.transfer.run_control import RunControl
from service.transfer.run_log import Log
from service.upstream.auth import OAuth2
from service.upstream.client import HttpClient, tls_context
from service.upstream.config import Upstream
from service.upstream.credentials import credentials_for
from service.upstream.delivery import BodyBound, Delivery
from service.upstream.documents import Documents
from service.upstream.gate import Gate
from service.upstream.posting import Poster
from service.upstream.protocol import Batch, Delivered


class HttpSink:
    """An upstream as a `Sink`, and a context manager that closes its connections.

    Threads may share it: `deliver` of several batches may run at one time, of which at most `upstream.in_flight` posts
    are under way. `close` comes after them.
    """

    def __init__(self, upstream: Upstream, documents: Documents, poster: Poster, client: HttpClient) -> None:
        self.upstream = upstream
        self._documents, self._poster, self._client = documents, poster, client
        self._bound = BodyBound(upstream.max_bytes)

    def deliver(self, batch: Batch, first_tried_s: float | None = None) -> Delivered:
        """Send a batch until each of its values is accepted or refused (`Sink.deliver`).

        `first_tried_s`: when the batch was first tried (seconds since 1970), where that was in an earlier run and no
        answer is known. It decides whether the upstream may have forgotten the keys of its posts.
        """
        document = self._documents.of(batch)
        delivery = Delivery(self.upstream, self._poster, self._bound, batch, document, first_tried_s)
        letters, tally = delivery.run(), delivery.tally
        return Delivered(delivery.accepted, tally.posts, tally.unknown, (*document.letters, *letters))

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_sink(
    upstream: Upstream,
    control: RunControl,
    log: Log,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
    resolve: Resolver = resolve_host,
    longest_s: float = math.inf,
) -> HttpSink:
    """A sink for `upstream`. Nothing is connected to before the first batch.

    `control` ends deliveries and waits; `log` takes what people should know. Both are called from every thread that
    delivers. `clock`: seconds since 1970; `monotonic`: seconds of a clock that never goes back. `chance`: a random
    number in [0, 1). `resolve`: the addresses of a host. `longest_s`: how long a post is tried again in one run.

    Raises InvalidParameter: a file with certificates or a key holds none.
    """
    client = HttpClient(
        Connector(upstream.addresses, resolve),
        _tls(upstream),
        timeout_s=upstream.timeout_s,
        connections=upstream.in_flight + 1,
        monotonic=monotonic,
        check=control.check,
    )
    credentials = credentials_for(upstream.auth, client, monotonic)
    gate = Gate(upstream.in_flight, upstream.points_per_s, control, monotonic)
    poster = Poster(upstream, client, credentials, gate, control, log, clock, chance, monotonic, longest_s)
    return HttpSink(upstream, Documents(upstream, log), poster, client)


def _tls(upstream: Upstream) -> ssl.SSLContext | None:
    """None where no connection uses TLS. Reading all authorities takes a tenth of a second."""
    urls = [upstream.url, *([upstream.auth.url] if isinstance(upstream.auth, OAuth2) else [])]
    has_files = upstream.ca_file is not None or upstream.client_certificate is not None
    uses_tls = has_files or any(url.startswith("https:") for url in urls)
    return tls_context(upstream.ca_file, upstream.client_certificate) if uses_tls else None
