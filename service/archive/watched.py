"""Bytes that are counted or checked while they pass, by a reader that pulls them, as all of ours do."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

_PIECES_AHEAD = 4


def watched(pieces: Iterable[bytes], check: Callable[[Iterator[bytes]], None]) -> Iterator[bytes]:
    """The same pieces, while `check` reads them in a thread of its own, a few pieces behind.

    Raises what `pieces` raises, and what `check` raises, at the latest after the last piece.
    """
    queued: queue.Queue[bytes | None] = queue.Queue(_PIECES_AHEAD)
    refused = threading.Event()

    def run() -> None:
        source = iter(queued.get, None)
        try:
            check(source)
        except Exception:
            refused.set()
            raise
        finally:
            for _ in source:  # so that nobody waits for room in the queue
                pass

    with ThreadPoolExecutor(1, "check") as thread:
        checking = thread.submit(run)
        try:
            for piece in pieces:
                if refused.is_set():
                    break
                queued.put(piece)
                yield piece
        finally:
            queued.put(None)
        checking.result()


class CountedPieces:
    """The same pieces. `size`: how many bytes of them were taken so far."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.size = 0
        self._pieces = pieces

    def __iter__(self) -> "CountedPieces":
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.size += len(piece)
        return piece
