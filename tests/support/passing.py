"""HTTP passed on to a real server and back as it comes: for fakes that stand in front of one.

Bodies flow piece by piece in both directions and keep their coding; a body that the server cuts ends cut
for the client too. Each client's connection is kept alive; the server gets a connection for each request.
"""

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.liar import Answer

PIECE_BYTES = 64 * 1024
SILENCE_S = 60.0
Headers = Sequence[tuple[str, str]]
_OF_ONE_LINK = frozenset(
    {"connection", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def kept(headers: Iterable[tuple[str, str]], *without: str) -> list[tuple[str, str]]:
    """The headers that travel further (RFC 9110, 7.6.1), less those `without`, which are given in lower case."""
    return [
        (name, value) for name, value in headers if name.lower() not in _OF_ONE_LINK and name.lower() not in without
    ]


def ask(
    port: int, method: str, path: str, headers: Headers, body: bytes | Iterable[bytes] | None
) -> http.client.HTTPResponse:
    """Send a request to 127.0.0.1 on a connection of its own, which the end of the answer closes.

    Pieces are sent chunked unless `headers` hold their length.
    """
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENCE_S)
    link.putrequest(method, path, skip_accept_encoding=True)
    names = {name.lower() for name, _ in headers}
    for name, value in headers:
        link.putheader(name, value)
    if isinstance(body, bytes) and "content-length" not in names:
        link.putheader("Content-Length", str(len(body)))
    chunked = body is not None and not isinstance(body, bytes) and "content-length" not in names
    if chunked:
        link.putheader("Transfer-Encoding", "chunked")
    link.putheader("Connection", "close")
    link.endheaders(body, encode_chunked=chunked)
    return link.getresponse()


class Passer(BaseHTTPRequestHandler):
    """One connection of a client. A fake says in `serve` what becomes of each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self) -> None:
        """Answer one request with `say` or `relay`; its body must be read to its end before."""
        raise AssertionError("a fake serves in its own way")

    def do_GET(self) -> None:
        try:
            self.serve()
        except (
            OSError,
            ValueError,
            http.client.HTTPException,
        ):  # one of the two sides broke off: the other one sees a cut too
            self.close_connection = True

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET

    def pieces(self) -> Iterator[bytes]:
        """The request's body as it comes, without chunk framing."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            yield from self._chunks()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self.rfile.read(min(left, PIECE_BYTES))
            if not piece:
                raise ConnectionError("the client left in the middle of its body")
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def pass_on(self, port: int) -> http.client.HTTPResponse:
        """Send the request on as it comes, and return the answer's beginning."""
        has_body = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        return ask(port, self.command, self.path, kept(self.headers.items()), self.pieces() if has_body else None)

    def relay(self, reply: http.client.HTTPResponse, counted: Callable[[int], None]) -> None:
        """Send the answer back as it comes. `counted` is told the size of each piece before it leaves."""
        length_bytes, sent_bytes = reply.length, 0
        self.send_response_only(reply.status, reply.reason)
        self._head([*kept(reply.getheaders()), *([("Transfer-Encoding", "chunked")] if length_bytes is None else [])])
        with contextlib.closing(reply):
            while piece := reply.read1(PIECE_BYTES):
                sent_bytes += len(piece)
                counted(len(piece))
                self.wfile.write(piece if length_bytes is not None else b"%x\r\n%s\r\n" % (len(piece), piece))
        if length_bytes is None:
            self.wfile.write(b"0\r\n\r\n")
        elif sent_bytes != length_bytes:
            raise ConnectionError("the server left in the middle of its answer")

    def say(self, answer: Answer) -> None:
        """Send a whole answer."""
        self.send_response_only(answer.status)
        length = [] if answer.status == 204 else [("Content-Length", str(len(answer.body)))]
        self._head([*kept(answer.headers.items(), "content-length"), *length])
        if answer.body and self.command != "HEAD":
            self.wfile.write(answer.body)

    def _head(self, headers: Headers) -> None:
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests assert; nothing is printed."""


class Gate:
    """Listens on a free port with a thread for each connection. `close` cuts those that are open."""

    def __init__(self, passer: Callable[..., Passer], name: str) -> None:
        self._server = _Listener(("127.0.0.1", 0), passer)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name=name, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for link in list(self._server.links):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, address: tuple[str, int], passer: Callable[..., Passer]) -> None:
        self.links: set[socket.socket] = set()
        super().__init__(address, passer)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self.links.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self.links.discard(request)
        super().shutdown_request(request)
