"""Joins small pieces of tables to posts of a good size, in their order."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from service.fileformats.pieces import Longs, Piece

POST_BYTES = 4 * 1024 * 1024
_MOST_REJECTS = 100_000


def joined_pieces(pieces: Iterable[Piece], post_bytes: int = POST_BYTES) -> Iterator[Piece]:
    """The same lines and rejects in pieces of about `post_bytes`; a larger one stays as it is."""
    held: list[Piece] = []
    size = rejects = 0
    for piece in pieces:
        if held and size + len(piece.text) > post_bytes:
            yield _joined(held)
            held, size, rejects = [], 0, 0
        held.append(piece)
        size += len(piece.text)
        rejects += len(piece.rejects)
        if rejects > _MOST_REJECTS:
            yield _joined(held)
            held, size, rejects = [], 0, 0
    if held:
        yield _joined(held)


def _joined(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    offsets, rows, base = [np.zeros(1, np.int64)], [], 0
    for piece in pieces:
        offsets.append(piece.starts[1:] + base)
        rows.append(np.zeros(0, np.int64) if piece.rows is None else piece.rows)
        base += len(piece.text)
    return Piece(
        b"".join([piece.text for piece in pieces]),
        pieces[-1].after,
        offsets=np.concatenate(offsets),
        rows=np.concatenate(rows),
        times=_times([piece for piece in pieces if piece.text]),
        rejects=tuple(reject for piece in pieces for reject in piece.rejects),
        empty_rows=sum(piece.empty_rows for piece in pieces),
    )


def _times(pieces: Sequence[Piece]) -> Longs | None:
    times = [piece.times for piece in pieces if piece.times is not None]
    return np.concatenate(times) if times and len(times) == len(pieces) else None
