"""An import from its first piece to its last: sends, notes what was refused, and keeps its place.

Two posts are under way at a time where they hold no point in common. Otherwise they go one after the other, so that of
two values of one point the later one in the file counts.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from service.fileformats.pieces import Piece
from service.importing.posts import Outcome, Poster
from service.importing.rejects import Rejects
from service.importing.state import Progress, StateFile

_POSTS = 2


@dataclass(frozen=True)
class _Post:
    """A piece that is under way."""

    piece: Piece
    outcome: Future[Outcome]


class ImportRun:
    """One import under way. `progress` is what was acknowledged, in the order of the file; `shown` is called with it.

    The state is saved behind every acknowledgement.
    """

    def __init__(
        self,
        poster: Poster,
        progress: Progress,
        state: StateFile,
        rejects: Rejects,
        shown: Callable[[Progress], object] = lambda _progress: None,
    ) -> None:
        self.progress = progress
        self._poster = poster
        self._state = state
        self._rejects = rejects
        self._shown = shown

    def send(self, pieces: Iterable[Piece]) -> None:
        """Send `pieces`. An error of reading them comes when all that was read before is sent.

        Raises: GatewayError; what `pieces` raises.
        """
        posts: deque[_Post] = deque()
        with ThreadPoolExecutor(_POSTS, "post") as pool:
            try:
                for piece in pieces:
                    while posts and (len(posts) >= _POSTS or any(post.piece.may_meet(piece) for post in posts)):
                        self._settle(posts)
                    posts.append(_Post(piece, pool.submit(self._poster.send, piece)))
            finally:
                while posts:
                    self._settle(posts)

    def _settle(self, posts: deque[_Post]) -> None:
        """Wait for the oldest post. When it fails, those behind it do not count."""
        post = posts.popleft()
        try:
            outcome = post.outcome.result()
        except BaseException:
            posts.clear()
            raise
        self._rejects.add(outcome.rejects)
        done = self.progress
        self.progress = replace(
            done,
            position=post.piece.after,
            stored=done.stored + outcome.stored,
            rejected=done.rejected + len(outcome.rejects),
            empty_rows=done.empty_rows + post.piece.empty_rows,
            rejects_bytes=self._rejects.size_bytes,
        )
        self._state.save(self.progress)
        self._shown(self.progress)
