"""Servers that are not InfluxDB: they answer one thing, or speak another protocol, and keep what they were asked."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Speak = Callable[[socket.socket], None]


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


@contextlib.contextmanager
def speaking(speak: Speak) -> Iterator[str]:
    """The address of a server that reads the head of a request, and then does as it likes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                with link, contextlib.suppress(OSError):
                    link.settimeout(10)
                    link.recv(65536)
                    speak(link)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://upstream.test:{listener.getsockname()[1]}/"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def sending_for_ever(head: bytes, piece: bytes, pause_s: float) -> Speak:
    def speak(link: socket.socket) -> None:
        link.sendall(head)
        while True:
            link.sendall(piece)
            time.sleep(pause_s)

    return speak
