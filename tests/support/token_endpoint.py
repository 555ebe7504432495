"""A server of access tokens (RFC 6749, 4.4): it gives tokens in turn, and keeps what it was asked."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True)
class TokenRequest:
    """A request: its `Authorization`, and its form."""

    authorization: str
    form: dict[str, list[str]]


@dataclass
class TokenEndpoint:
    """`status` and `answer` are given when they are set; else token `t1`, `t2`, … with `expires_in`."""

    expires_in: Any = 3_600
    status: int = 200
    answer: str | None = None
    requests: list[TokenRequest] = field(default_factory=list)
    url: str = ""

    def text(self) -> str:
        token = {"access_token": f"t{len(self.requests)}", "token_type": "Bearer", "expires_in": self.expires_in}
        return json.dumps(token) if self.answer is None else self.answer


@contextlib.contextmanager
def token_endpoint(**settings: Any) -> Iterator[TokenEndpoint]:
    endpoint = TokenEndpoint(**settings)

    class Speaker(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            endpoint.requests.append(TokenRequest(self.headers["Authorization"], form))
            text = endpoint.text().encode()
            self.send_response(endpoint.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Tests assert; nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
