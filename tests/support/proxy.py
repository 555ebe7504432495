"""A TCP proxy that makes a link bad on purpose, after the toxics of toxiproxy.

It stands between a store and its real server and passes bytes both ways. What it does to the bytes
that come back is said by one `Toxic`, which may be changed at any time and counts bytes over all
connections since then, so that a cut can be put anywhere in a conversation.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PIECE_BYTES = 64 * 1024


class End(StrEnum):
    """What happens once the allowed bytes have passed."""

    CUT = "cut"
    """The connection is closed in an orderly way (FIN)."""
    RESET = "reset"
    """The connection is torn down (RST)."""
    HANG = "hang"
    """Nothing more comes, and nothing is closed."""


@dataclass(frozen=True)
class Toxic:
    """What is done to the bytes on their way back from the server.

    `latency_s` before each piece; `bytes_per_s` at most; after `pass_bytes` the `end`; when the
    server closes, `slow_close_s` until the client is told. `answer` is sent for every request
    instead of asking the server at all. `refuse`: connections are reset as soon as they are made.
    """

    latency_s: float = 0.0
    bytes_per_s: float | None = None
    pass_bytes: int | None = None
    end: End = End.CUT
    slow_close_s: float = 0.0
    answer: bytes | None = None
    refuse: bool = False


CLEAN = Toxic()


class Proxy:
    """A proxy to `target_port` of 127.0.0.1, with its own loop in its own thread."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = 0
        self.passed_bytes = 0
        """Bytes sent back to clients since the last `become`."""
        self.open_links = 0
        """Connections to the server that are open at this moment."""
        self._toxic = CLEAN
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bad link", daemon=True)
        self._thread.start()
        assert self._listening.wait(10), "the proxy did not start to listen"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def become(self, toxic: Toxic) -> None:
        """Treat all bytes from now on like this, on open connections too; byte counting starts again."""
        self._toxic, self.passed_bytes = toxic, 0

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        toxic = self._toxic
        if toxic.refuse:
            _reset(writer)
            return
        if toxic.answer is not None:
            while await reader.read(PIECE_BYTES):
                writer.write(toxic.answer)
                await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        self.open_links += 1
        upward = asyncio.ensure_future(self.send_up(reader, back))
        try:
            await self._down(there, writer)
        finally:
            self.open_links -= 1
            upward.cancel()
            back.close()

    async def send_up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                back.write(piece)
                await back.drain()
            back.close()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await there.read(PIECE_BYTES):
            toxic = self._toxic
            left = None if toxic.pass_bytes is None else max(toxic.pass_bytes - self.passed_bytes, 0)
            allowed = piece if left is None else piece[:left]
            if toxic.latency_s:
                await asyncio.sleep(toxic.latency_s)
            await self._send(writer, allowed, toxic.bytes_per_s)
            if len(allowed) < len(piece):
                await self._end(writer, toxic.end)
                return
        if self._toxic.slow_close_s:
            await asyncio.sleep(self._toxic.slow_close_s)

    async def _send(self, writer: asyncio.StreamWriter, piece: bytes, bytes_per_s: float | None) -> None:
        step = len(piece) if bytes_per_s is None else max(int(bytes_per_s / 20), 1)
        for start in range(0, len(piece), step or 1):
            part = piece[start : start + step]
            writer.write(part)
            await writer.drain()
            self.passed_bytes += len(part)
            if bytes_per_s is not None:
                await asyncio.sleep(len(part) / bytes_per_s)

    async def _end(self, writer: asyncio.StreamWriter, end: End) -> None:
        if end is End.HANG:
            await asyncio.sleep(3600)
        elif end is End.RESET:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    linked: socket.socket = writer.get_extra_info("socket")
    linked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def bad_link(target_port: int) -> Iterator[Proxy]:
    proxy = Proxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
