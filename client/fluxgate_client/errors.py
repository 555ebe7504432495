"""What can go wrong between this program and a gateway.

GatewayError
|-- InvalidRequest           it cannot be sent: nothing was; also a ValueError
|-- GatewayUnreachable       no connection, or silence for too long
|-- AnswerBroken             the answer stopped before its end: nothing of it is given out
`-- GatewayRefused           the gateway answered a problem: status, code, detail
    |-- BadRequest               400, 405, 406, 408: the request is wrong or came too slowly
    |-- InvalidParameter         422: a value cannot be read, or asks for too much
    |-- PointsRefused            422: lines that do not parse, or that the store refused
    |-- TooLarge                 413, 414, 431: the body, the path or the headers
    |-- Unauthorized             401: no key, or none that is valid
    |-- Forbidden                403: a valid key without the right
    |-- NotFound                 404: no such bucket, job, section or path
    |-- Conflict                 409: it changed since it was read
    |-- RateLimited              429: too much at once, or too many wrong keys
    |-- Unavailable              503: nothing is wrong but the moment
    |-- StoreFailed              502, 504: the store behind the gateway did not do its part
    `-- GatewayFailed            500 and what else there is: the gateway's operator acts
"""

from collections.abc import Mapping, Sequence
from typing import Any


class GatewayError(Exception):
    """Root of the tree."""


class InvalidRequest(GatewayError, ValueError):
    """What was asked cannot be sent exactly, so nothing was sent. The message says what to change."""


class GatewayUnreachable(GatewayError):
    """No connection to the gateway, or no byte of an answer in time.

    `may_have_arrived`: whether the gateway may have done what the request says.
    """

    def __init__(self, message: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class AnswerBroken(GatewayError):
    """The connection ended before the answer did. Ask again; the gateway's log says why."""


class GatewayRefused(GatewayError):
    """A problem document (RFC 9457): `code` is stable, `detail` says what to do, `problem` holds all members.

    `retry_after_s`: after how many seconds a new try makes sense, where the gateway says so.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.code = str(problem.get("code", "error"))
        self.detail = str(problem.get("detail", "The gateway gave no reason."))
        self.request_id = str(problem.get("request_id", ""))
        upstream = problem.get("upstream")
        written = f" The server behind the gateway wrote: {upstream}" if upstream else ""
        super().__init__(f"{self.detail} ({status} {self.code}){written}")


class BadRequest(GatewayRefused):
    """The request is wrong as a whole, or did not arrive in time."""


class InvalidParameter(GatewayRefused):
    """`parameter` names the one that is wrong, where there is one; `allowed` lists what may stand there."""

    @property
    def parameter(self) -> str | None:
        name = self.problem.get("parameter")
        return None if name is None else str(name)

    @property
    def allowed(self) -> Sequence[str]:
        return list(self.problem.get("allowed", ()))


class PointsRefused(GatewayRefused):
    """`stored` points were taken; `bad` lines do not parse, `refused` ones the store did not take.

    Both list objects with `line` (from 1), `code` and `reason`: the first thousand.
    """

    @property
    def stored(self) -> int:
        return int(self.problem.get("stored", 0))

    @property
    def bad(self) -> Sequence[Mapping[str, Any]]:
        return list(self.problem.get("bad", ()))

    @property
    def refused(self) -> Sequence[Mapping[str, Any]]:
        return list(self.problem.get("refused", ()))


class TooLarge(GatewayRefused):
    """Send less at a time."""


class Unauthorized(GatewayRefused):
    """No key, or one that is unknown, revoked or expired."""


class Forbidden(GatewayRefused):
    """The key is valid and may not do this."""


class NotFound(GatewayRefused):
    """`near` has similar names, when a bucket is not there."""

    @property
    def near(self) -> Sequence[str]:
        return list(self.problem.get("near", ()))


class Conflict(GatewayRefused):
    """Read it again, and send the change on top of that."""


class RateLimited(GatewayRefused):
    """The gateway did nothing of it. `retry_after_s` says when to ask again."""


class Unavailable(GatewayRefused):
    """The gateway, or what it depends on, is busy, starting or away. `retry_after_s` says when to ask again."""


class StoreFailed(GatewayRefused):
    """The store behind the gateway failed. The detail says who has to act."""


class GatewayFailed(GatewayRefused):
    """The gateway itself failed, or something between answered for it."""


_BY_CODE: Mapping[str, type[GatewayRefused]] = {"points_refused": PointsRefused}
_BY_STATUS: Mapping[int, type[GatewayRefused]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: BadRequest,
    406: BadRequest,
    408: BadRequest,
    409: Conflict,
    413: TooLarge,
    414: TooLarge,
    415: BadRequest,
    422: InvalidParameter,
    429: RateLimited,
    431: TooLarge,
    502: StoreFailed,
    503: Unavailable,
    504: StoreFailed,
}


def refusal(status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> GatewayRefused:
    """The error for a problem document, in the class of its code, else of its status."""
    family = _BY_CODE.get(str(problem.get("code")), _BY_STATUS.get(status, GatewayFailed))
    return family(status, problem, retry_after_s)
