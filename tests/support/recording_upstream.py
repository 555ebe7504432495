"""An upstream API that keeps every value it accepted, under which key, and fails as it is planned to.

A checker compares what it has with what was sent as sets: `missing`, `unexpected`, `repeats`. The same seed gives the
same faults for the same requests in the same order.
"""

import contextlib
import gzip
import json
import random
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from service.domain.timerange import format_time
from tests.support.upstream_payloads import READERS, Value

KEY_HEADER = "Idempotency-Key"
REPEAT_HEADER = "X-Fluxgate-Repeat"


_MARKERS = {"sensors": b'"timestamp"', "ndjson": b"\n", "lineprotocol": b"\n", "thingsboard": b'"ts"'}
"""What a body has once for each value, line or time."""


class Stored(NamedTuple):
    """A value that was accepted, and the key of the post that it came with."""

    value: Value
    key: str


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Shares are between 0 and 1, of all posts that are otherwise in order.

    `errors`: answered with `error_status`, nothing stored. `lost_replies`: stored, and the connection closed without an
    answer. `resets`: the connection is reset, nothing stored. `busy`: 429 with `retry_after`. `slow`: answered after
    `slow_s`. `poison`: values that are refused, with `poison_status` and nothing stored, or with `item_errors` named
    one by one: in a 200 and all others stored, or where `item_status` is another, nothing stored. `most_bytes`: larger
    bodies are answered with 413. `authorization`: any other header is answered with 401. `status`: every post is
    answered so, nothing stored.
    """

    errors: float = 0.0
    error_status: int = 503
    error_text: str = "the database is away"
    lost_replies: float = 0.0
    resets: float = 0.0
    busy: float = 0.0
    retry_after: str | None = "0"
    slow: float = 0.0
    slow_s: float = 0.0
    poison: Callable[[Value], bool] | None = None
    poison_status: int = 422
    item_errors: bool = False
    item_status: int = 200
    most_bytes: int | None = None
    authorization: str | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    accepted_text: str = "{}"


@dataclass(frozen=True)
class Request:
    """A post as it came, and the status of its answer; None: there was none."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int | None

    @property
    def key(self) -> str:
        return self.headers.get(KEY_HEADER.lower(), "")


class RecordingUpstream:
    """`payload`: how bodies are read. `remembers_keys`: a key that was stored is answered again, and not stored again.

    `faults` may be changed at any time. `only_counts`: values are counted and not kept, which is fast.
    """

    def __init__(
        self,
        payload: str = "sensors",
        faults: Faults | None = None,
        *,
        seed: int = 0,
        remembers_keys: bool = False,
        only_counts: bool = False,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.stored: list[Stored] = []
        self.requests: list[Request] = []
        self.count = 0
        self.busiest = 0
        """The most posts that were under way at one time."""
        self.known_keys: Counter[str] = Counter()
        """How often each key was stored or, where keys are remembered, sent again."""
        self._read = READERS[payload]
        self._marker = _MARKERS[payload]
        self._remembers_keys, self._only_counts = remembers_keys, only_counts
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._under_way = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _speaker(self))
        self._server.daemon_threads = True
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="upstream", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/points"

    @property
    def values(self) -> set[Value]:
        """What was accepted."""
        with self._lock:
            return {stored.value for stored in self.stored}

    def missing(self, sent: Iterable[Value]) -> set[Value]:
        """Values that were sent and never accepted."""
        return set(sent) - self.values

    def unexpected(self, sent: Iterable[Value]) -> set[Value]:
        """Values that were accepted and never sent."""
        return self.values - set(sent)

    def repeats(self) -> dict[Value, set[str]]:
        """Values that were stored more than once, and under which keys."""
        with self._lock:
            times = Counter(stored.value for stored in self.stored)
            keys: dict[Value, set[str]] = {}
            for stored in self.stored:
                if times[stored.value] > 1:
                    keys.setdefault(stored.value, set()).add(stored.key)
        return keys

    def repeats_under_other_keys(self) -> dict[Value, set[str]]:
        """Values that were stored under more than one key: an upstream that remembers keys keeps them twice."""
        return {value: keys for value, keys in self.repeats().items() if len(keys) > 1}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> "Answer | None":
        """The answer to a post; None: the connection is closed without one."""
        with self._lock:
            self._under_way += 1
            self.busiest = max(self.busiest, self._under_way)
        try:
            answer, wait_s = self._decided(headers, body)
            time.sleep(wait_s)
        finally:
            with self._lock:
                self._under_way -= 1
                request = Request(path, headers, body, None if answer is None or answer.resets else answer.status)
                self.requests.append(request)
        return answer

    def _decided(self, headers: dict[str, str], body: bytes) -> "tuple[Answer | None, float]":
        faults = self.faults
        if faults.status is not None:
            return Answer(faults.status, faults.error_text, faults.headers), 0.0
        if faults.authorization is not None and headers.get("authorization") != faults.authorization:
            return Answer(401, '{"message": "who are you?"}'), 0.0
        if faults.most_bytes is not None and len(body) > faults.most_bytes:
            return Answer(413, "too large"), 0.0
        text = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        with self._lock:
            chance, wait_s = self._random.random(), faults.slow_s if self._random.random() < faults.slow else 0.0
            return self._by_chance(chance, headers.get(KEY_HEADER.lower(), ""), text), wait_s

    def _by_chance(self, chance: float, key: str, text: bytes) -> "Answer | None":
        faults = self.faults
        kinds: list[tuple[float, Callable[[], Answer | None]]] = [
            (faults.errors, lambda: Answer(faults.error_status, faults.error_text, faults.headers)),
            (faults.resets, lambda: Answer(0, resets=True)),
            (faults.busy, lambda: Answer(429, "slow down", _retry_after(faults.retry_after))),
            (faults.lost_replies, lambda: self._store_silently(key, text)),
        ]
        for share, make in kinds:
            if chance < share:
                return make()
            chance -= share
        return self._store(key, text)

    def _store_silently(self, key: str, text: bytes) -> "Answer | None":
        answer = self._store(key, text)
        return None if answer.status < 300 else answer

    def _store(self, key: str, text: bytes) -> "Answer":
        if self._remembers_keys and key in self.known_keys:
            self.known_keys[key] += 1
            return Answer(200, self.faults.accepted_text)
        if self._only_counts:
            self.count += text.count(self._marker)
            return Answer(200, self.faults.accepted_text)
        values = self._read(text)
        poison = self.faults.poison or (lambda _value: False)
        bad = [index for index, value in enumerate(values) if poison(value)]
        if bad and not self.faults.item_errors:
            return Answer(self.faults.poison_status, json.dumps({"message": "a value is wrong"}))
        errors = json.dumps({"errors": [_item_error(index, values[index]) for index in bad]})
        if bad and self.faults.item_status >= 300:
            return Answer(self.faults.item_status, errors)
        left_out = set(bad)
        self.stored += [Stored(value, key) for index, value in enumerate(values) if index not in left_out]
        self.count += len(values) - len(bad)
        self.known_keys[key] += 1
        return Answer(200, errors if bad else self.faults.accepted_text)


@dataclass(frozen=True)
class Answer:
    """`resets`: the connection is reset instead."""

    status: int
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    resets: bool = False


def _item_error(index: int, value: Value) -> dict[str, Any]:
    """How a wrong value is named, in two ways."""
    place = {"sensor": value.sensor, "timestamp": format_time(value.time_ns)}
    return {"index": index, **place, "message": "wrong"}


def _retry_after(text: str | None) -> dict[str, str]:
    return {} if text is None else {"Retry-After": text}


def _speaker(upstream: RecordingUpstream) -> type[BaseHTTPRequestHandler]:
    class Speaker(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = upstream.answer(self.path, headers, body)
            if answer is None or answer.resets:
                if answer is not None:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            content = answer.text.encode()
            if answer.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if answer.status != 204 else b"")

        def log_message(self, format: str, *arguments: Any) -> None:
            """Tests assert; nothing is printed."""

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

    return Speaker


@contextlib.contextmanager
def recording_upstream(
    payload: str = "sensors",
    faults: Faults | None = None,
    **options: Any,
) -> Iterator[RecordingUpstream]:
    """A `RecordingUpstream` that is closed at the end."""
    upstream = RecordingUpstream(payload, faults, **options)
    try:
        yield upstream
    finally:
        upstream.close()
