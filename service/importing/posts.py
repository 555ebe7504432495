"""Sends pieces to a gateway's write route, one after the other, until each is answered.

Posts keep the order of the file, so of two values of one point the later one counts, and after a kill the same holds.
A busy gateway, or one that is away, is waited for. A piece whose refused lines are not all named is sent again in small
parts, in which they are.
"""

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from fluxgate_client.answers import as_object
from fluxgate_client.errors import (
    AnswerBroken,
    GatewayError,
    GatewayUnreachable,
    PointsRefused,
    RateLimited,
    StoreFailed,
    TooLarge,
    Unavailable,
)
from fluxgate_client.requests import Request, bucket_path
from fluxgate_client.transport import Transport
from service.fileformats.pieces import Piece, Reject

_PART_LINES = 1_000
"""The gateway names so many refused lines of a post."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_PASSING = (GatewayUnreachable, AnswerBroken, RateLimited, Unavailable, StoreFailed)
Json = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a piece: points that are stored, and the lines that are not."""

    stored: int = 0
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True)
class Poster:
    """Posts to one bucket. `patience_s`: how long a post is tried. `pack`: send gzip, for a gateway that is far away.

    `waiting` is called with the reason and the seconds before each pause.
    """

    transport: Transport
    bucket: str
    precision: str
    patience_s: float
    pack: bool = False
    waiting: Callable[[str, float], object] = lambda _reason, _seconds: None
    clock: Callable[[], float] = field(default=time.monotonic)
    sleep: Callable[[float], object] = field(default=time.sleep)

    def send(self, piece: Piece) -> Outcome:
        """Store the lines of `piece`. Raises GatewayError; GatewayUnreachable after `patience_s`."""
        if not piece.text:
            return Outcome(0, piece.rejects)
        try:
            answer = self._post(piece.text)
            if answer["bad_count"] == len(answer["bad"]) and answer["refused_count"] == len(answer["refused"]):
                rejects = sorted([*piece.rejects, *_rejects(piece, answer)], key=lambda reject: reject.line)
                return Outcome(answer["stored"], tuple(rejects))
        except (PointsRefused, TooLarge) as refused:
            if len(piece) == 1:
                return Outcome(0, (*piece.rejects, Reject(piece.line_of(0), str(refused), piece.text_of(0))))
        return self._in_parts(piece)

    def _in_parts(self, piece: Piece) -> Outcome:
        most = min(_PART_LINES, -(-len(piece) // 2))
        outcomes = [self.send(part) for part in piece.parts(most)]
        rejects = [*piece.rejects, *(reject for outcome in outcomes for reject in outcome.rejects)]
        rejects.sort(key=lambda reject: reject.line)
        return Outcome(sum(outcome.stored for outcome in outcomes), tuple(rejects))

    def _post(self, text: bytes) -> Json:
        parameters = [("precision", self.precision), ("partial", "true")]
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        body = text
        if self.pack:
            body, headers["Content-Encoding"] = gzip.compress(text, 1), "gzip"
        request = Request("POST", bucket_path(self.bucket, "/points"), parameters, body, headers)
        begun_s, pauses = self.clock(), _pauses()
        while True:
            try:
                return as_object(request, self.transport.fetch(request))
            except _PASSING as error:
                pause_s = self._pause_s(error, begun_s, pauses)
            self.sleep(pause_s)

    def _pause_s(self, error: GatewayError, begun_s: float, pauses: Iterator[float]) -> float:
        """How long to wait after `error`. Raises it where that does not pass; GatewayUnreachable after too long."""
        asked_s = getattr(error, "retry_after_s", None)
        if getattr(error, "code", "") == "too_many_failed_tries":
            raise error
        pause_s = max(asked_s or 0.0, next(pauses))
        if self.clock() - begun_s + pause_s > self.patience_s:
            finding = f"The gateway did not take a part of the file within {self.patience_s:g} s (--patience)."
            raise GatewayUnreachable(f"{finding} Last it said: {error}", may_have_arrived=True) from error
        self.waiting(str(error), pause_s)
        return pause_s


def _pauses() -> Iterator[float]:
    pause_s = _FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _rejects(piece: Piece, answer: Json) -> Iterator[Reject]:
    problems: Sequence[Json] = [*answer["bad"], *answer["refused"]]
    for problem in problems:
        index = piece.index_of(problem["line"])
        text = piece.text_of(index)
        reason = str(problem["reason"])
        shown = reason.find(f": {text[:40]}")
        yield Reject(piece.line_of(index), reason[:shown] if shown > 0 and text else reason, text)
