"""An HTTP proxy that understands its server's answers and sends on something else, well formed.

For faults that bytes on a link cannot show: a body that is cut and then ended properly, an error in the
middle of a 200, another status, a login page.
"""

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """An answer of the server, or what is to be sent in its place. Bodies are sent chunked, and ended properly."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def with_body(self, body: bytes) -> "Answer":
        return replace(self, body=body)


Lie = Callable[[str, Answer], Answer]
"""Takes the path of a request (without its query) and the true answer."""


def truth(_path: str, answer: Answer) -> Answer:
    return answer


class Liar:
    """`lie` may be changed at any time. `paths` are those asked for, in order."""

    def __init__(self, target_port: int) -> None:
        self.lie: Lie = truth
        self.paths: list[str] = []
        liar = self

        class Speaker(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told = http.client.HTTPConnection("127.0.0.1", target_port, timeout=30)
                kept = {
                    name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")
                }
                told.request(self.command, self.path, body, kept)
                true = told.getresponse()
                path = self.path.partition("?")[0]
                answer = Answer(true.status, true.read(), dict(true.getheaders()))
                told.close()
                liar.paths.append(path)
                self._say(liar.lie(path, answer))

            do_POST = do_GET

            def _say(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                if answer.status == 204:
                    self.end_headers()
                    return
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                with contextlib.suppress(OSError):
                    for start in range(0, len(answer.body), 65536):
                        piece = answer.body[start : start + 65536]
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests assert; nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="liar", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def lying_link(target_port: int) -> Iterator[Liar]:
    liar = Liar(target_port)
    try:
        yield liar
    finally:
        liar.close()
