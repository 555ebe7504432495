"""Servers that are not InfluxDB: they answer one thing, or speak another protocol, and keep what they were asked."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Upstream:
    """Answers every connection on 127.0.0.1 with `answer`, and ends it. `heard`: the first bytes of each connection."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name="upstream", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._speak, args=(link,), daemon=True).start()

    def _speak(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            link.settimeout(10)
            self.heard.append(link.recv(65536))
            link.sendall(self.answer)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def http_answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    head = [
        f"HTTP/1.1 {status} Said",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[Upstream]:
    upstream = Upstream(answer)
    try:
        yield upstream
    finally:
        upstream.close()
