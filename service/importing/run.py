"""An import from its first piece to its last: sends, notes what was refused, and keeps its place."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from service.fileformats.pieces import Piece
from service.importing.posts import Poster
from service.importing.rejects import Rejects
from service.importing.state import Progress, StateFile


def run_import(
    pieces: Iterable[Piece],
    poster: Poster,
    progress: Progress,
    state: StateFile,
    rejects: Rejects,
    shown: Callable[[Progress], object],
) -> Progress:
    """Send `pieces` in their order; `shown` is called after each. The state is saved behind every acknowledgement.

    An error of reading or sending passes through: what was acknowledged until then is in the state.

    Raises: GatewayError, GatewayAway, FileRefused.
    """
    done = progress
    for piece in pieces:
        outcome = poster.send(piece)
        rejects.add(outcome.rejects)
        rejects.flush()
        done = replace(
            done,
            position=piece.after,
            stored=done.stored + outcome.stored,
            rejected=done.rejected + len(outcome.rejects),
            empty_rows=done.empty_rows + piece.empty_rows,
            rejects_bytes=rejects.size_bytes,
        )
        state.save(done)
        shown(done)
    return done
